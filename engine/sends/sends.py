"""The life of an intended send.

    decided ──authorise──► handing_over ──settle──► sent | simulated (by a sandbox) | refused | unknown
       ▲                        │
       └───── retry (surely not sent), while it is worth a try (`engine.sends.retries`): then failed or withdrawn
       └───── not begun (it waited in line behind others): nothing has happened
    decided ──a stop, an opt-out, a full cap at authorisation──► withdrawn
       └── while its journey or action is paused it waits
    (a gate's no) ──► held

Every intended send ends in exactly one of these names, and its place under the caps goes with it: it is committed when
the hand-over is authorised, kept while the outcome is unknown, and released by everything else. A send is built from a
consent token that was read in the same turn; there is no other constructor. Texts and steps are those of the catalog
that its run entered under; whether it may go at all is for the one that stands (`engine.catalog.statuses`).
"""

from __future__ import annotations

from engine.catalog import statuses
from engine.catalog.compiled import Action, Step
from engine.consent import tokens
from engine.consent.tokens import ConsentToken
from engine.contact import consents
from engine.decide import draws, offers, placement_plan, scores
from engine.decide.gates import asking, service_mail
from engine.decide.gates.availability import UNKNOWN_ACTION
from engine.decide.gates.candidates import Candidates
from engine.effects import Dequeue, Enqueue
from engine.frequency import budgets, caps, fatigue
from engine.identity import holding
from engine.inputs import Authorise, Given, Settle
from engine.profile import Run, Send
from engine.sends import message, retries
from engine.turn_state import Turn
from engine.view import View
from engine.vocabulary import ARRIVED, NEVER_MS, SERVICE_CAP


def propose(turn: Turn, view: View, run: Run, step: Step, stopped: str = "") -> str | None:
    """Put a journey's send through the gates: None when it is decided, else the reason for which it is held. `stopped`
    is the reason of a stop that covers it already."""
    action = turn.catalog.of_version(run.version).actions.get(step.action)
    if action is None:
        return UNKNOWN_ACTION
    send_id = turn.id_of("send", turn.profile.id, run.id, step.id, run.occurrence)
    wanted = placement_plan.of_send(turn.catalog, step.channel, action, run.version)
    action = wanted.actions[0]
    place = caps.place_for(action, step.channel, send_id, turn.now_ms)
    candidates = Candidates.of(turn, view, wanted)
    candidates.run, candidates.stopped = run, stopped
    reason = asking.against_send(candidates)
    fields = {"channel": step.channel, "journey": run.journey, "run": run.id, "step": step.id, "action": action.id}
    if reason:
        if reason != run.held:  # a run that waits for the reason to change says so once
            also = [other for other in asking.objections(turn, view, wanted) if other != reason]
            detail = {"send": send_id, "worth": scores.worth(view, action), **({"also": also} if also else {})}
            detail |= asking.behind(view, action, reason)
            turn.note("send", f"{action.id} held", outcome="held", reason=reason, detail=detail, **fields)
        return reason
    token = tokens.token(turn, action.purpose, step.channel, action.tier)
    assert token is not None, "the consent gate lets nothing pass without consent"
    send = build(turn, token, action, run, step, send_id)
    caps.reserve(turn.profile, place)
    budgets.spend(turn, place)
    turn.profile.sends.append(send)
    turn.effects.append(Enqueue(send.id, send.waits_ms))
    offers.promise(turn, action, send.id, turn.now_ms + (action.offer.lasts_ms if action.offer else 0))
    points, terms = scores.score(turn, view, wanted, 0)
    detail = {"send": send.id, "basis": send.basis, "score": points, "terms": terms, "variant": send.variant}
    turn.note("send", f"{action.id} decided", outcome="decided", detail=detail, **fields)
    return None


def build(turn: Turn, token: ConsentToken, action: Action, run: Run, step: Step, send_id: str) -> Send:
    """A send, from the consent token of this very turn."""
    meant = (turn.profile.id, action.purpose, step.channel, action.tier)
    assert (token.profile, token.purpose, token.channel, token.tier) == meant
    assert token.read_ms == turn.now_ms, "a consent token is good for the turn that read it"
    return Send(
        id=send_id,
        run=run.id,
        journey=run.journey,
        step=step.id,
        action=action.id,
        variant=draws.variant_of(turn, action).id,
        channel=step.channel,
        tier=action.tier,
        purpose=action.purpose,
        basis=token.basis,
        version=run.version,
        decided_ms=turn.now_ms,
        trigger=run.trigger,
        round=action.round,
        public=run.public,
    )


def find(turn: Turn, send_id: str) -> Send | None:
    """An open send of this profile."""
    for send in turn.profile.sends:
        if send.id == send_id:
            return send
    return None


def reclaim(turn: Turn, asked: Authorise) -> bool:
    """A dispatcher that asks again has handed nothing over: as if it had not asked. Whether it was so."""
    send = find(turn, asked.send_id)
    if send is None or send.state != "handing_over" or send.dispatcher != asked.dispatcher:
        return False
    _forget_attempt(turn, send)
    return True


