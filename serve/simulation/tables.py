"""How two simulated histories differ, and the tables that people are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from engine.values import money

Counts = Mapping[str, Any]


def difference(mine: Counts, other: Counts) -> dict[str, Any]:
    """`mine` − `other`, count by count; a count that one of them lacks is 0."""
    found: dict[str, Any] = {}
    for key in [*mine, *(key for key in other if key not in mine)]:
        left, right = mine.get(key), other.get(key)
        if isinstance(left if left is not None else right, Mapping):
            found[key] = difference(left or {}, right or {})
        else:
            found[key] = (left or 0) - (right or 0)
    return found


def movement(mine: Counter[str], other: Counter[str]) -> dict[str, int]:
    """How many profiles get more sends, and how many fewer, than under the other catalog."""
    return {
        "gain": sum(count > other[profile] for profile, count in mine.items()),
        "lose": sum(count > mine[profile] for profile, count in other.items()),
    }


def silence_table(silence: Mapping[str, Mapping[str, int]], currency: str) -> Table:
    """The silence report: the dearest rule first."""
    made = Table("held back by", "sends", "only reason", "customers", f"expected {currency}", box=None, pad_edge=False)
    for column in made.columns[1:]:
        column.justify = "right"
    scale = 10 ** money.exponent(currency)
    for reason, told in sorted(silence.items(), key=lambda row: (-row[1]["costMinor"], row[0])):
        counts = (f"{told[name]:,}" for name in ("held", "onlyReason", "customers"))
        made.add_row(reason, *counts, f"{told['costMinor'] / scale:,.2f}")
    return made


def table(title: str, columns: Sequence[str], summaries: Sequence[Counts]) -> Table:
    """Counts beside one another, one row each; rows that are 0 everywhere are left out, but for the totals."""
    made = Table("", *columns, title=title, title_justify="left", box=None, pad_edge=False)
    for column in made.columns[1:]:
        column.justify = "right"
    rows: dict[str, list[int]] = {}
    for position, summary in enumerate(summaries):
        for name, count in _flat({key: part for key, part in summary.items() if key != "funnels"}):
            rows.setdefault(name, [0] * len(summaries))[position] = count
    for name, counts in rows.items():
        if any(counts) or " " not in name:
            made.add_row(name, *(f"{count:,}" for count in counts))
    return made


def _flat(summary: Counts, prefix: str = "") -> Iterator[tuple[str, int]]:
    for key, value in summary.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


def funnels(journeys: Mapping[str, Any]) -> Iterator[Table]:
    """A table for each journey that somebody entered: its steps, and what became of its runs."""
    for journey, funnel in journeys.items():
        if not funnel["entered"]:
            continue
        made = Table("", "runs", "sent", "held back", title=journey, title_justify="left", box=None, pad_edge=False)
        for column in made.columns[1:3]:
            column.justify = "right"
        made.add_row("entered", f"{funnel['entered']:,}")
        for step, counts in funnel["steps"].items():
            sent = f"{counts['sent']:,}" if "sent" in counts else ""
            made.add_row(f"at {step}", f"{counts['reached']:,}", sent, _listed(counts.get("held", {})))
        for reason, count in funnel["stopped"].items():
            made.add_row(reason, f"{count:,}")
        for word in ("completed", "converted"):
            if word in funnel:
                made.add_row(word, f"{funnel[word]:,}")
        yield made


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items(), key=lambda row: -row[1]))
