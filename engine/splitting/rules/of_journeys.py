"""What each of two profiles gets back of what journeys keep beside their runs."""

from __future__ import annotations

from typing import Final

from engine.journeys.things.interests import order
from engine.parts.of_journeys import Interest, SendOutcome, Watched
from engine.splitting.case import Case, Rule, listing
from engine.splitting.sides import Side


def watched(case: Case, name: str) -> None:
    """Both begin with what was watched of the two as one, so that they enter and leave what the split changes. No timer
    wakes the other yet."""
    now = case.now.watched
    case.mine.watched = now
    case.theirs.watched = None if now is None else Watched(now.looked, {**now.inside}, {**now.occasions})


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
