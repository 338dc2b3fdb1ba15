"""Walks runs through their journeys. A wait is a stored timer; the next step is looked up when the timer fires.

Within a turn all runs are advanced until each is parked, ended, or at a send. The sends that have come up are
arbitrated together (tier, score, id), each passes the same gates as any decision, and the walk goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from engine.catalog import statuses
from engine.catalog.compiled import Step
from engine.journeys import life, pauses, refusals, sending, stops, waits
from engine.journeys.steps import forks, parking, passing
from engine.profile import Run
from engine.recent_events import Happened
from engine.sends import proposal
from engine.turn_state import Turn
from engine.vocabulary import MINUTE_MS

_IN_TIME_MS = MINUTE_MS  # a timer that fires so late is still in time: its shard was busy, not down
_STEPS_MAX = 1_000  # of a run in one turn: a circle that waits for nothing must not hang a shard


def walk(turn: Turn, runs: Iterable[Run]) -> None:
    """Advance runs until none can go on in this turn."""
    waiting = list(runs)
    while waiting:
        proposals = _proposals(turn, waiting)
        # The best send is decided first: it may take the last room under a cap that several of them share.
        proposals.sort(key=lambda proposed: (proposal.rank(turn, *proposed), proposed[0].id))
        waiting = [run for run, step in proposals if run.state == "active" and sending.send(turn, run, step)]


def _proposals(turn: Turn, runs: Iterable[Run]) -> list[tuple[Run, Step]]:
    """The sends that runs come to, with those of the branches that they fork into, and of runs that have joined."""
    walking, proposals = deque(runs), list[tuple[Run, Step]]()
    while walking:
        run = walking.popleft()
        step = _advance(turn, run, walking)
        if step is not None:
            proposals.append((run, step))
    return proposals


def resume_due(turn: Turn, at_ms: int) -> None:
    """Fire every timer of this profile that is due at exactly `at_ms`, in (run, step) order."""
    due = [run for run in turn.profile.runs if run.state == "active" and run.due_ms == at_ms]
    due.sort(key=lambda run: (run.id, run.position))
    for run in due:
        if run.state != "active":
            continue  # it was a branch, and another one has ended the run
        step = stops.step_id(turn.catalog, run)
        reason = statuses.paused(turn.catalog, run.journey)
        if reason:
            parking.note_timer(turn, run, step, "waits", "paused", reason)
            pauses.wait(turn, run, step, at_ms)
            continue
        if run.begins:
            run.begins = False
            life.go_on(turn, run, step, "fired")
            parking.note_timer(turn, run, step, "goes on", "fired")
            continue
        if not run.begins and parking.has_moved(turn, run):
            continue
        too_late = _too_late(turn, run, turn.now_ms - at_ms)
        if too_late is not None:
            parking.finish(turn, run, "exit", too_late)
            continue
        life.go_on(turn, run, step, "fired")
        parking.note_timer(turn, run, step, "goes on", "fired")
        if not run.is_met:  # where it is, the event that came during the pause has begun the next step already
            waits.begin_now(turn, run)
        _leave(turn, run, timed_out=not run.is_met)
    walk(turn, [run for run in due if not run.due_ms])


def _too_late(turn: Turn, run: Run, late_ms: int) -> str | None:
    """The reason for which a late timer ends its run; None where the run goes on."""
    journey = parking.program(turn, run)
    if journey is None or run.position >= len(journey.steps):
        return None
    step = journey.steps[run.position]
    if step.late == "drop" and late_ms > step.late_ms:
        return "timer.late"
    if step.late == "coalesce" and late_ms > _IN_TIME_MS and _newer_is_overdue(turn, run):
        return "timer.coalesced"
    return None


def _newer_is_overdue(turn: Turn, run: Run) -> bool:
    """Whether a newer timer of the same journey is overdue too: the newest one fires for all of them."""
    return any(
        other.journey == run.journey
        and other.state == "active"
        and 0 < other.due_ms <= turn.now_ms
        and (other.due_ms, other.id) > (run.due_ms, run.id)
        for other in turn.profile.runs
    )


def react(turn: Turn, event: Happened) -> list[Run]:
    """Reset waits and answer `wait_for` steps of parked runs by a new event. Returns the runs that go on."""
    moving = []
    for run in turn.profile.runs:
        if run.state != "active" or not run.due_ms or run.begins:
            continue
        journey = parking.program(turn, run)
        if journey is None:
            continue
        step = journey.steps[run.position]
        if step.kind == "wait_for" and waits.is_answered(turn, journey, run, step, event):
            if _answer(turn, run, step, event):
                moving.append(run)
        elif step.kind == "send" and run.awaits:
            if sending.react(turn, run, step, event):
                moving.append(run)
        elif step.reset_on and waits.is_reset(turn, journey, run, step, event):
            parking.wait_anew(turn, run, step, event)
        elif step.until is not None:
            parking.move(turn, run, step)
        elif step.kind == "send" and not statuses.waits(turn.catalog, run):
            moving.append(run)  # held with `on_held: wait`: any event may have changed the reason
    return moving


def react_to_history(turn: Turn) -> list[Run]:
    """`react` after a merge: the events of both sides count for the waits of both. Returns the runs that go on."""
    moving = []
    for run in turn.profile.runs:
        journey = parking.program(turn, run)
        if run.state != "active" or not run.due_ms or not run.since_ms or journey is None or run.begins:
            continue
        step = journey.steps[run.position]
        if step.kind == "wait" and (event := waits.reset_on_record(turn, journey, run, step)):
            parking.wait_anew(turn, run, step, event)
        if step.until is not None:
            parking.move(turn, run, step)
        if step.kind == "send" and sending.react_to_history(turn, run, step):
            moving.append(run)
        if step.kind == "wait_for":
            answer = waits.answer_on_record(turn, journey, run, step)
            if answer is not None and _answer(turn, run, step, answer):
                moving.append(run)
    return moving


def _answer(turn: Turn, run: Run, step: Step, event: Happened) -> bool:
    """Let a run go on from its `wait_for`, or remember the answer during a pause; whether it goes on in this turn."""
    if run.is_met:
        return False
    waits.begin_with(turn, run, event)
    if statuses.paused(turn.catalog, run.journey):
        run.is_met = True
        pauses.wait(turn, run, step.id)
        return False
    life.go_on(turn, run, step.id, "cancelled")
    _leave(turn, run, timed_out=False)
    return True


def held_runs(turn: Turn) -> list[Run]:
    """Runs parked at a held send, without those that wait for a pause to end."""
    parked = [run for run in turn.profile.runs if run.state == "active" and run.due_ms and _is_held(turn, run)]
    return [run for run in parked if not statuses.waits(turn.catalog, run)]


def _advance(turn: Turn, run: Run, walking: deque[Run]) -> Step | None:
    """Walk one run to its next send; None where it parks, forks, joins or ends before one. Runs that walk because of it
    are put to those that are `walking`."""
    journey = parking.program(turn, run)
    if run.state != "active" or run.branches:
        return None
    if journey is None:
        parking.finish(turn, run, "exit", "journey.removed")
        return None
    for _ in range(_STEPS_MAX):
        if run.parent and run.position == run.ends_at:
            walking += forks.arrive(turn, journey, run)
            return None
        if run.position >= len(journey.steps):
            parking.finish(turn, run, "complete", "end")
            return None
        step = journey.steps[run.position]
        match step.kind:
            case "send":
                if statuses.paused(turn.catalog, run.journey):
                    pauses.wait(turn, run, step.id)
                    return None
                return step
            case "wait" | "wait_for":
                if not parking.comes_to(turn, journey, run, step):
                    return None
            case "parallel":
                branches = forks.fork(turn, run, step)
                if not branches:
                    parking.finish(turn, run, "exit", refusals.NO_ROOM)
                walking += branches
                return None
            case "exit":
                parking.finish(turn, run, "exit", step.reason or "exit")
                return None
            case _:
                run.position = passing.next_position(turn, run, step)
    parking.finish(turn, run, "exit", "limit.steps")
    return None


def _leave(turn: Turn, run: Run, *, timed_out: bool) -> None:
    """Move past the step that a run was parked at."""
    journey = parking.program(turn, run)
    if journey is None:
        return
    step, run.is_met = journey.steps[run.position], False
    if step.kind == "send":
        sending.time_is_up(turn, run, step, is_met=not timed_out)
    elif step.kind == "wait":
        run.position += 1
    elif step.kind == "wait_for":
        run.position = step.on_timeout if timed_out else step.on_event
    elif turn.catalog.of_version(run.version).version == run.version:
        # In another version than a run entered, its position may be any step.
        raise AssertionError(f"no way out of a {step.kind}")


def _is_held(turn: Turn, run: Run) -> bool:
    """Whether a parked run waits at its send for a reason to change, and not for the outcome of its message."""
    journey = parking.program(turn, run)
    if journey is None or run.position >= len(journey.steps) or run.awaits:
        return False
    return journey.steps[run.position].kind == "send"
