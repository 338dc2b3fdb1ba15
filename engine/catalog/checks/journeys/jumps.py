"""Checks where jumps lead: to a step that there is, within their own arm of a `parallel`, and never round a circle in
which no time passes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.problems import Loc
from engine.catalog.programs.instructions import Step
from engine.catalog.programs.layout import flatten
from engine.catalog.programs.walking import Located, blocks, every_step
from engine.catalog.schema.steps import GotoStep, ParallelStep


def jump_problems(steps: Located) -> Iterator[tuple[Loc, str]]:
    """The place of each jump that cannot be, with the reason."""
    jumps = [(loc, step) for loc, step in every_step(steps) if isinstance(step, GotoStep)]
    if not jumps:
        return
    arms = dict(_arms(steps, ()))
    names = {step.name: arms[loc] for loc, step in every_step(steps) if step.name is not None}
    faults = [((*loc, "goto"), fault) for loc, step in jumps if (fault := _fault(step, names, arms[loc]))]
    yield from faults
    if not faults:
        yield from _circles(steps, jumps)


def _fault(step: GotoStep, names: Mapping[str, Loc], arm: Loc) -> str:
    if step.goto not in names:
        return f"no step of this journey is called {step.goto!r}{did_you_mean(step.goto, names)}"
    if names[step.goto] != arm:
        return f"cannot lead to {step.goto!r}: a jump stays within its own arm of a parallel"
    return ""


def _arms(steps: Located, arm: Loc) -> Iterator[tuple[Loc, Loc]]:
    """The arm of a `parallel` that each step is in, by the place of its first step; empty outside of all."""
    for loc, step in steps:
        yield loc, arm
        for block in blocks(loc, step):
            yield from _arms(block, block[0][0] if isinstance(step, ParallelStep) else arm)


def _circles(steps: Located, jumps: list[tuple[Loc, GotoStep]]) -> Iterator[tuple[Loc, str]]:
    """Jumps that lead back to themselves, and on no way there has a run to wait."""
    program = flatten([step for _, step in steps])
    places = [place for place, step in enumerate(program) if step.kind == "goto"]
    for (loc, step), place in zip(jumps, places, strict=True):
        if place in _reached_at_once(program, program[place].target):
            message = f"goes round in a circle: a run comes back from {step.goto!r} and has waited for nothing"
            yield (*loc, "goto"), f"{message}; put a wait between them"


def _reached_at_once(program: tuple[Step, ...], start: int) -> set[int]:
    """The instructions that a run can come to from one of them in the same turn."""
    reached, waiting = set[int](), [start]
    while waiting:
        place = waiting.pop()
        if place < len(program) and place not in reached:
            reached.add(place)
            waiting += _next_at_once(program[place], place)
    return reached


def _next_at_once(step: Step, place: int) -> list[int]:
    match step.kind:
        case "wait" | "exit":
            return []
        case "wait_for":  # an event answers once; a segment and an outcome answer as often as they are asked
            return [step.on_event] if step.segment or step.outcomes else []
        case "branch":
            return [step.target, *(target for _, target in step.arms)]
        case "split":
            return [target for _, _, target in step.shares]
        case "parallel":
            return [target for _, target in step.branches]
        case "goto":
            return [step.target, place + 1]
        case "jump":
            return [step.target]
        case _:
            return [place + 1]
