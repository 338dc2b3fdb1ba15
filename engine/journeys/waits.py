"""What an event says to a run that waits, by the event's own time.

    the step begins                                   its time is up
    ───────┼───────────────────────────────────────────────┼────────
    not yet            an event counts for the step           too late

A step begins with what brought the run there: with its trigger or an event that it waited for, at that event's own
time; with a timer or a message that was sent, at the clock of that turn. A wait that starts anew begins with the event
that did so. So last year's click, told today, answers nothing, and what was told before it, but happened later, is not
missed. Nothing happens after it has been heard: a time ahead counts as the clock. In a pause a step's time is never up.
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
    """The step that a run comes to, or waits at anew, begins with this event."""
    run.since_ms, run.since_seq = min(event.at_ms, turn.now_ms), event.seq


def begin_now(turn: Turn, run: Run) -> None:
    """The step that a run comes to begins at the turn's clock."""
    run.since_ms, run.since_seq = turn.now_ms, turn.profile.seq


def is_reset(turn: Turn, journey: Journey, run: Run, step: Step, event: Happened) -> bool:
    """Whether an event that is just heard starts the wait anew that a run is at."""
    return event.name in step.reset_on and _counts(turn, run, event) and run_keys.is_about(journey, run, event)


def anew_ms(turn: Turn, run: Run, step: Step) -> int:
    """When a wait that starts anew is over: `reset_until` from its first start at the latest, and never earlier than
    it is over now."""
    run.began_ms = run.began_ms or turn.now_ms  # of a run that was kept before its waits were bounded
    was_ms = run.was_due_ms if run.due_ms == NEVER_MS else run.due_ms
    return max(was_ms, min(turn.now_ms + step.for_ms, run.began_ms + step.reset_until_ms))


def is_answered(turn: Turn, journey: Journey, run: Run, step: Step, event: Happened) -> bool:
    """Whether an event that is just heard is the one that a run waits for."""
    return _is_awaited(run, step, event) and _counts(turn, run, event) and run_keys.is_about(journey, run, event)


def answer_on_record(turn: Turn, journey: Journey, run: Run, step: Step) -> Happened | None:
    """The first recent event by which a run goes on from a step, though it was told before the run came there, or to
    somebody whom this customer has absorbed; None without."""
    answers = [e for e in _on_record(turn, run) if _is_awaited(run, step, e) and run_keys.is_about(journey, run, e)]
    return answers[-1] if answers else None


def reset_on_record(turn: Turn, journey: Journey, run: Run, step: Step) -> Happened | None:
    """The newest recent event that starts a wait anew and was told to somebody whom this customer has absorbed."""
    resets = (e for e in _on_record(turn, run) if e.name in step.reset_on and run_keys.is_about(journey, run, e))
    return next(resets, None)


def _on_record(turn: Turn, run: Run) -> Iterator[Happened]:
    """The recent events that happened while a run has stood at its step, the newest first."""
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
