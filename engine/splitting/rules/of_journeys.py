"""What each of two profiles gets back of what journeys keep beside their runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.journeys.things.interests import order
from engine.parts.of_journeys import Interest, SendOutcome, Watched
from engine.splitting.case import Case, Rule, listing
from engine.splitting.sides import Side
from engine.splitting.three_way import parted


def watched(case: Case, name: str) -> None:
    """Each begins with what was watched of it before, and is then looked at anew: who was in a segment is in it still,
    and a time that has come for one of them comes for the other. What both as one have entered, left or met since, both
    have. Where the rules are others by now, both begin with what was watched of the two as one. No timer wakes either
    of them yet."""
    case.mine.watched = _watched(case, case.before.watched)
    case.theirs.watched = _watched(case, case.other.watched)


def _watched(case: Case, own: Watched | None) -> Watched | None:
    now, after = case.now.watched, case.after.watched
    if _is_the_same(now, after):
        return own if own is None else Watched(own.looked, own.inside, own.occasions)
    if now is None:
        return None
    if own is None or after is None or own.looked != now.looked:
        return Watched(now.looked, {**now.inside}, {**now.occasions})
    return Watched(
        own.looked,
        _three_way(now.inside, after.inside, own.inside),
        _three_way(now.occasions, after.occasions, own.occasions),
    )


def _is_the_same(now: Watched | None, after: Watched | None) -> bool:
    if now is None or after is None:
        return now is after
    return (now.looked, now.inside, now.occasions) == (after.looked, after.inside, after.occasions)


def _three_way(now: Mapping[str, int], after: Mapping[str, int], own: Mapping[str, int]) -> dict[str, int]:
    return parted(now, after, own, {}, lambda *_: Side.MINE)[0]


def _thing(interest: Interest) -> str:
    return interest.thing


def _owner(case: Case, interest: Interest) -> Side:
    """An interest goes with the event that made it."""
    return case.owner_at(interest.at_ms, "interests", interest.thing)


INTERESTS: Final[Rule] = listing(_thing, _owner, order)


def _both(case: Case, outcome: SendOutcome) -> Side:
    return Side.BOTH


OUTCOMES: Final[Rule] = listing(
    lambda row: (row.send, row.outcome), _both, lambda row: (row.at_ms, row.send, row.outcome)
)
