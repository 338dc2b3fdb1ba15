"""Promotions that reach who has bought meanwhile, because no stop hears the purchase.

What a purchase is, the policies say (`purchases.event`). Where they do not, it is `Order Completed` if the catalog uses
it, else what the journey is measured by. Where nothing says it, that is told once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.catalog.triggers import Trigger
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.ways import earliest_from
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt

_PROMOTIONAL = "promotional"


def unstopped_sends(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """The promotions of a journey that are sent after some time in which a purchase ends nothing. One is enough to be
    told."""
    bought = purchase(program, space)
    if not bought or _is_stopped(program, bought, space):
        return
    is_held = any(rule.then == "hold" for rule in space.policies.quiet_hours.rules)
    for at in _exposed(program, reach, space, is_held=is_held):
        message = f"goes to who has bought meanwhile: no stop in policies.yaml ends it on {bought!r}"
        loc, paid = (*program.places[at], "send"), Trigger.on_any(bought)
        yield Doubt("unstopped", program.file, loc, message, program.id, program.steps[at].id, paid)


def unnamed_purchases(space: Workspace, reached: Sequence[tuple[Program, Reach]]) -> Iterator[Doubt]:
    """One note where promotions wait, no stop of theirs is there, and nothing says what a purchase is."""
    if any(stop.tier in (None, _PROMOTIONAL) for stop in space.policies.stops):
        return
    for program, reach in reached:
        if not program.journey.stops and not purchase(program, space) and any(_exposed(program, reach, space)):
            message = "nothing says what a purchase is, so whether one stops promotions cannot be told: write purchases"
            yield Doubt("no_purchase", "policies.yaml", ("stops",), f"{message}, or the outcome of a journey")
            return


def purchase(program: Program, space: Workspace) -> str:
    """The event that counts as a purchase for a journey; empty where nothing says it."""
    named = space.policies.purchases.event
    if "purchases" in space.policies.model_fields_set or named in space.events:
        return named
    outcome = program.journey.outcome
    return outcome.event if outcome is not None else ""


def _exposed(program: Program, reach: Reach, space: Workspace, *, is_held: bool = False) -> Iterator[int]:
    """The sends of promotions before which, or within which, a run waits; all of them where quiet hours may hold them
    (`is_held`)."""
    kinds = {at: step.kind for at, step in enumerate(program.steps)}
    waits = [at for at in reach.earliest_ms if kinds.get(at) in ("wait", "wait_for")]
    behind = set[int]().union(*(earliest_from(program, at) for at in waits))
    for at, step in program.sends():
        tiers = {space.actions[name].tier for name in step.sending.actions if name in space.actions}
        if at in reach.earliest_ms and _PROMOTIONAL in tiers and (is_held or at in behind or step.sending.silent_ms):
            yield at


def _is_stopped(program: Program, bought: str, space: Workspace) -> bool:
    """Whether a purchase ends the run, or withdraws its promotions. A stop of some purchases counts: it is meant so."""
    everywhere = any(stop.on == bought and stop.tier in (None, _PROMOTIONAL) for stop in space.policies.stops)
    return everywhere or any(ending.event == bought for ending in program.endings)
