"""Steps that no run comes to, arms of branches that nobody takes, and waits for what a stop hears first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.catalog.problems import Loc
from engine.catalog.schema.steps import BranchStep, WaitStep
from engine.catalog.triggers import Trigger
from engine.clashes.programs.known import heard_by_a_stop
from engine.clashes.programs.reach import Closed, Reach
from engine.clashes.programs.ways import following
from engine.clashes.programs.workspace import Program
from engine.clashes.single.doubts import Doubt

_UNHEARD: Final = "never acts"


def unreachable_steps(program: Program, reach: Reach) -> Iterator[Doubt]:
    """The first of each stretch of steps that nobody comes to, and why."""
    if reach.closed_to_all:
        loc: Loc = ("when",) if program.journey.when is not None else ("trigger",)
        message = f"nobody can enter: {reach.closed_to_all}"
        yield Doubt("not_entered", program.file, loc, message, program.id)
    elif reach.is_whole:
        told = [*_shut(program, reach), *_behind_ends(program, reach), *_unheard(program, reach)]
        yield from sorted(told, key=lambda doubt: str(doubt.loc))


def _shut(program: Program, reach: Reach) -> Iterator[Doubt]:
    """Ways that somebody comes to and nobody goes."""
    for way in reach.shut():
        found = _place(program, reach, way)
        if found is not None:
            loc, what = found
            step = program.steps[way.at]
            message = f"{what}: {way.why}"
            if what == _UNHEARD and heard_by_a_stop(program, step) is not None:
                yield Doubt("unheard", program.file, loc, message, program.id, step.id, step.event)
            else:
                yield Doubt("unreachable", program.file, loc, message, program.id, step.id)


def _place(program: Program, reach: Reach, way: Closed) -> tuple[Loc, str] | None:
    """Where a way that nobody goes stands in the file, and what that means; None where nothing stands there."""
    step, loc = program.steps[way.at], program.places.get(way.at, ())
    written = program.written.get(way.at)
    if isinstance(written, BranchStep) and way.arm is not None:
        if way.arm >= 0:
            return (*loc, "branch", way.arm, "when"), "never holds here"
        last = len(written.branch) - 1
        return ((*loc, "branch", last), "is never taken") if written.branch[last].else_ else None
    if step.kind == "wait_for" and way.to == step.on_event and way.to != step.on_timeout:
        return (*loc, "wait_for", "segment" if step.segment else "event"), _UNHEARD
    return _next_step(program, reach, way.to)


def _next_step(program: Program, reach: Reach, at: int) -> tuple[Loc, str] | None:
    while at < len(program.steps) and program.steps[at].kind == "jump":
        at = program.steps[at].target
    is_lost = at in program.places and at not in reach.earliest_ms
    return (program.places[at], "is never reached") if is_lost else None


def _behind_ends(program: Program, reach: Reach) -> Iterator[Doubt]:
    """Steps that nothing leads to, because the one before always ends the run."""
    inner = ("jump", "join")  # they lead somewhere only where a run comes to them
    led_to = {0}.union(
        *(
            following(step, at)
            for at, step in enumerate(program.steps)
            if step.kind not in inner or at in reach.earliest_ms
        )
    )
    numbers = {loc: at for at, loc in program.places.items()}
    for at, loc in program.places.items():
        if at not in led_to and at not in reach.earliest_ms:
            before = numbers[(*loc[:-1], loc[-1] - 1)] if isinstance(loc[-1], int) else -1
            if before in reach.earliest_ms:
                message = "is never reached: the step before it always ends the run"
                yield Doubt("unreachable", program.file, loc, message, program.id, program.steps[before].id)


def _unheard(program: Program, reach: Reach) -> Iterator[Doubt]:
    """Events that should start a wait anew, and that a stop ends the run on before."""
    for at, written in program.written.items():
        word = "wait" if isinstance(written, WaitStep) else "wait_for"
        wait = getattr(written, word, None)
        for event in wait.reset_on if wait is not None and at in reach.earliest_ms else ():
            stop = next((each for each in program.endings if each.event == event and not each.tests), None)
            if stop is not None:
                message = f"{_UNHEARD}: the stop {stop.id} ends the run on the {event!r} that reset_on waits for"
                loc = (*program.places[at], word, "reset_on")
                step, heard = program.steps[at].id, Trigger.on_any(event)
                yield Doubt("unheard", program.file, loc, message, program.id, step, heard)
