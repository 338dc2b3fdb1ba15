"""Makes one profile of two that are surely one person, by likelihood or by the word of somebody who looked at them."""

from __future__ import annotations

from engine import limits
from engine.inputs import Merge
from engine.turn_state import Turn


def join(turn: Turn, other: str, confidence: float, source: str) -> bool:
    """Ask another profile to merge with this one. False where too many places point here already."""
    profile = turn.profile
    if other == profile.id or other in profile.held:
        return True
    if len(profile.held) >= limits.POINTERS_MAX:
        return False
    profile.held.append(other)
    profile.absorbing.append(other)
    turn.tell(other, Merge(to=profile.id))
    return True
