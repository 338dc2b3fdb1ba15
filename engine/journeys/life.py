"""The life of a run, as a table. No other module sets a run's state, timer or end, or forgets a run.

A run walks only in the middle of a turn: at the turn's end it waits for its timer, is paused, waits for its branches
(`joining`), or has ended. On disk the states of a run that goes on are all `active`; its timer and its branches tell
them apart. A run that ends takes its branches with it.
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
        ("walking", "leave"): "exited",  # a branch, with the run that it is of
        ("walking", "fork"): "joining",
        ("joining", "join"): "walking",
        ("joining", "complete"): "completed",  # one of its branches has come to the end of the journey
        ("joining", "exit"): "exited",
        ("joining", "stop"): "stopped",
        ("joining", "leave"): "exited",
        ("waiting", "go on"): "walking",
        ("waiting", "wait"): "waiting",  # anew
        ("waiting", "pause"): "paused",
        ("waiting", "exit"): "exited",  # its timer came too late
        ("waiting", "stop"): "stopped",
        ("waiting", "leave"): "exited",
        ("paused", "resume"): "waiting",
        ("paused", "wait"): "waiting",
        ("paused", "stop"): "stopped",
        ("paused", "leave"): "exited",
        ("completed", "forget"): BEGIN,
        ("exited", "forget"): BEGIN,
        ("stopped", "forget"): BEGIN,
    },
)


def state_of(run: Run) -> str:
    """Where a run is in its table."""
    if run.state != "active":
        return run.state
    if run.branches:
        return "joining"
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


def fork(run: Run, position: int, branches: int) -> None:
    """Let a run wait at a join for its branches, without a timer."""
    RUN.after(state_of(run), "fork")
    run.position, run.branches = position, branches


def join(run: Run) -> None:
    """Let a run walk on from its join."""
    RUN.after("joining", "join")
    run.branches = run.came = 0


def end(turn: Turn, run: Run, event: str, step: str, reason: str) -> str:
    """End a run with its branches, and drop their timers; returns the state that it ends in."""
    ended = RUN.after(state_of(run), event)
    for branch in branches_of(turn.profile, run):
        _close(turn, branch, RUN.after(state_of(branch), "stop" if event == "stop" else "leave"), step, reason)
    _close(turn, run, ended, step, reason)
    return ended


def _close(turn: Turn, run: Run, ended: str, step: str, reason: str) -> None:
    turn.drop_timer(run, step, "cancelled")
    run.state, run.branches, run.ended_ms, run.ended_by = ended, 0, turn.now_ms, reason


def branches_of(profile: Profile, run: Run) -> list[Run]:
    """The active branches of a run, and theirs."""
    if not run.branches:
        return []
    own = [each for each in profile.runs if each.parent == run.id and each.state == "active"]
    return [*own, *(inner for each in own for inner in branches_of(profile, each))]


def parent_of(profile: Profile, branch: Run) -> Run:
    """The run that a branch is of."""
    return next(run for run in profile.runs if run.id == branch.parent)


def root_of(profile: Profile, run: Run) -> Run:
    """The run that entered the journey: itself, or the one that a branch is of in the end."""
    while run.parent and run.state == "active":
        run = parent_of(profile, run)
    return run


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
