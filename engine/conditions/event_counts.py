"""Counts how often something happened to a customer: in recent events, and in what is kept of older ones.

Older events count by the newest times that were kept of them, or by the details (`engine.events.history`). An event
counts while its time is later than the start of its window, and later than the newest event that undoes it: a refund
takes back every purchase before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from engine.conditions.event_atoms import EventAtom, how_many
from engine.conditions.readable import Readable


@dataclass(frozen=True, slots=True)
class EventCount:
    """The question of a condition's part `event`: did `atom` happen at least `least` and at most `most` times (None:
    any number) in the last `within` milliseconds, since `undoing` last happened? `enough` matches decide it."""

    least: int
    most: int | None
    enough: int
    within: float
    atom: EventAtom
    undoing: EventAtom | None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> EventCount:
        """From a tree's part: `{name, count?, within?, where?, undone_by?}`."""
        bounds = body.get("count") or {"at_least": 1}
        least, most = bounds.get("at_least", 0), bounds.get("at_most")
        enough = least if most is None else most + 1
        atom = EventAtom.of(body["name"], body.get("where"), enough, body.get("open", ""))
        undo = body.get("undone_by")
        undoing = EventAtom.of(undo["name"], undo.get("where"), 1, undo.get("open", "")) if undo else None
        return cls(least, most, enough, body.get("within", inf), atom, undoing)

    @property
    def atoms(self) -> frozenset[EventAtom]:
        """The atoms that it counts."""
        return frozenset((self.atom,) if self.undoing is None else (self.atom, self.undoing))

    def since_ms(self, view: Readable) -> float:
        """The time after which events count; −inf: all count."""
        since_ms = view.now_ms - self.within
        return since_ms if self.undoing is None else max(since_ms, _newest_ms(view, self.undoing))

    def times_since(self, view: Readable, since_ms: float) -> int:
        """How many events count. Of older ones only as many are known as decide the condition."""
        count = how_many(view.times(self.atom), since_ms)
        if view.profile.spilled:
            older = _older(view, self.atom)
            count += len(older) - bisect_right(older, since_ms)
        return count

    def turns_ms(self, view: Readable) -> int | None:
        """The earliest instant after now at which the answer changes by the mere passing of time, because an event
        leaves the window; None where none will. Of older events as many are known as decide it."""
        if self.within == inf:
            return None
        times = view.times(self.atom)
        if view.profile.spilled:
            times = [*times, *reversed(_older(view, self.atom))]
        count = how_many(times, self.since_ms(view))
        # From the answer yes, the least-th newest must leave; from a no because of too many, the one behind the most.
        places = [place for place in (self.least - 1, self.most) if place is not None and 0 <= place < count]
        return min((times[place] + int(self.within) for place in places), default=None)


def _older(view: Readable, atom: EventAtom) -> Sequence[int]:
    """The times of the events that are not recent, oldest first."""
    if atom.open:
        details = view.profile.details.get(atom.open, ())
        return [detail.at_ms for detail in details if atom.where(detail.properties)]
    return view.profile.tallies.get(atom.digest, ())


def _newest_ms(view: Readable, atom: EventAtom) -> float:
    return max((*view.times(atom)[:1], *_older(view, atom)[-1:]), default=-inf)
