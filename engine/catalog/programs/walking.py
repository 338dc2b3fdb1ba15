"""Walks through the steps of a journey as they are written, with the steps within steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.catalog.problems import Loc
from engine.catalog.schema.steps import (
    AnyStep,
    BranchStep,
    Goto,
    GotoStep,
    ParallelStep,
    SplitStep,
    Steps,
    WaitForStep,
)

Located = list[tuple[Loc, AnyStep]]


def located(steps: Sequence[AnyStep], loc: Loc) -> Located:
    """The steps of a list that stands at `loc`, each with its own place."""
    return [((*loc, i), step) for i, step in enumerate(steps)]


def blocks(loc: Loc, step: AnyStep) -> Iterator[Located]:
    """The lists of steps within a step that stands at `loc`, in the order of the program."""
    match step:
        case BranchStep():
            for i, arm in enumerate(step.branch):
                yield located(arm.steps, (*loc, "branch", i, "steps"))
        case SplitStep():
            for name in step.split.arms:
                yield located(step.split.steps.get(name, []), (*loc, "split", "steps", name))
        case ParallelStep():
            for name, steps in step.parallel.arms.items():
                yield located(steps, (*loc, "parallel", "arms", name))
        case WaitForStep():
            for word in ("on_event", "on_timeout"):
                yield _behind(getattr(step.wait_for, word), (*loc, "wait_for", word))
        case _:
            return


def steps_behind(ending: str | Goto | Steps) -> Sequence[AnyStep]:
    """The steps that a `wait_for` leads to when it ends in this way, before what is written behind it."""
    if isinstance(ending, Goto):
        return [GotoStep(goto=ending.goto, at_most=ending.at_most)]
    return ending.steps if isinstance(ending, Steps) else []


def _behind(ending: str | Goto | Steps, loc: Loc) -> Located:
    steps = steps_behind(ending)
    return [(loc, step) for step in steps] if isinstance(ending, Goto) else located(steps, (*loc, "steps"))


def every_step(steps: Located) -> Iterator[tuple[Loc, AnyStep]]:
    """All of these steps and the steps within them, each with its place, in the order of the program."""
    for loc, step in steps:
        yield loc, step
        for block in blocks(loc, step):
            yield from every_step(block)
