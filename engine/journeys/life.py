"""The life of a run, as a table. No other module sets a run's state, timer or end, or forgets a run.

A run walks only in the middle of a turn: at the turn's end it waits for its timer, is paused, or has ended. On disk the
states of a run that goes on are all `active`; its timer tells them apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from engine.profile import Profile, Run
from engine.transitions import BEGIN, Life
from engine.turn_state import Turn
from engine.vocabulary import NEVER_MS

RUN: Final = Life(
    "run",
    {
        (BEGIN, "enter"): "walking",
        ("walking", "wait"): "waiting",
        ("walking", "pause"): "paused",
        ("walking", "complete"): "completed",
        ("walking", "exit"): "exited",
        ("walking", "stop"): "stopped",
        ("waiting", "go on"): "walking",
        ("waiting", "wait"): "waiting",  # anew
        ("waiting", "pause"): "paused",
        ("waiting", "exit"): "exited",  # its timer came too late
        ("waiting", "stop"): "stopped",
        ("paused", "resume"): "waiting",
        ("paused", "wait"): "waiting",
        ("paused", "stop"): "stopped",
        ("completed", "forget"): BEGIN,
        ("exited", "forget"): BEGIN,
        ("stopped", "forget"): BEGIN,
    },
)


def state_of(run: Run) -> str:
    """Where a run is in its table."""
    if run.state != "active":
        return run.state
    if not run.due_ms:
        return "walking"
    return "paused" if run.due_ms == NEVER_MS else "waiting"


def enter(profile: Profile, run: Run) -> None:
    """A run begins: from now on it is one of the profile's."""
    RUN.after(BEGIN, "enter")
    profile.runs.append(run)


def wait(turn: Turn, run: Run, due_ms: int, step: str, cause: str) -> None:
    """Park a run at a step until `due_ms`; that replaces its timer. `cause` is the cause of the timer's effects."""
    RUN.after(state_of(run), "resume" if cause == "resumed" else "wait")
    turn.set_timer(run, due_ms, step, cause)


def pause(turn: Turn, run: Run, step: str) -> None:
    """Park a run at a step until a pause ends."""
    RUN.after(state_of(run), "pause")
    turn.set_timer(run, NEVER_MS, step, "paused")


def go_on(turn: Turn, run: Run, step: str, cause: str) -> None:
    """Let a parked run walk again, without its timer; one that walks goes on walking."""
    if run.due_ms:
        RUN.after(state_of(run), "go on")
        turn.drop_timer(run, step, cause)


def end(turn: Turn, run: Run, event: str, step: str, reason: str) -> str:
    """End a run and drop its timer; returns the state that it ends in."""
    ended = RUN.after(state_of(run), event)
    turn.drop_timer(run, step, "cancelled")
    run.state, run.ended_ms, run.ended_by = ended, turn.now_ms, reason
    return ended


def forget(profile: Profile, runs: Collection[Run]) -> None:
    """Remove ended runs that nobody asks for any more."""
    gone = {run.id for run in runs if RUN.after(state_of(run), "forget")}
    profile.runs[:] = [run for run in profile.runs if run.id not in gone]


def move(profile: Profile, arriving: Iterable[Run]) -> None:
    """Take in the runs of an absorbed profile; each goes on where it is."""
    profile.runs.extend(arriving)


def part(profile: Profile, runs: Iterable[Run]) -> None:
    """Give a profile the runs that are its own after a split; each goes on where it is."""
    profile.runs[:] = runs
