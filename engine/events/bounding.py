"""What ends each turn: what is old is forgotten, so that a profile stays within its bounds."""

from __future__ import annotations

from engine.events import history
from engine.frequency import at_addresses, caps
from engine.inputs import AnyInput, Decide, Revive, Split
from engine.journeys import triggers
from engine.journeys.things import interests
from engine.likeness import links
from engine.sends import outcomes
from engine.turn_state import Turn


def bound(turn: Turn, told: AnyInput) -> None:
    """Forget what no rule and nobody asks for any more."""
    profile = turn.profile
    # A decision adds no event, and somebody waits for it. Who was split has still to be counted.
    if not isinstance(told, Decide | Split | Revive):
        history.bound(turn)
    caps.forget_old(turn)
    at_addresses.forget_old(profile, turn.catalog, turn.now_ms)
    if profile.likely:
        links.expire(turn)
    if profile.interests:
        interests.forget_old(turn)
    triggers.forget_ended(turn)
    if profile.outcomes:
        outcomes.forget_old(turn)
