"""What a profile forgets at the end of a turn, because no rule asks for it any more."""

from __future__ import annotations

from engine.frequency import at_addresses, caps
from engine.journeys import triggers
from engine.journeys.things import interests
from engine.likeness import links
from engine.sends import outcomes
from engine.turn_state import Turn


def forget_old(turn: Turn) -> None:
    """Drop what is too old to count: places under caps, likely links, interests, ended runs, outcomes of sends."""
    profile = turn.profile
    caps.forget_old(turn)
    at_addresses.forget_old(profile, turn.catalog, turn.now_ms)
    if profile.likely:
        links.expire(turn)
    if profile.interests:
        interests.forget_old(turn)
    triggers.forget_ended(turn)
    if profile.outcomes:
        outcomes.forget_old(turn)
