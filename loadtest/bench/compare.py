"""Compares one run of the benchmark with an earlier one. A machine is not equally fast in both, so ratios are compared
with ratios, and plain figures only where there is no ratio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from engine.errors import UsageError
from loadtest.bench.figure import Figure

NOISE = 0.15  # two runs of the same code differ by this much


@dataclass(frozen=True, slots=True)
class Change:
    """A figure before and now; both are ratios where `is_ratio`. `times` is now by before, None where that was 0."""

    name: str
    before: float
    now: float
    is_ratio: bool
    times: float | None


def read(path: Path) -> dict[str, dict[str, Any]]:
    """The figures of an earlier run by name; UsageError where the file holds none."""
    try:
        rows = json.loads(path.read_text("utf-8"))["figures"]
        return {row["name"]: {"value": float(row["value"]), "ratio": row["ratio"]} for row in rows}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "--compare") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path} holds no figures of `segue bench --json`", "--compare") from None


def changes(figures: tuple[Figure, ...], before: dict[str, dict[str, Any]]) -> Iterator[Change]:
    """The figures that are in both runs, in the order of this one."""
    for figure in figures:
        old = before.get(figure.name)
        if old is None:
            continue
        ratio_before, ratio = old["ratio"], figure.ratio
        if ratio is not None and ratio_before is not None:
            yield _change(figure.name, ratio_before, ratio, is_ratio=True)
        else:
            yield _change(figure.name, old["value"], figure.value, is_ratio=False)


def _change(name: str, before: float, now: float, *, is_ratio: bool) -> Change:
    return Change(name, before, now, is_ratio, now / before if before else None)


def table(found: list[Change]) -> Table:
    """The changes for people; those beyond noise are marked."""
    shown = Table(title="Beside the earlier run", title_justify="left")
    for name in ("figure", "compared", "before", "now", "times", ""):
        shown.add_column(name, justify="left" if name in ("figure", "compared") else "right")
    for change in found:
        is_moved = change.times is not None and abs(change.times - 1) > NOISE
        shown.add_row(
            change.name,
            "ratio" if change.is_ratio else "value",
            f"{change.before:.3g}",
            f"{change.now:.3g}",
            "–" if change.times is None else f"{change.times:.2f}",
            "*" if is_moved else "",
        )
    return shown
