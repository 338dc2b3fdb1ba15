"""A journey's nested steps become one flat program with jumps, so that a run's state is a single number.

A step that holds steps is laid out as its own instruction, then block after block, each but the last with a jump behind
it:

    3       branch → 3.0.0 | 3.1.0 | 4
    3.0.0   send
    3.0.end jump → 4
    3.1.0   send
    4       …

A `parallel` has a `join` behind its last block, to which the others jump.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from engine.catalog.programs.instructions import Step
from engine.catalog.programs.singles import instruction
from engine.catalog.programs.walking import steps_behind
from engine.catalog.schema import steps as written
from engine.catalog.schema.grammar import tree_of
from engine.conditions.predicates import build
from engine.conditions.readable import Condition

_END: Final = -1  # stands for `len(steps)` until that is known

Block = tuple[str, Sequence[written.AnyStep]]  # what it is called behind the path of its step, and its steps


def flatten(steps: Sequence[written.AnyStep]) -> tuple[Step, ...]:
    """The program of a list of steps, its targets resolved. KeyError where a `goto` names no step."""
    program: list[Step] = []
    _lay_out(steps, "", program)
    end, places = len(program), _places(program)

    def resolved(target: int) -> int:
        return end if target == _END else target

    return tuple(
        replace(
            step,
            on_event=resolved(step.on_event),
            on_timeout=resolved(step.on_timeout),
            arms=tuple((condition, resolved(target)) for condition, target in step.arms),
            target=places[step.to] if step.kind == "goto" else resolved(step.target),
        )
        for step in program
    )


def _places(program: Iterable[Step]) -> dict[str, int]:
    """Where each step begins, by its id."""
    places: dict[str, int] = {}
    for place, step in enumerate(program):
        places.setdefault(step.id, place)
    return places


def _lay_out(steps: Sequence[written.AnyStep], prefix: str, program: list[Step]) -> None:
    for i, step in enumerate(steps):
        path = f"{prefix}{i}"
        step_id = step.name or path
        match step:
            case written.BranchStep():
                _branch(step, step_id, path, program)
            case written.SplitStep():
                _split(step.split, step_id, path, program)
            case written.ParallelStep():
                _parallel(step.parallel, step_id, path, program)
            case written.WaitForStep():
                _wait_for(step, step_id, path, program)
            case _:
                program.append(instruction(step, step_id))


def _blocks(blocks: Sequence[Block], path: str, program: list[Step]) -> tuple[list[int], int]:
    """Lay out blocks, each but the last with a jump behind it; where each begins, and where they all lead."""
    starts, jumps = list[int](), list[int]()
    for i, (name, steps) in enumerate(blocks):
        starts.append(len(program))
        _lay_out(steps, f"{path}.{name}.", program)
        if i + 1 < len(blocks):
            jumps.append(len(program))
            program.append(Step(f"{path}.{name}.end", "jump"))
    after = len(program)
    for jump in jumps:
        program[jump] = replace(program[jump], target=after)
    return starts, after


def _branch(branch: written.BranchStep, step_id: str, path: str, program: list[Step]) -> None:
    at = len(program)
    program.append(Step(step_id, "branch"))
    starts, after = _blocks([(str(i), arm.steps) for i, arm in enumerate(branch.branch)], path, program)
    arms: list[tuple[Condition, int]] = []
    otherwise = after
    for arm, start in zip(branch.branch, starts, strict=True):
        if arm.else_:
            otherwise = start
        else:
            arms.append((build(tree_of(arm.when)), start))
    program[at] = replace(program[at], arms=tuple(arms), target=otherwise)


def _split(split: written.Split, step_id: str, path: str, program: list[Step]) -> None:
    at = len(program)
    program.append(Step(step_id, "split"))
    blocks = [(arm, split.steps[arm]) for arm in split.arms if split.steps.get(arm)]
    starts, after = _blocks(blocks, path, program)
    targets = dict(zip((arm for arm, _ in blocks), starts, strict=True))
    shares = tuple((arm, weight, targets.get(arm, after)) for arm, weight in split.arms.items())
    program[at] = replace(program[at], shares=shares)


def _parallel(parallel: written.Parallel, step_id: str, path: str, program: list[Step]) -> None:
    at = len(program)
    program.append(Step(step_id, "parallel"))
    starts, join = _blocks([*parallel.arms.items()], path, program)
    program.append(Step(f"{step_id}.join", "join", needs_all=parallel.join == "all"))
    branches = tuple(zip(parallel.arms, starts, strict=True))
    program[at] = replace(program[at], branches=branches, target=join)


def _wait_for(step: written.WaitForStep, step_id: str, path: str, program: list[Step]) -> None:
    at, wait = len(program), step.wait_for
    program.append(instruction(step, step_id))
    endings = {"on_event": wait.on_event, "on_timeout": wait.on_timeout}
    blocks = [(word, steps_behind(ending)) for word, ending in endings.items() if not isinstance(ending, str)]
    starts, after = _blocks(blocks, path, program)
    targets = dict(zip((word for word, _ in blocks), starts, strict=True))
    targets |= {word: _END if ending == "exit" else after for word, ending in endings.items() if word not in targets}
    program[at] = replace(program[at], on_event=targets["on_event"], on_timeout=targets["on_timeout"])
