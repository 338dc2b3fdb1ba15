"""What happens to a decided send: it is authorised just before its hand-over, settled by its provider's answer, or
withdrawn. Its states are a table (`engine.sends.life`).
"""

from __future__ import annotations

from engine.catalog import statuses
from engine.contact import addresses, consents
from engine.decide.gates import asking, guards
from engine.effects import Enqueue
from engine.frequency import at_addresses, caps, pace
from engine.identity import holding, lending
from engine.inputs import Authorise, Given, Settle
from engine.parts.of_identity import Link
from engine.profile import Place, Send
from engine.sends import ending, life, message, retries, webhooks
from engine.turn_state import Turn
from engine.vocabulary import ARRIVED, NEVER_MS, SERVICE_CAP


def find(turn: Turn, send_id: str) -> Send | None:
    """An open send of this profile."""
    for send in turn.profile.sends:
        if send.id == send_id:
            return send
    return None


def reclaim(turn: Turn, asked: Authorise) -> bool:
    """Undo an authorisation whose dispatcher asks again: it has handed nothing over. Returns whether the send has ended
    by that, because something stopped it meanwhile."""
    send = find(turn, asked.send_id)
    if send is None or send.state != "handing_over" or send.dispatcher != asked.dispatcher:
        return False
    _forget_attempt(turn, send, "ask again")
    if send.let_go:
        turn.answer({"authorised": False, "reason": send.let_go})
    return bool(send.let_go)


def authorise(turn: Turn, asked: Authorise) -> None:
    """Let a send go, or withdraw it: every gate with `refuse` is asked anew, just before the hand-over."""
    send = find(turn, asked.send_id)
    if send is None or send.state != "decided":
        turn.answer({"authorised": False, "reason": "not waiting"})
        return
    if webhooks.is_one(send):
        _authorise_call(turn, send, asked)
        return
    reason = asking.against_departure(turn, send)
    if reason:
        event = "expire" if reason == guards.DEADLINE else "withdraw"
        ending.end_unsent(turn, send, event, reason, **ending.counted(turn, send, reason))
        turn.answer({"authorised": False, "reason": reason})
        return
    # Asked after the gates, so that a send that has ended is withdrawn and does not wait.
    if reason := statuses.send_waits(turn.catalog, send):
        _wait(turn, send, reason)
        return
    if delay := asking.delay_of_departure(turn, send):
        _wait_until(turn, send, *delay)
        return
    place = caps.find(turn.profile, send.id)
    assert place is not None, "an open send holds a place"
    link = addresses.of_channel(turn.profile, turn.catalog, send.channel)
    if link is not None and (waiting := _waits_for_address(turn, send, place, link)):
        turn.answer({"authorised": False, "reason": waiting})
        return
    place.left_ms, was_ms = turn.now_ms, send.waits_ms
    life.advance(turn.profile, send, "authorise")
    send.attempts, send.dispatcher = send.attempts + 1, asked.dispatcher
    lending.tell_left(turn, send)
    pace.spend(turn, send.journey)
    turn.effects.append(Enqueue(send.id, send.waits_ms, send.dispatcher, was_ms))
    turn.answer({"authorised": True, "message": message.of(turn, send, link)})


def _authorise_call(turn: Turn, call: Send, asked: Authorise) -> None:
    """Let a call of another system go: it asks only whether its run may go on."""
    told = webhooks.message(turn, call)
    reason = statuses.send_ended(turn.catalog, call, turn.now_ms) or ("" if told else "journey.removed")
    if reason:
        ending.end_unsent(turn, call, "withdraw", reason)
        turn.answer({"authorised": False, "reason": reason})
        return
    if reason := statuses.send_waits(turn.catalog, call):
        _wait(turn, call, reason)
        return
    was_ms = call.waits_ms
    life.advance(turn.profile, call, "authorise")
    call.attempts, call.dispatcher = call.attempts + 1, asked.dispatcher
    turn.effects.append(Enqueue(call.id, call.waits_ms, call.dispatcher, was_ms))
    turn.answer({"authorised": True, "message": told})


def settle(turn: Turn, said: Settle) -> None:
    """Settle a hand-over by the provider's answer. A second answer changes nothing."""
    send = find(turn, said.send_id)
    if send is None or send.state != "handing_over":
        return
    if said.outcome in ("retry", "not_begun"):
        if said.outcome == "retry":
            _try_again(turn, send, said.detail)
        else:
            _forget_attempt(turn, send, "not_begun")
        return
    if said.outcome not in ARRIVED and said.outcome != "unknown":
        ending.release(turn, send)
    ending.close(turn, send, said.outcome, said.detail)


def withdraw(turn: Turn, send: Send, reason: str) -> None:
    """End a decided send that does not go after all; its place is free again."""
    ending.end_unsent(turn, send, "withdraw", reason)


def let_go(turn: Turn, send: Send, reason: str) -> None:
    """Withdraw a send; one that is being handed over as soon as it comes back, surely not sent."""
    if send.state == "decided":
        withdraw(turn, send, reason)
    elif not send.let_go:
        send.let_go = reason


def expire(turn: Turn, send: Send, reason: str) -> None:
    """End a decided send that is worthless by now; its place is free again."""
    ending.end_unsent(turn, send, "expire", reason)


def resume(turn: Turn, send: Send) -> None:
    """Make a decided send due now, because the pause that it waited for has ended."""
    life.advance(turn.profile, send, "resume")
    was_ms, send.next_ms = send.waits_ms, turn.now_ms
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))


