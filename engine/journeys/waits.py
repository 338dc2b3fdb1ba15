"""Which events count for a run that waits, by the event's own time.

    the step begins                                   its time is up
    ───────┼───────────────────────────────────────────────┼────────
    not yet            an event counts for the step           too late

A step begins when its run comes to it. After a trigger or an awaited event, that is the event's own time; after a timer
or a sent message, it is the clock of that turn. A wait that is reset begins anew with the event that reset it. So last
year's click, told today, answers nothing; and an event that was told before the run came there, but happened after the
step began, is not missed. An event whose time lies ahead counts from when it was heard. During a pause a step's time is
never up.

A segment and an outcome are states: a run that comes to a wait for one looks at what is so already.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Journey, Step
from engine.journeys import run_keys
from engine.profile import Run
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.vocabulary import NEVER_MS


def begin_with(turn: Turn, run: Run, event: Happened) -> None:
    """Begin the step that a run comes to, or waits at anew, with this event."""
    run.since_ms, run.since_seq = min(event.at_ms, turn.now_ms), event.seq


def begin_now(turn: Turn, run: Run) -> None:
    """Begin the step that a run comes to at the turn's clock."""
    run.since_ms, run.since_seq = turn.now_ms, turn.profile.seq


def is_reset(turn: Turn, journey: Journey, run: Run, step: Step, event: Happened) -> bool:
    """Whether an event that was just heard resets the wait that a run is at."""
    return event.name in step.reset_on and _counts(turn, run, event) and run_keys.is_about(journey, run, event)


def anew_ms(turn: Turn, run: Run, step: Step) -> int:
    """When a wait that is reset ends: `reset_until` after its first start at the latest, and never earlier than it
    would have ended without the reset."""
    run.began_ms = run.began_ms or turn.now_ms  # 0 in a run that was stored before waits had this bound
    was_ms = run.was_due_ms if run.due_ms == NEVER_MS else run.due_ms
    return max(was_ms, min(turn.now_ms + step.for_ms, run.began_ms + step.reset_until_ms))


def is_answered(turn: Turn, journey: Journey, run: Run, step: Step, event: Happened) -> bool:
    """Whether an event that was just heard is the one that a run waits for."""
    if not _is_awaited(run, step, event) or not _counts(turn, run, event):
        return False
    if step.outcomes:
        return event.properties.get("send") == awaited_send(run, step)
    return run_keys.is_about(journey, run, event)


def is_so(turn: Turn, run: Run, step: Step) -> bool:
    """Whether the segment or the outcome that a step awaits is so already."""
    if step.segment:
        return turn.view().is_in_segment(step.segment) == step.is_inside
    send = awaited_send(run, step) if step.outcomes else None
    return send is not None and any(
        known.send == send and known.outcome in step.outcomes for known in turn.profile.outcomes
    )


def awaited_send(run: Run, step: Step) -> str | None:
    """The send whose outcome a step awaits; None where the run has come to no such send."""
    return run.sent.get(step.of) if step.of else next(reversed(run.sent.values()), None)


def remember_send(journey: Journey, run: Run, step: Step, send_id: str) -> None:
    """Remember the newest send of a step, where its journey awaits outcomes."""
    if any(other.outcomes for other in journey.steps):
        run.sent.pop(step.id, None)
        run.sent[step.id] = send_id


def answer_on_record(turn: Turn, journey: Journey, run: Run, step: Step) -> Happened | None:
    """The earliest recent event that answers a `wait_for`, though it was told before the run came there, or to a
    profile that this one has absorbed; None without."""
    answers = [e for e in _on_record(turn, run) if _is_awaited(run, step, e) and run_keys.is_about(journey, run, e)]
    return answers[-1] if answers else None


def reset_on_record(turn: Turn, journey: Journey, run: Run, step: Step) -> Happened | None:
    """The newest recent event that resets a wait and was told to a profile that this one has absorbed."""
    resets = (e for e in _on_record(turn, run) if e.name in step.reset_on and run_keys.is_about(journey, run, e))
    return next(resets, None)


def _on_record(turn: Turn, run: Run) -> Iterator[Happened]:
    """The recent events that happened since a run came to its step and before its time was up, the newest first."""
    until_ms = min(turn.now_ms, run.due_ms or turn.now_ms)
    for event in turn.profile.history.newest():
        since = run.since_ms, run.since_seq
        if (event.at_ms, event.seq) <= since:
            return
        if (event.counts_ms, event.seq) > since and event.counts_ms <= until_ms:
            yield event


def _is_awaited(run: Run, step: Step, event: Happened) -> bool:
    awaited = step.event
    return awaited is not None and awaited.event == event.name and awaited.passes(event.properties, run.trigger)


def _counts(turn: Turn, run: Run, event: Happened) -> bool:
    """Whether an event happened while the run stood at its step."""
    happened_ms = min(event.at_ms, turn.now_ms)
    return (run.since_ms or run.trigger_ms) <= happened_ms <= run.due_ms
