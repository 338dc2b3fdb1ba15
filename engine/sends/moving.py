"""A decided message that waits for the end of quiet hours looks again when its customer moves: it may leave where they
are now, or has to wait there."""

from __future__ import annotations

from engine.contact import whereabouts
from engine.contact.whereabouts import Whereabouts
from engine.decide.gates import quiet
from engine.decide.gates.candidates import Departure
from engine.profile import Send
from engine.sends import sends, webhooks
from engine.turn_state import Turn


def where(turn: Turn) -> Whereabouts | None:
    """Where a customer is before an event is heard; None where no message of theirs waits."""
    if not turn.catalog.quiet_hours.rules or not any(_waits(turn, send) for send in turn.profile.sends):
        return None
    return whereabouts.of(turn.profile, turn.catalog)


def look_again(turn: Turn, before: Whereabouts | None) -> None:
    """Make the messages due that waited for the morning where their customer was, if they are elsewhere now."""
    if before is None or whereabouts.of(turn.profile, turn.catalog) == before:
        return
    for send in turn.profile.sends:
        if _waits(turn, send) and not webhooks.is_one(send) and quiet.is_waited_for(Departure.of(turn, send), before):
            sends.resume(turn, send)


def _waits(turn: Turn, send: Send) -> bool:
    return send.state == "decided" and turn.now_ms < send.next_ms
