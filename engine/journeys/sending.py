"""A run at its `send` step: a message is decided, perhaps awaited, and the next channel is tried where it fails.

    decided ──► left ──► opened, clicked, visited: the run goes on
       │         ├────► bounced ──────────────────────► the next channel
       │         └────► silent for so long ───────────► the next channel
       ├──► refused, withdrawn ───────────────────────► the next channel
       └──► not handed over for so long: withdrawn ───► the next channel

A run waits only where its step has a `fallback` that needs it and there is a next channel. It has one timer meanwhile:
before the message has left, for when its provider counts as down, and then for when the customer counts as silent. Each
reason must be one that the fallback names; for any other the run goes on behind the step.
"""

from __future__ import annotations

from typing import Final, Literal

from engine.catalog import statuses
from engine.catalog.compiled import Step
from engine.frequency import caps
from engine.handoffs import touchpoints
from engine.journeys import life, pauses, stops, waits
from engine.journeys.steps import parking
from engine.profile import Run, Send
from engine.recent_events import Happened
from engine.sends import ladder, outcomes, proposal, sends
from engine.sends.proposal import Held
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS, NEVER_MS

Heard = Literal["", "on", "next"]

# How long a send waits for its reason to change, or to be handed over, before its run goes on without it.
_HELD_MAX_MS: Final = 30 * DAY_MS
_PAGES: Final = frozenset(("Page Viewed", "Screen Viewed"))
_VISITED: Final = frozenset((touchpoints.WEB, "app"))


def send(turn: Turn, run: Run, step: Step) -> bool:
    """Decide the send that a run has come to; whether the run goes on in this turn."""
    is_first = not run.tried
    if not is_first and not ladder.has_next(run, step.sending):
        return _go_on(turn, run, step)
    run.held_ms = run.held_ms or turn.now_ms
    stopped = {name: stops.of_send(turn, run, name) for name in step.sending.actions}
    proposed = proposal.propose(turn, turn.view(trigger=run.trigger), run, step, stopped=stopped)
    if isinstance(proposed, Held):
        return _hold(turn, run, step, proposed, is_stopped=all(stopped.values()), is_first=is_first)
    _remember(turn, run, step, proposed.id)
    if run.due_ms:  # the run has waited for this message
        life.go_on(turn, run, step.id, "cancelled")
    run.held = ""
    if not step.sending.awaits:
        return _go_on(turn, run, step)
    run.tried.append(proposed.channel)
    if not ladder.has_next(run, step.sending):
        return _go_on(turn, run, step)
    run.awaits = proposed.id
    life.wait(turn, run, _settled_by_ms(turn, proposed, step), step.id, "set")
    return False


def react(turn: Turn, run: Run, step: Step, event: Happened) -> bool:
    """Let a run hear of its message, or of the customer's visit; whether it goes on in this turn."""
    heard = _hear(turn, run, step, event)
    if not heard:
        return False
    if heard == "next":
        run.awaits = ""
    else:
        waits.begin_with(turn, run, event)
    if statuses.paused(turn.catalog, run.journey):
        run.is_met = heard == "on"
        pauses.wait(turn, run, step.id)
        return False
    life.go_on(turn, run, step.id, "cancelled")
    if heard == "on":
        _leave(run)
    return True


def react_to_history(turn: Turn, run: Run, step: Step) -> bool:
    """`react` after a merge, by what the history holds by now."""
    if not run.awaits:
        return False
    for event in turn.profile.history.newest():
        if event.at_ms <= run.held_ms:
            return False
        if _hear(turn, run, step, event) == "on":
            return react(turn, run, step, event)
    return False


def time_is_up(turn: Turn, run: Run, step: Step, *, is_met: bool) -> None:
    """The timer of a run that is parked at its send has fired. A held send is looked at again by the walk."""
    if is_met:
        _leave(run)
    elif run.awaits:
        sent = sends.find(turn, run.awaits)
        if sent is None:
            _after_silence(turn, run, step)
        else:
            _while_not_settled(turn, run, step, sent)


def _hold(turn: Turn, run: Run, step: Step, held: Held, *, is_stopped: bool, is_first: bool) -> bool:
    """Park a run whose message may not go now, or let it go on without."""
    if held.reason == statuses.OF_ACTION["paused"]:  # whatever `on_held` says, because a pause is meant to end
        run.held = held.reason
        pauses.wait(turn, run, step.id)
        return False
    waits_for_it = step.on_held == "wait" and not held.drops and ladder.may_change(held.reason)
    # What names a time is waited for at least once, however long another reason has held the message before.
    has_time = turn.now_ms - run.held_ms < _HELD_MAX_MS or (held.parks and run.held != held.reason)
    if not is_stopped and (held.parks or waits_for_it) and has_time:
        run.held = held.reason
        again_ms = _retry_ms(turn, held)
        again_ms = min(again_ms, proposal.deadline_ms(turn, run, step) or again_ms)
        life.wait(turn, run, max(again_ms, turn.now_ms + 1), step.id, "reset" if run.due_ms else "set")
        return False
    if is_first:
        _remember(turn, run, step, proposal.id_of(turn, run, step))
    if is_first and step.on_held == "exit":
        _come_to_the_end(turn, run, step)
        parking.finish(turn, run, "exit", held.reason)
        return False
    return _go_on(turn, run, step, has_waited=bool(run.due_ms) or not is_first)


def _remember(turn: Turn, run: Run, step: Step, send_id: str) -> None:
    """Remember the newest send of a step, for steps that wait for what becomes of it."""
    journey = parking.program(turn, run)
    if journey is not None:
        waits.remember_send(journey, run, step, send_id)