def withdraw_without_consent(turn: Turn) -> None:
    """Withdraw the sends that have no consent any more: an opt-out takes effect in its own turn."""
    for send in [send for send in turn.profile.sends if not webhooks.is_one(send)]:
        if not consents.is_granted(turn.profile, turn.catalog, send.purpose, send.channel, send.tier):
            let_go(turn, send, f"consent.{send.purpose}.{send.channel}")


def give_room(turn: Turn, told: Given) -> None:
    """Take the answer of the profile that counts the messages to an address: a place for a send there, or none."""
    send = find(turn, told.send)
    if send is None or send.state != "decided" or send.room != "asked":
        return
    if told.address and not addresses.is_same_place(told.address, send.address):
        return  # it has asked elsewhere since
    if not told.granted and _goes_elsewhere(turn, send):
        _go_on(turn, send, "")
        return
    if not told.granted:
        ending.end_unsent(turn, send, "withdraw", told.reason or f"cap.{SERVICE_CAP}", **at_addresses.COUNTED)
        return
    send.given_ms = told.at_ms
    _go_on(turn, send, "given")


def _goes_elsewhere(turn: Turn, send: Send) -> bool:
    """Whether the address has changed since a send asked for room there."""
    link = addresses.of_channel(turn.profile, turn.catalog, send.channel)
    return link is None or not addresses.is_same_place(send.address, addresses.place(turn.catalog, link))


def go_on_answered(turn: Turn) -> None:
    """Make the sends due that waited for the answer of their address's place; they look again whether it has come."""
    for send in turn.profile.sends:
        if send.state == "decided" and send.room == "claimed":
            _go_on(turn, send, "")


def _go_on(turn: Turn, send: Send, room: str) -> None:
    life.advance(turn.profile, send, "get room")
    was_ms, send.room, send.next_ms = send.waits_ms, room, turn.now_ms
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))


def _waits_for_address(turn: Turn, send: Send, place: Place, link: Link) -> str:
    """The reason for which a send to an address has to wait, empty where it may leave: the words that bind the address
    may be on their way, or another profile counts for it and is asked for room. Where no answer comes it asks again."""
    place.address = address = addresses.place(turn.catalog, link)
    if not holding.is_registered(turn.profile, address):
        if address not in turn.profile.told:
            holding.register(turn, address)
        return _ask_later(turn, send, "claimed")
    if not lending.needs_room(turn, send, place, link, address):
        if send.address and not addresses.is_same_place(send.address, address):
            lending.give_back(turn, send)  # it asked for room at a former address
        return ""
    lending.ask(turn, send, place, link, address)
    return _ask_later(turn, send, "asked")


def _ask_later(turn: Turn, send: Send, room: str) -> str:
    life.advance(turn.profile, send, "ask for room")
    was_ms = send.waits_ms
    send.dispatcher, send.room, send.next_ms = "", room, turn.now_ms + retries.FIRST_MS
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))
    return "asks for room" if room == "asked" else "address not answered"


def _wait(turn: Turn, send: Send, reason: str) -> None:
    """Let a send wait for a pause to end: it stays decided, and keeps its place."""
    _has_not_left(turn, send)
    life.advance(turn.profile, send, "pause")
    was_ms = send.waits_ms
    send.dispatcher, send.room, send.next_ms = "", "", NEVER_MS
    lending.give_back(turn, send)
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))
    ending.note(turn, send, "waits", reason)
    turn.answer({"authorised": False, "reason": reason})


def _wait_until(turn: Turn, send: Send, reason: str, until_ms: int) -> None:
    """Let a send wait until a gate lets it leave: it stays decided, and keeps its place."""
    life.advance(turn.profile, send, "pause")
    was_ms, send.next_ms = send.waits_ms, until_ms
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))
    if reason == guards.PACE:
        pace.stand_in_line(turn, send.journey)
    ending.note(turn, send, "waits", reason)
    turn.answer({"authorised": False, "reason": reason})


def _forget_attempt(turn: Turn, send: Send, event: str) -> None:
    """Put a send back whose authorisation came to nothing: the attempt does not count."""
    send.attempts -= 1
    _put_back(turn, send, event, send.next_ms)


def _try_again(turn: Turn, send: Send, detail: str) -> None:
    """Put a send back that surely did not leave, or end it where no further try is worth it."""
    next_ms = retries.next_try_ms(turn.catalog, send, turn.now_ms)
    if next_ms is None:
        ending.end_unsent(turn, send, *_why_no_further_try(turn, send, detail))
        return
    ending.note(turn, send, "retry", detail)
    _put_back(turn, send, "retry", next_ms)


def _why_no_further_try(turn: Turn, send: Send, detail: str) -> tuple[str, str]:
    """The event that ends a send which is tried no more, and its reason."""
    if retries.ends_with_its_deadline(turn.catalog, send):
        return "expire", guards.DEADLINE
    is_over = retries.ends_with_its_action(turn.catalog, send)
    return ("outlive its action", "validity.over") if is_over else ("give up", detail)


def _put_back(turn: Turn, send: Send, event: str, next_ms: int) -> None:
    life.advance(turn.profile, send, event)
    _has_not_left(turn, send)
    was_ms = send.waits_ms
    send.dispatcher, send.room, send.next_ms = "", "", next_ms
    send.early = []  # it was said of a try that came to nothing
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))
    if send.let_go:
        withdraw(turn, send, send.let_go)


def _has_not_left(turn: Turn, send: Send) -> None:
    """The place of a send is reserved, and no more than that. A call of another system has none."""
    place = caps.find(turn.profile, send.id)
    assert place is not None or webhooks.is_one(send), "an open send holds a place"
    if place is not None:
        place.left_ms = 0
