"""Where a run parks: at a wait, with its timer, until that fires, starts anew, or moves. And how it ends by itself."""

from __future__ import annotations

from engine.catalog.compiled import Journey, Step
from engine.journeys import life, stops, waits
from engine.journeys.steps import moments
from engine.profile import Run
from engine.recent_events import Happened
from engine.turn_state import Turn
from engine.vocabulary import NEVER_MS


def program(turn: Turn, run: Run) -> Journey | None:
    """The journey that a run is in, in the version that it entered."""
    return turn.catalog.of_version(run.version).journeys.get(run.journey)


def finish(turn: Turn, run: Run, event: str, reason: str) -> None:
    """End a run that no stop ends, with a branch the run that it is of, and note why."""
    run = life.root_of(turn.profile, run)
    state = life.end(turn, run, event, stops.step_id(turn.catalog, run), reason)
    turn.note("journey", f"{run.journey} {state}", journey=run.journey, run=run.id, outcome=state, reason=reason)


def comes_to(turn: Turn, journey: Journey, run: Run, step: Step) -> bool:
    """Come to a `wait` or a `wait_for`: whether the run goes on in this turn. Else it parks there, or has ended."""
    return _comes_to_wait(turn, run, step) if step.kind == "wait" else _comes_to_wait_for(turn, journey, run, step)


def _comes_to_wait(turn: Turn, run: Run, step: Step) -> bool:
    """Come to a `wait`: whether the run goes on in this turn, because its moment is there."""
    due_ms, reason = turn.now_ms + step.for_ms, ""
    if step.until is not None:
        due_ms, reason = moments.of(turn, run, step.until, turn.now_ms)
        if {moments.NO_DATE: step.until.on_missing, moments.PAST: step.until.on_past}.get(reason) == "exit":
            finish(turn, run, "exit", reason)
            return False
    if due_ms <= turn.now_ms:
        run.position += 1
        return True
    run.began_ms = turn.now_ms
    life.wait(turn, run, due_ms, step.id, "set")
    return False


def _comes_to_wait_for(turn: Turn, journey: Journey, run: Run, step: Step) -> bool:
    """Come to a `wait_for`: whether what it awaits is there already."""
    answer = waits.answer_on_record(turn, journey, run, step)
    if answer is not None:
        waits.begin_with(turn, run, answer)
    elif not waits.is_so(turn, run, step):
        run.began_ms = turn.now_ms
        life.wait(turn, run, turn.now_ms + step.for_ms, step.id, "set")
        return False
    run.position = step.on_event
    return True


def has_moved(turn: Turn, run: Run) -> bool:
    """Whether the moment that a run waits for has moved away from its timer, which is set anew then."""
    journey = program(turn, run)
    if journey is None or run.position >= len(journey.steps):
        return False
    step = journey.steps[run.position]
    return step.until is not None and moments.moved(turn, run, step) > turn.now_ms and move(turn, run, step)


def move(turn: Turn, run: Run, step: Step) -> bool:
    """Wait until another moment, where the customer has moved to another zone or the date has changed. One that is over
    already is due at once."""
    due_ms = moments.moved(turn, run, step)
    if run.due_ms == NEVER_MS:
        run.was_due_ms = due_ms if run.was_due_ms or due_ms != run.due_ms else run.was_due_ms
        return False
    due_ms = max(due_ms, turn.now_ms)
    if due_ms == run.due_ms:
        return False
    life.wait(turn, run, due_ms, step.id, "reset")
    note_timer(turn, run, step.id, "waits anew", "reset")
    return True


def wait_anew(turn: Turn, run: Run, step: Step, event: Happened) -> None:
    due_ms = waits.anew_ms(turn, run, step)
    if step.kind == "wait":  # an answer to a `wait_for` that came before the reset, and is told after it, still counts
        waits.begin_with(turn, run, event)
    if due_ms <= turn.now_ms:  # the wait has ended during a pause, and is over when the pause is
        run.was_due_ms = due_ms
        return
    run.was_due_ms = 0
    life.wait(turn, run, due_ms, step.id, "reset")
    note_timer(turn, run, step.id, "waits anew", "reset")


def note_timer(turn: Turn, run: Run, step: str, what: str, outcome: str, reason: str = "") -> None:
    """Write into the timeline what became of a timer."""
    summary = f"{run.journey} {what}"
    turn.note("timer", summary, journey=run.journey, run=run.id, step=step, outcome=outcome, reason=reason)