def _retry_ms(turn: Turn, held: Held) -> int:
    """When to look at a held send again if nothing happens before: when a gate lets one of its messages go or a cap has
    room for one, else in a day."""
    profile, catalog, now_ms = turn.profile, turn.catalog, turn.now_ms
    full = [cap for cap in catalog.caps if f"cap.{cap.id}" in held.reasons]
    known = [held.until_ms] if held.until_ms else []
    return min([*known, *(caps.frees_at(profile, catalog, cap, now_ms) for cap in full)], default=now_ms + DAY_MS)


def _go_on(turn: Turn, run: Run, step: Step, *, has_waited: bool = True) -> bool:
    """Leave the step: a message was sent, or none could be."""
    if has_waited:  # time has passed since the run came here
        waits.begin_now(turn, run)
    _come_to_the_end(turn, run, step)
    run.position += 1
    return True


def _come_to_the_end(turn: Turn, run: Run, step: Step) -> None:
    _reset(run)
    life.go_on(turn, run, step.id, "cancelled")


def _leave(run: Run) -> None:
    _reset(run)
    run.position += 1


def _reset(run: Run) -> None:
    run.held, run.held_ms, run.awaits, run.tried = "", 0, "", []
    run.occurrence += 1


def _settled_by_ms(turn: Turn, sent: Send, step: Step) -> int:
    """When a run looks at last after a message that it has decided: by then the provider counts as down. Where that is
    no reason, the message has come to its end by then, unless something keeps it from being tried."""
    if step.sending.down_ms:
        return sent.decided_ms + step.sending.down_ms
    channel = turn.catalog.channels.get(sent.channel)
    return turn.now_ms + HOUR_MS + (channel.retry_for_ms if channel is not None else DAY_MS)


def _while_not_settled(turn: Turn, run: Run, step: Step, sent: Send) -> None:
    """The provider has not taken the message by now. What it is being given now cannot be called back."""
    if turn.now_ms - run.held_ms >= _HELD_MAX_MS:
        _leave(run)
    elif sent.state == "handing_over":
        life.wait(turn, run, turn.now_ms + MINUTE_MS, step.id, "set")
    elif not sent.attempts and turn.now_ms < sent.next_ms < NEVER_MS and step.sending.down_ms:
        # Nobody has tried yet: a gate keeps it back until then, and no provider is down.
        life.wait(turn, run, sent.next_ms + step.sending.down_ms, step.id, "set")
    elif sent.next_ms == NEVER_MS or not step.sending.down_ms:
        life.wait(turn, run, _settled_by_ms(turn, sent, step) + turn.now_ms - sent.decided_ms, step.id, "set")
    else:
        sends.expire(turn, sent, "down")
        run.awaits = ""


def _after_silence(turn: Turn, run: Run, step: Step) -> None:
    """The customer has done nothing for so long, or a bounce comes no more."""
    silent_ms, left_ms = step.sending.silent_ms, outcomes.left_ms(turn.profile, run.awaits)
    if silent_ms and turn.now_ms >= left_ms + silent_ms:
        turn.note(
            "send",
            "no reaction: the next channel",
            outcome="silent",
            journey=run.journey,
            run=run.id,
            step=step.id,
            channel=run.tried[-1],
            detail={"send": run.awaits},
        )
        run.awaits = ""
    else:
        _leave(run)


def _hear(turn: Turn, run: Run, step: Step, event: Happened) -> Heard:
    """What an event means for the message that a run awaits."""
    sending = step.sending
    if event.name != outcomes.OUTCOME:
        left_ms = outcomes.left_ms(turn.profile, run.awaits) if sending.silent_ms and _is_visit(turn, event) else 0
        return "on" if 0 < left_ms <= event.counts_ms else ""
    told = event.properties
    if told["send"] != run.awaits:
        return ""
    outcome = told["outcome"]
    if outcome in outcomes.LEFT:
        return _has_left(turn, run, step, event)
    if outcome in outcomes.ENGAGED:
        return "on"
    if outcome == "bounced":
        return "next" if outcome in sending.falls_on and _in_time(turn, run, step, event) else ""
    if outcome in ("refused", "failed", "withdrawn", "expired"):
        words = {"refused": "refused", "failed": "down", "withdrawn": ladder.word_of(told["reason"])}
        return "next" if words.get(outcome) in sending.falls_on else "on"
    return ""


def _in_time(turn: Turn, run: Run, step: Step, bounce: Happened) -> bool:
    """Whether a message bounced within the time that the step gives it for that."""
    return bounce.counts_ms <= outcomes.left_ms(turn.profile, run.awaits) + step.sending.bounced_ms


def _has_left(turn: Turn, run: Run, step: Step, event: Happened) -> Heard:
    """The message has left: from now on the customer is awaited, or a bounce."""
    left_ms = outcomes.left_ms(turn.profile, run.awaits) or event.at_ms
    awaited_ms = step.sending.silent_ms or step.sending.bounced_ms
    if not awaited_ms or (step.sending.silent_ms and _has_visited(turn, left_ms)):
        return "on"
    due_ms = max(left_ms + awaited_ms, turn.now_ms + 1)
    if run.due_ms == NEVER_MS:
        run.was_due_ms = due_ms
    else:
        life.wait(turn, run, due_ms, step.id, "reset")
    return ""


def _has_visited(turn: Turn, since_ms: int) -> bool:
    """Whether a customer came before the provider had answered."""
    for event in turn.profile.history.newest():
        if event.at_ms < since_ms:
            return False
        if event.counts_ms >= since_ms and _is_visit(turn, event):
            return True
    return False


def _is_visit(turn: Turn, event: Happened) -> bool:
    """Whether a customer was on a page or in the app."""
    if event.name in _PAGES:
        return True
    return touchpoints.kinds_of(turn.catalog).get(event.channel, ("", False))[0] in _VISITED
