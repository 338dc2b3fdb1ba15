"""Where a run may go from an instruction, as it is written, and how long that takes at the least."""

from __future__ import annotations

import heapq

from engine.catalog.compiled import Step
from engine.clashes.programs.workspace import Program


def following(step: Step, at: int) -> list[int]:
    """Where a run may go from an instruction, as it is written."""
    match step.kind:
        case "exit":
            return []
        case "wait_for":
            return [step.on_event, step.on_timeout]
        case "branch":
            return [*(target for _, target in step.arms), step.target]
        case "split":
            return [target for _, _, target in step.shares]
        case "parallel":
            return [target for _, target in step.branches]
        case "jump":
            return [step.target]
        case "goto":
            return [step.target, at + 1]
        case _:
            return [at + 1]


def earliest_from(program: Program, start: int) -> dict[int, int]:
    """After how long a run that leaves an instruction may be at each other one, at the earliest, as it is written."""
    known, queue = dict[int, int](), [(0, at) for at in following(program.steps[start], start)]
    while queue:
        elapsed_ms, at = heapq.heappop(queue)
        if at in known:
            continue
        known[at] = elapsed_ms
        if at < len(program.steps):
            step = program.steps[at]
            for target in following(step, at):
                waits = step.kind == "wait" or (step.kind == "wait_for" and target != step.on_event)
                heapq.heappush(queue, (elapsed_ms + (step.for_ms if waits else 0), target))
    return known


def comes_back(program: Program, jump: int) -> bool:
    """Whether a run can come to a jump again after it was taken."""
    steps, seen, todo = program.steps, set[int](), [program.steps[jump].target]
    while todo:
        at = todo.pop()
        if at == jump:
            return True
        if at < len(steps) and at not in seen:
            seen.add(at)
            todo += following(steps[at], at)
    return False
