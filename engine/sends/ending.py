"""The end of a decided send: what it held is given back or kept, and journeys hear of it."""

from __future__ import annotations

from collections.abc import Mapping

from engine.decide import offers
from engine.effects import Dequeue
from engine.frequency import at_addresses, budgets, caps, fatigue
from engine.identity import lending
from engine.profile import Send
from engine.sends import life, outcomes, touches, webhooks
from engine.turn_state import Turn
from engine.vocabulary import ARRIVED


def end_unsent(turn: Turn, send: Send, event: str, reason: str, **more: str) -> None:
    """End a send that surely does not reach the customer: its place is free again."""
    release(turn, send)
    close(turn, send, event, reason, **more)


def counted(turn: Turn, send: Send, reason: str) -> Mapping[str, str]:
    """What the timeline says beside the reason of a cap that is full at the address, and not for this person."""
    place = caps.find(turn.profile, send.id)
    if place is None or not turn.profile.lent or not reason.startswith("cap."):
        return {}
    is_full = any(caps.over_limit(turn.profile, turn.catalog, place, turn.now_ms))
    return {} if is_full else at_addresses.COUNTED


def release(turn: Turn, send: Send) -> None:
    """Give back its place, what it has cost of budgets, and the room at its address."""
    turn.makes_room = True
    budgets.give_back(turn, caps.find(turn.profile, send.id))
    caps.release(turn.profile, send.id)
    lending.give_back(turn, send)


def close(turn: Turn, send: Send, event: str, reason: str, **more: str) -> None:
    """Take a send to its end, and tell everybody who has to do with it."""
    place = caps.find(turn.profile, send.id)
    left_ms = (place.left_ms if place is not None else 0) or turn.now_ms
    outcome = life.advance(turn.profile, send, event)
    if outcome in ARRIVED:
        fatigue.record_exposure(turn, turn.catalog.of_version(send.version).actions.get(send.action), "seen")
    elif outcome != "unknown":  # a message that may have arrived binds us to its offer
        offers.withdraw(turn, send.id)
    turn.effects.append(Dequeue(send.id, outcome, send.waits_ms, send.variant))
    note(turn, send, outcome, reason, **more)
    if webhooks.is_one(send):
        return
    if outcome not in outcomes.LEFT:
        touches.take_off(turn.profile, send.run)
    outcomes.settled(turn, send, outcome, reason, left_ms if outcome in outcomes.LEFT else turn.now_ms)


def note(turn: Turn, send: Send, outcome: str, reason: str, **more: str) -> None:
    """Write into the timeline what became of a send."""
    if webhooks.is_one(send):
        webhooks.note(turn, send, outcome, reason)
        return
    turn.note(
        "send",
        f"{send.action} {outcome}",
        channel=send.channel,
        journey=send.journey,
        run=send.run,
        step=send.step,
        action=send.action,
        outcome=outcome,
        reason=reason,
        detail={"send": send.id, "basis": send.basis, **more},
    )
