"""What each of two profiles gets back of how often they were written to."""

from __future__ import annotations

from engine.frequency.fatigue import leave_to_both
from engine.splitting.case import Case, mapping
from engine.splitting.sides import Side


def fatigue(case: Case, name: str) -> None:
    """Both are as tired as they were together. It is noted, so that it counts once where they are one again."""
    mapping(lambda *_: Side.BOTH)(case, name)
    for key, level in case.now.fatigue.items():
        if case.after.fatigue.get(key) != level:
            both = leave_to_both(level, case.merge_id)
            case.mine.fatigue[key] = case.theirs.fatigue[key] = both