def authorise(turn: Turn, asked: Authorise) -> None:
    """Let a send go, or withdraw it: consent, suppression and caps are read anew, just before the hand-over."""
    send = find(turn, asked.send_id)
    if send is None or send.state != "decided":
        turn.answer({"authorised": False, "reason": "not waiting"})
        return
    reason = asking.against_departure(turn, send)
    if reason:
        withdraw(turn, send, reason)
        turn.answer({"authorised": False, "reason": reason})
        return
    if reason := statuses.send_waits(turn.catalog, send):
        _wait(turn, send, reason)
        return
    if _asks(turn, send):
        turn.answer({"authorised": False, "reason": "asks for room"})
        return
    place = caps.find(turn.profile, send.id)
    assert place is not None, "an open send holds a place"
    place.left_ms, was_ms = turn.now_ms, send.waits_ms
    send.attempts += send.state == "decided"  # asked again in line, it is the same attempt
    send.state, send.dispatcher = "handing_over", asked.dispatcher
    turn.effects.append(Enqueue(send.id, send.waits_ms, send.dispatcher, was_ms))
    turn.answer({"authorised": True, "message": message.of(turn, send)})


def settle(turn: Turn, said: Settle) -> None:
    """Write down what the provider said. Only a hand-over can be settled; a second word about it changes nothing."""
    send = find(turn, said.send_id)
    if send is None or send.state != "handing_over":
        return
    if said.outcome in ("retry", "not_begun"):
        if said.outcome == "retry":
            _try_again(turn, send, said.detail)
        else:
            _forget_attempt(turn, send)
        withdraw_without_consent(turn)
        return
    if said.outcome not in ARRIVED and said.outcome != "unknown":
        _release(turn, send)
    _close(turn, send, said.outcome, said.detail)


def withdraw(turn: Turn, send: Send, reason: str) -> None:
    """A decided send does not go after all; its place is free again."""
    assert send.state == "decided", "what is being handed over cannot be called back"
    _end_unsent(turn, send, "withdrawn", reason)


def put_off(turn: Turn, send: Send, until_ms: int) -> None:
    """A decided send waits in the outbox until then; NEVER_MS: until a pause ends."""
    was_ms, send.next_ms = send.waits_ms, until_ms
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))


def withdraw_without_consent(turn: Turn) -> None:
    """An opt-out takes effect in its own turn: what it forbids and has not left is withdrawn."""
    for send in [send for send in turn.profile.sends if send.state == "decided"]:
        if not consents.is_granted(turn.profile, turn.catalog, send.purpose, send.channel, send.tier):
            withdraw(turn, send, f"consent.{send.purpose}.{send.channel}")


def give_room(turn: Turn, told: Given) -> None:
    """Whoever counts for an address has given a send its place there, or has none."""
    send = find(turn, told.send)
    if send is None or send.state != "decided" or send.room == "given":
        return
    if not told.granted:
        withdraw(turn, send, f"cap.{SERVICE_CAP}")
        return
    was_ms, send.room, send.next_ms = send.waits_ms, "given", turn.now_ms
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))


def _asks(turn: Turn, send: Send) -> bool:
    """Whether a place has to be asked for first; the send waits meanwhile, and without an answer it asks again."""
    link = service_mail.counted_elsewhere(turn, send)
    if link is None:
        return False
    holding.ask(turn, send, link)
    was_ms = send.waits_ms
    send.state, send.dispatcher, send.room, send.next_ms = "decided", "", "asked", turn.now_ms + retries.FIRST_MS
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))
    return True


def _wait(turn: Turn, send: Send, reason: str) -> None:
    """Something is paused: it stays decided, and keeps its place."""
    place = caps.find(turn.profile, send.id)
    assert place is not None, "an open send holds a place"
    was_ms = send.waits_ms
    place.left_ms, send.state, send.dispatcher, send.room, send.next_ms = 0, "decided", "", "", NEVER_MS
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))
    _note(turn, send, "waits", reason)
    turn.answer({"authorised": False, "reason": reason})


def _forget_attempt(turn: Turn, send: Send) -> None:
    """It was authorised, and nothing has come of it."""
    send.attempts -= 1
    _put_back(turn, send, send.next_ms)


def _try_again(turn: Turn, send: Send, detail: str) -> None:
    """It surely did not leave: put it back, or end it where it is worth no further try."""
    next_ms = retries.next_try_ms(turn.catalog, send, turn.now_ms)
    if next_ms is None:
        is_over = retries.ends_with_its_action(turn.catalog, send)
        _end_unsent(turn, send, *(("withdrawn", "validity.over") if is_over else ("failed", detail)))
        return
    _put_back(turn, send, next_ms)
    _note(turn, send, "retry", detail)


def _put_back(turn: Turn, send: Send, next_ms: int) -> None:
    place = caps.find(turn.profile, send.id)
    assert place is not None, "an open send holds a place"
    place.left_ms, was_ms = 0, send.waits_ms
    send.state, send.dispatcher, send.room, send.next_ms = "decided", "", "", next_ms
    turn.effects.append(Enqueue(send.id, send.waits_ms, was_ms=was_ms))


def _end_unsent(turn: Turn, send: Send, outcome: str, reason: str) -> None:
    _release(turn, send)
    _close(turn, send, outcome, reason)


def _release(turn: Turn, send: Send) -> None:
    budgets.give_back(turn, caps.find(turn.profile, send.id))
    caps.release(turn.profile, send.id)


def _close(turn: Turn, send: Send, outcome: str, reason: str) -> None:
    if outcome in ARRIVED:
        fatigue.record_exposure(turn, turn.catalog.of_version(send.version).actions.get(send.action), "seen")
    elif outcome != "unknown":
        offers.withdraw(turn, send.id)
    turn.profile.sends.remove(send)
    turn.effects.append(Dequeue(send.id, outcome, send.waits_ms, send.variant))
    _note(turn, send, outcome, reason)


def _note(turn: Turn, send: Send, outcome: str, reason: str) -> None:
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
        detail={"send": send.id, "basis": send.basis},
    )
