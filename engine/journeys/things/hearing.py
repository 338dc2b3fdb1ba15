"""What a fact about a thing does to a customer who is interested in it: it starts journeys, as an event would. It is no
event of the customer's, so no history remembers it."""

from __future__ import annotations

from engine.catalog import inner_events
from engine.inputs import Fact
from engine.journeys import listening
from engine.recent_events import Happened
from engine.turn_state import Turn


def hear(turn: Turn, told: Fact) -> None:
    """Start the journeys that this fact triggers for this customer."""
    profile = turn.profile
    if profile.is_blank:  # nobody lives here any more
        return
    profile.seq += 1
    about = inner_events.of_thing(told.kind, told.id, told.event, told.properties)
    at_ms = min(told.at_ms, turn.now_ms)
    listening.hear(turn, Happened(at_ms, profile.seq, inner_events.THING, about, told.fact))
