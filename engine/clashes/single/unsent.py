"""Messages that the run itself keeps from ever going: what began it rules out the `eligible` of its action, brings a
suppression about, or begins it long before the action is valid.

A wait may last longer than it says (an engine that was down, quiet hours), so this is a note, and only where a story
shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from engine.catalog.schema.files import Action
from engine.catalog.schema.triggers import ScheduleTrigger
from engine.clashes.logic.contradictions import Tree
from engine.clashes.programs.known import always, at_entry, triggered
from engine.clashes.programs.walks import Walk
from engine.clashes.programs.workspace import Program, Workspace, trees
from engine.clashes.single.doubts import Doubt
from engine.vocabulary import DAY_MS


def unsent(program: Program, walks: Sequence[Walk], space: Workspace) -> Iterator[Doubt]:
    """The sends of which no action can go, if every wait lasts as long as it says, or a day longer."""
    if any(step.reset_on for step in program.steps):
        return
    latest_ms = dict[int, float]()
    for sent in (sent for walk in walks for sent in walk):
        latest_ms[sent.at] = max(sent.at_ms, latest_ms.get(sent.at, 0))
    for at, step in program.sends():
        actions = [space.actions[name] for name in step.sending.actions if name in space.actions]
        if at not in latest_ms or latest_ms[at] == float("inf") or not actions or step.on_held == "wait":
            continue
        found = [_why(program, action, int(latest_ms[at]), space) for action in actions]
        if all(found):
            message, reason = found[0]
            loc = (*program.places[at], "send")
            yield Doubt("unsent", program.file, loc, message, program.id, step.id, reason=reason)


def _why(program: Program, action: Action, latest_ms: int, space: Workspace) -> tuple[str, ...]:
    """In words why an action does not go, and the reason that the engine gives; empty where it may go."""
    known = _known(program, latest_ms)
    for tree in trees(action.eligible):
        if space.solver.never([*known, tree]):
            return f"is not sent: whoever comes here is not as eligible of {action.id} asks", "eligibility"
    for rule in space.policies.suppress:
        for tree in trees(rule.when) if rule.tier in (None, action.tier) else ():
            if space.solver.never([*known, {"not": tree}]):
                return f"is not sent: the suppression {rule.id} holds for whoever comes here", f"suppress.{rule.id}"
    trigger, first = program.journey.trigger, action.valid.from_
    if isinstance(trigger, ScheduleTrigger) and trigger.schedule.once is not None and first is not None:
        spread_ms = trigger.schedule.spread or 0
        comes = trigger.schedule.once + timedelta(milliseconds=latest_ms + spread_ms)
        if comes.date() < first - timedelta(days=1):  # local times of two zones are up to a day apart
            message = f"it comes on {comes.date()} at the latest, and {action.id} is valid from {first}"
            return f"is not sent: {message}", "validity."
    return ()


def _known(program: Program, latest_ms: int) -> list[Tree]:
    """What is true of whoever comes to a message so long after the entry at the latest."""
    if not latest_ms:
        return [*always(program), *at_entry(program)]
    return [*always(program), *triggered(program, within=program.lateness_ms + latest_ms + DAY_MS)]
