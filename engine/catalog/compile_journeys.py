"""A journey's nested steps become one flat program with jumps, so that a run's state is a single number.

A branch is laid out as its own instruction, then arm after arm, each but the last with a jump behind it:

    3      branch → 3.0.0 | 3.1.0 | 4
    3.0.0  send
    3.0.end jump → 4
    3.1.0  send
    4      …
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from engine.catalog.compiled import Journey, Step
from engine.catalog.compiling import triggers
from engine.catalog.compiling.triggers import compile_trigger
from engine.catalog.schema import steps as written
from engine.catalog.schema.grammar import tree_of
from engine.catalog.schema.journeys import Journey as WrittenJourney
from engine.catalog.schema.journeys import Outcome as WrittenOutcome
from engine.catalog.triggers import Outcome, StopRule
from engine.conditions.predicates import build
from engine.conditions.readable import Condition
from engine.vocabulary import DAY_MS

# A wait that is reset may become as long as this many waits, and a day at least. Without a bound, a customer who comes
# back again and again would keep it waiting for ever.
_RESET_TIMES: Final = 7
_END: Final = -1  # stands for `len(steps)` until that is known


def compile_journey(journey: WrittenJourney) -> Journey:
    """The journey with its flat program. Its own stops name no tier: they end it whatever its tier is."""
    trigger, begins = triggers.compile_beginning(journey.id, journey.trigger)
    return Journey(
        id=journey.id,
        tier=journey.tier,
        trigger=trigger,
        when=build(tree_of(journey.when)),
        key=journey.key,
        after_ms=journey.re_entry.after,
        concurrent=journey.re_entry.concurrent,
        stops=tuple(StopRule(stop.id, compile_trigger(stop.on, stop.where), None) for stop in journey.stops),
        steps=flatten(journey.steps),
        begins=begins,
        outcome=_outcome(journey.outcome),
    )


def _outcome(written: WrittenOutcome | None) -> Outcome | None:
    return None if written is None else Outcome(compile_trigger(written.event, written.where), written.within)


def flatten(steps: Sequence[written.Step]) -> tuple[Step, ...]:
    """The program of a list of steps, its targets resolved."""
    program: list[Step] = []
    _lay_out(steps, "", program)
    end = len(program)

    def resolved(target: int) -> int:
        return end if target == _END else target

    return tuple(
        replace(
            step,
            on_event=resolved(step.on_event),
            on_timeout=resolved(step.on_timeout),
            arms=tuple((condition, resolved(target)) for condition, target in step.arms),
            target=resolved(step.target),
        )
        for step in program
    )


def _lay_out(steps: Sequence[written.Step], prefix: str, program: list[Step]) -> None:
    for i, step in enumerate(steps):
        path = f"{prefix}{i}"
        if isinstance(step, written.BranchStep):
            _lay_out_branch(step, path, program)
        else:
            program.append(_single(step, step.id or path, len(program)))


def _single(step: written.Step, step_id: str, index: int) -> Step:
    match step:
        case written.SendStep(send=send):
            return Step(step_id, "send", action=send.action, channel=send.channel, on_held=send.on_held)
        case written.WaitStep(wait=wait):
            until_ms = wait.reset_until or max(_RESET_TIMES * wait.for_, DAY_MS)
            return Step(
                step_id,
                "wait",
                for_ms=wait.for_,
                reset_on=frozenset(wait.reset_on),
                reset_until_ms=until_ms,
                **_late(wait.late),
            )
        case written.WaitForStep(wait_for=wait):
            go_to = {"continue": index + 1, "exit": _END}
            return Step(
                step_id,
                "wait_for",
                for_ms=wait.timeout,
                event=compile_trigger(wait.event, wait.where),
                on_event=go_to[wait.on_event],
                on_timeout=go_to[wait.on_timeout],
                **_late(wait.late),
            )
        case written.ExitStep(exit=ending):
            return Step(step_id, "exit", reason=ending.reason)
        case _:
            raise AssertionError(f"no instruction for {type(step).__name__}")


def _late(rule: written.Late) -> dict[str, Any]:
    if isinstance(rule, written.DropIfLate):
        return {"late": "drop", "late_ms": rule.drop_if_late}
    return {"late": rule}


def _lay_out_branch(branch: written.BranchStep, path: str, program: list[Step]) -> None:
    at = len(program)
    program.append(Step(branch.id or path, "branch"))
    arms: list[tuple[Condition, int]] = []
    jumps: list[int] = []
    otherwise: int | None = None
    for i, arm in enumerate(branch.branch):
        if arm.else_:
            otherwise = len(program)
        else:
            arms.append((build(tree_of(arm.when)), len(program)))
        _lay_out(arm.steps, f"{path}.{i}.", program)
        if i + 1 < len(branch.branch):
            jumps.append(len(program))
            program.append(Step(f"{path}.{i}.end", "jump"))
    after = len(program)
    for jump in jumps:
        program[jump] = replace(program[jump], target=after)
    program[at] = replace(program[at], arms=tuple(arms), target=after if otherwise is None else otherwise)
