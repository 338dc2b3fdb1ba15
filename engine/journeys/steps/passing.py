"""Steps at which a run neither waits nor sends: where it goes on from them."""

from __future__ import annotations

from engine.catalog.compiled import Step
from engine.decide import draws
from engine.journeys.steps import forks, updates
from engine.profile import Run
from engine.sends import webhooks
from engine.turn_state import Turn


def next_position(turn: Turn, run: Run, step: Step) -> int:
    """Do what a step says; returns the position behind it."""
    match step.kind:
        case "branch":
            view = turn.view(trigger=run.trigger)
            return next((target for condition, target in step.arms if condition(view)), step.target)
        case "split":
            arm, target = draws.arm_of(turn, run.journey, step)
            forks.note(turn, run, step.id, f"goes by arm {arm} of {step.id}", "split", arm=arm)
            return target
        case "goto":
            return _jump(run, step)
        case "jump":
            return step.target
        case "update":
            updates.write(turn, run, step)
        case "webhook":
            webhooks.propose(turn, run, step)
        case _:
            raise AssertionError(f"no way on from a {step.kind}")
    return run.position + 1


def _jump(run: Run, step: Step) -> int:
    """Jump as often as a run may; after that it goes on behind the jump."""
    taken = run.jumps.get(step.id, 0)
    if taken >= step.at_most:
        return run.position + 1
    run.jumps[step.id] = taken + 1
    return step.target
