"""The gates that guard a journey's messages: after a deadline they are worthless, and a run sends only so many."""

from __future__ import annotations

from typing import Final

from engine.decide.gates.candidates import Candidates, Departure

DEADLINE: Final = "journey.deadline"
TOUCHES: Final = "journey.touches"


def in_time(candidates: Candidates, alive: int) -> int:
    """Drop a journey's send after the deadline of its step or its journey."""
    is_late = 0 < candidates.deadline_ms <= candidates.turn.now_ms
    return alive ^ candidates.drop(DEADLINE, alive) if is_late else alive


def is_in_time(leaving: Departure) -> str | None:
    """A decided send is worthless after its deadline."""
    return DEADLINE if 0 < leaving.send.deadline_ms <= leaving.turn.now_ms else None


def within_touches(candidates: Candidates, alive: int) -> int:
    """Drop a journey's send whose run has sent as many messages as it may."""
    return alive ^ candidates.drop(TOUCHES, alive) if candidates.touches_left == 0 else alive
