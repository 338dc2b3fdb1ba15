"""The summary of a simulated history: counts and lines from the effects of its turns, and how two histories differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from engine.audit import Entry
from engine.catalog.compiled import Catalog
from engine.effects import DropTimer, Effect, Note, SetTimer
from engine.readings.instants import iso
from engine.values import money
from engine.vocabulary import ARRIVED
from serve.simulation.letters import Letters

Counts = Mapping[str, Any]

_TIMERS = ("set", "reset", "fired", "cancelled")
# The word for a send's outcome in a line. `decided` is its decision; the other outcomes cannot happen in a sandbox.
_SEND_KINDS = {"decided": "decision", "sent": "send", "simulated": "send", "held": "held", "withdrawn": "withdrawn"}
# A run that ends by itself is completed, whether it came to its last step or to an exit before.
_JOURNEY_WORDS = {"entered": "entered", "completed": "completed", "exited": "completed"}


@dataclass(slots=True)
class Silence:
    """The sends that one rule held back."""

    held: int = 0
    only: int = 0
    worth_minor: float = 0.0
    customers: set[str] = field(default_factory=set)

    def add(self, profile: str, entry: Entry) -> None:
        """Count one send that was held back."""
        self.held += 1
        self.only += not entry.detail.get("also")
        self.worth_minor += entry.detail.get("worth", 0.0)
        self.customers.add(profile)

    def told(self) -> dict[str, Any]:
        """These counts as the report has them."""
        return {
            "held": self.held,
            "onlyReason": self.only,
            "customers": len(self.customers),
            "costMinor": round(self.worth_minor),
        }


class Summary:
    """An observer of turns. Lines of one profile are in the order of its effects, so the number of shards and the
    batches make no difference."""

    def __init__(self, catalog: Catalog, *, keep_lines: bool = False, letters: Letters | None = None) -> None:
        self._letters, self._texts = letters, dict[int, dict[str, str]]()
        self.currency = catalog.currency
        self.sends_of: Counter[str] = Counter()  # by profile, before any later merge
        self._sends: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._silence: defaultdict[str, Silence] = defaultdict(Silence)
        self._withdrawn = self._stops = 0
        self._timers = dict.fromkeys(_TIMERS, 0)
        self._journeys = {name: {"entered": 0, "completed": 0, "stopped": 0} for name in catalog.journeys}
        self._lines: list[tuple[int, str, int, str, str, str, str, str, str]] | None = [] if keep_lines else None

    def observe(self, profile: str, now_ms: int, effects: list[Effect]) -> None:
        """Count the effects of one turn."""
        for effect in effects:
            if isinstance(effect, Note):
                self._note(profile, now_ms, effect.entry)
            elif isinstance(effect, SetTimer | DropTimer):
                self._timer(profile, now_ms, effect)

    def summary(self, events: int, profiles: int) -> dict[str, Any]:
        """The counts in the contract's shape."""
        return {
            "events": events,
            "profiles": profiles,
            "sends": dict(sorted(self._sends.items())),
            "held": dict(sorted(self._held.items())),
            "withdrawn": self._withdrawn,
            "stops": self._stops,
            "timers": dict(self._timers),
            "journeys": self._journeys,
        }

    def silence(self) -> dict[str, dict[str, Any]]:
        """The sends that were held back, by rule: how many, how many of them no other rule would have held back, of how
        many customers, and the value that they were expected to bring (minor units)."""
        return {reason: found.told() for reason, found in sorted(self._silence.items())}

    def lines(self) -> Iterator[dict[str, str]]:
        """What happened, by (time, profile, sequence)."""
        names = ("kind", "journey", "step", "action", "channel", "reason")
        for at_ms, profile, number, *told in sorted(self._lines or []):
            filled = {name: text for name, text in zip(names, told, strict=True) if text}
            yield {"at": iso(at_ms), "profileId": profile, **filled, **self._texts.get(number, {})}

    def _note(self, profile: str, now_ms: int, entry: Entry) -> None:
        if entry.kind == "send" and entry.outcome in _SEND_KINDS:
            self._send(profile, entry)
            self._line(profile, now_ms, _SEND_KINDS[entry.outcome], entry)
        elif entry.kind == "stop" and entry.outcome == "stopped":
            self._stops += 1
            self._journeys_of(entry)["stopped"] += 1
            self._line(profile, now_ms, "stop", entry)
        elif entry.kind == "decision":
            self._line(profile, now_ms, "decision", entry)
        elif entry.kind == "journey" and entry.outcome in _JOURNEY_WORDS:
            self._journeys_of(entry)[_JOURNEY_WORDS[entry.outcome]] += 1

    def _send(self, profile: str, entry: Entry) -> None:
        if entry.outcome in ARRIVED:
            self._sends[entry.channel] += 1
            self.sends_of[profile] += 1
        elif entry.outcome == "held":
            self._held[entry.reason] += 1
            self._silence[entry.reason].add(profile, entry)
        elif entry.outcome == "withdrawn":
            self._withdrawn += 1

    def _timer(self, profile: str, now_ms: int, effect: SetTimer | DropTimer) -> None:
        """Count a timer. A reset is a drop and a set, and counts once. A timer that moves with its profile does not
        count."""
        if effect.cause in _TIMERS and not (isinstance(effect, DropTimer) and effect.cause == "reset"):
            self._timers[effect.cause] += 1
            if self._lines is not None:
                told = ("timer", effect.journey, effect.step, "", "", effect.cause)
                self._lines.append((now_ms, profile, len(self._lines), *told))

    def _line(self, profile: str, now_ms: int, kind: str, entry: Entry) -> None:
        if self._lines is not None:
            if kind == "send" and self._letters is not None:
                self._texts[len(self._lines)] = self._letters.next(profile, entry.action, entry.channel)
            told = (kind, entry.journey, entry.step, entry.action, entry.channel, entry.reason)
            self._lines.append((now_ms, profile, len(self._lines), *told))

    def _journeys_of(self, entry: Entry) -> dict[str, int]:
        return self._journeys.setdefault(entry.journey, {"entered": 0, "completed": 0, "stopped": 0})


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


def table(title: str, columns: list[str], summaries: list[Counts]) -> Table:
    """Counts beside one another, one row each; rows that are 0 everywhere are left out, but for the totals."""
    made = Table("", *columns, title=title, title_justify="left", box=None, pad_edge=False)
    for column in made.columns[1:]:
        column.justify = "right"
    rows: dict[str, list[int]] = {}
    for position, summary in enumerate(summaries):
        for name, count in _flat(summary):
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
