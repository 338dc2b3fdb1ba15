"""What a fact about a thing does to a customer who is interested in it: it starts journeys, as an event would. It is no
event of the customer's, so no history remembers it."""

from __future__ import annotations

from typing import Any, Final

from engine.catalog.inner_events import THING
from engine.inputs import Fact
from engine.journeys import interpreter, stops, triggers
from engine.recent_events import Happened
from engine.turn_state import Turn

OF_THE_FACT: Final = ("kind", "id", "event")  # beside its properties, under these names


def hear(turn: Turn, told: Fact) -> None:
    """Start the journeys that this fact triggers for this customer."""
    profile = turn.profile
    if profile.is_blank:  # nobody lives here any more
        return
    profile.seq += 1
    about: dict[str, Any] = {**told.properties, "kind": told.kind, "id": told.id, "event": told.event}
    happened = Happened(min(told.at_ms, turn.now_ms), profile.seq, THING, about, told.fact)
    stops.apply(turn, happened)
    moving = interpreter.react(turn, happened)
    interpreter.walk(turn, [*moving, *triggers.enter(turn, happened)])
