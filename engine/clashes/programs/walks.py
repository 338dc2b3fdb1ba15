"""The ways through a journey on which nobody hurries: each wait takes the time that it says, and what is waited for
comes as late as it may. Messages of such a way are as far apart as they can be, while no wait is started anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from typing import Final

from engine.catalog.compiled import Step
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.workspace import Program
from engine.vocabulary import DAY_MS

_WALKS_MAX: Final = 2_000
_STEPS_MAX: Final = 400


class TooManyWalks(Exception):
    """A journey has more ways than are worth going."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of a walk: the instruction, how it goes out, and how long after entry at the latest."""

    at: int
    actions: tuple[str, ...]
    channels: tuple[str, ...]
    at_ms: float


Walk = tuple[Sent, ...]


def walks(program: Program, reach: Reach) -> Iterator[Walk]:
    """The messages of each way. Raises TooManyWalks. Of a `parallel` each arm is a way of its own."""
    left = [_WALKS_MAX]
    yield from _from(program, reach, 0, 0.0, (), {}, left)


def _from(
    program: Program, reach: Reach, at: int, now_ms: float, sent: Walk, jumps: dict[int, int], left: list[int]
) -> Iterator[Walk]:
    steps = 0
    while at < len(program.steps):
        steps += 1
        if at not in reach.earliest_ms or steps > _STEPS_MAX:
            return
        step = program.steps[at]
        if step.kind == "send":
            now_ms, sent = _sent(step, at, now_ms, sent)
        if step.kind == "goto":
            jumps = {**jumps, at: jumps.get(at, 0) + 1}
            at = step.target if jumps[at] <= step.at_most else at + 1
            continue
        targets = _targets(reach, step, at)
        if len(targets) != 1:
            for target, waited_ms in targets:
                yield from _from(program, reach, target, now_ms + waited_ms, sent, jumps, left)
            if targets:
                return
            break
        ((at, waited_ms),) = targets
        now_ms += waited_ms
    left[0] -= 1
    if left[0] < 0:
        raise TooManyWalks
    yield sent


def _sent(step: Step, at: int, now_ms: float, sent: Walk) -> tuple[float, Walk]:
    """The message of a send, and those that follow it on the next channels because nobody reacts, or it bounces."""
    sending = step.sending
    actions, silent_ms = sending.actions, sending.silent_ms or sending.bounced_ms
    if len(sending.channels) < 2 or not silent_ms:
        return now_ms, (*sent, Sent(at, actions, sending.channels, now_ms))
    if sending.rule != "order":
        for number in range(len(sending.channels)):
            sent = (*sent, Sent(at, actions, sending.channels, now_ms + number * silent_ms))
    else:
        for number, channel in enumerate(sending.channels):
            sent = (*sent, Sent(at, actions, (channel,), now_ms + number * silent_ms))
    return now_ms + (len(sending.channels) - 1) * silent_ms, sent


def _targets(reach: Reach, step: Step, at: int) -> list[tuple[int, float]]:
    """Where a run may go from an instruction, and how long it waits before, at the most."""
    shut = {(each.to, each.arm) for each in reach.shut() if each.at == at}
    match step.kind:
        case "exit":
            return []
        case "wait":
            return [(at + 1, _until_ms(step) if step.until is not None else float(step.for_ms))]
        case "wait_for":
            both = {step.on_event, step.on_timeout}
            return [(target, float(step.for_ms)) for target in sorted(both) if (target, None) not in shut]
        case "branch":
            arms = [(target, arm) for arm, (_, target) in enumerate(step.arms)] + [(step.target, -1)]
            return [(target, 0.0) for target, arm in arms if (target, arm) not in shut]
        case "split":
            return [(target, 0.0) for target in sorted({target for _, _, target in step.shares})]
        case "parallel":
            return [(target, 0.0) for _, target in step.branches]
        case "jump":
            return [(step.target, 0.0)]
        case _:
            return [(at + 1, 0.0)]


def _until_ms(step: Step) -> float:
    """How long a wait until a moment takes at the most; a date of the customer's may be any time away."""
    assert step.until is not None
    if step.until.trait:
        return inf
    return 7 * DAY_MS if step.until.weekdays else DAY_MS
