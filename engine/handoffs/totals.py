"""Sums over the hand-offs of all customers, which add up over shards, and the table that people read of them.

A row is a way (from a touchpoint into another) with the identifier that linked it. Durations are counted by their first
three digits, so a quantile is at most half a percent beside the true one, and exact for durations that people name (20
minutes, 2 seconds). Where there are very many different ones, two digits have to do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from engine.catalog.identity_rules import IdentityRules
from engine.handoffs.changes import READY, goal_of
from engine.handoffs.touchpoints import OTHER

ROWS_MAX: Final = 200
_DIFFERENT_MAX: Final = 400  # durations of a row; more of them are kept more coarsely

Way = tuple[str, str, str]


class Row(msgspec.Struct, array_like=True):
    """The hand-offs of one way. `carried` counts how often something came along, `took` and `ready` are durations in
    milliseconds with how often there was each; `asked` were under a goal, `met` of them got what it asks for, and
    `missed` counts what it was that the others did not get."""

    count: int = 0
    carried: dict[str, int] = {}
    took: dict[int, int] = {}
    ready: dict[int, int] = {}
    asked: int = 0
    met: int = 0
    missed: dict[str, int] = {}

    def add(self, told: Mapping[str, Any]) -> None:
        """One hand-off, as its entry in the timeline tells it."""
        self.count += 1
        _count(self.carried, dict.fromkeys(told["carried"], 1))
        self.took = _bounded(self.took, {told["tookMs"]: 1})
        self.ready = _bounded(self.ready, {told["readyMs"]: 1})
        if "goal" in told:
            self.asked += 1
            self.met += not told["missed"]
            _count(self.missed, dict.fromkeys(told["missed"], 1))

    def join(self, other: Row) -> None:
        """Add the sums of another shard, or of another identifier."""
        self.count, self.asked, self.met = self.count + other.count, self.asked + other.asked, self.met + other.met
        _count(self.carried, other.carried)
        _count(self.missed, other.missed)
        self.took, self.ready = _bounded(self.took, other.took), _bounded(self.ready, other.ready)


def way_of(told: Mapping[str, Any], known: Mapping[Way, Row]) -> Way:
    """The row of a hand-off; a common one for all ways that came when there was no more room."""
    way = (told["from"], told["into"], told["by"])
    return way if way in known or len(known) < ROWS_MAX else (OTHER, OTHER, OTHER)


def table(shards: Iterable[Mapping[Way, Row]], rules: IdentityRules) -> list[dict[str, Any]]:
    """The rows of all shards together, the most frequent way first, with today's goal for each."""
    whole: dict[Way, Row] = {}
    for rows in shards:
        for way, row in rows.items():
            whole.setdefault(way, Row()).join(row)
    order = sorted(whole.items(), key=lambda each: (-each[1].count, each[0]))
    return [_shown(way, row, rules) for way, row in order]


def _shown(way: Way, row: Row, rules: IdentityRules) -> dict[str, Any]:
    goal = goal_of(rules, way[0], way[1])
    carried = sorted(row.carried.items(), key=lambda each: (-each[1], each[0]))
    return {
        "from": way[0],
        "into": way[1],
        "by": way[2],
        "count": row.count,
        "carried": {name: round(count / row.count, 3) for name, count in carried},
        "tookMs": _quantiles(row.took),
        "readyMs": _quantiles(row.ready),
        "goal": None if goal is None else goal.id,
        "requiredMs": None if goal is None else goal.ready_ms,
        "met": round(row.met / row.asked, 3) if row.asked else None,
        "missed": {_spelled(name): count for name, count in sorted(row.missed.items())},
    }


def _spelled(missed: str) -> str:
    return "late" if missed == READY else missed


def _quantiles(durations: Mapping[int, int]) -> dict[str, int]:
    return {"p50": quantile(durations, 0.5), "p95": quantile(durations, 0.95)}


def quantile(durations: Mapping[int, int], share: float) -> int:
    """The least duration that at least this share of all does not exceed; 0 where there are none."""
    wanted, seen = share * sum(durations.values()), 0
    for duration in sorted(durations):
        seen += durations[duration]
        if seen >= wanted:
            return duration
    return 0


def _count(sums: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        sums[name] = sums.get(name, 0) + count


def _bounded(durations: Mapping[int, int], more: Mapping[int, int]) -> dict[int, int]:
    """Both together, by three digits, or by two where there would be too many."""
    sums = Counter(durations)
    for duration, count in more.items():
        sums[_rounded(duration, 3)] += count
    if len(sums) > _DIFFERENT_MAX:
        coarse = Counter[int]()
        for duration, count in sums.items():
            coarse[_rounded(duration, 2)] += count
        sums = coarse
    return dict(sums)


def _rounded(duration_ms: int, digits: int) -> int:
    step = int("1" + "0" * (len(str(duration_ms)) - digits))
    return (duration_ms + step // 2) // step * step
