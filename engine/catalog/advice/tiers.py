"""Doubts about journeys that send an action of another tier. A stop may treat these otherwise than a marketer expects:
a stop of one tier ends the journey and not the message, or the other way round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.catalog.document import Document, actions, items
from engine.catalog.problems import Problem
from engine.catalog.programs.walking import every_step, located
from engine.catalog.schema.grammar import Model
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.steps import SendStep
from engine.catalog.sending.faults import actions_in


def tier_warnings(document: Document, models: Mapping[str, Model]) -> Iterator[Problem]:
    """A warning for each send of an action whose tier has other stops than its journey's."""
    tiers = {name: str(action.get("tier")) for name, action in actions(document).items()}
    stops = [(str(stop.get("id")), stop.get("tier")) for _, stop in items(document, "policies.yaml", "stops")]
    for file, journey in models.items():
        if not isinstance(journey, Journey):
            continue
        for loc, step in every_step(located(journey.steps, ("steps",))):
            if not isinstance(step, SendStep):
                continue
            for at, action in actions_in(step.send):
                tier = tiers.get(action, journey.tier)
                message = _difference(action, tier, journey.tier, stops) if tier != journey.tier else ""
                if message:
                    yield Problem(file, (*loc, "send", *at), message)


def _difference(action: str, tier: str, of_journey: str, stops: Sequence[tuple[str, str | None]]) -> str:
    """What the stops of each of the two tiers do; empty where neither has a stop of its own."""
    on_action = [name for name, stopped in stops if stopped == tier]
    on_journey = [name for name, stopped in stops if stopped == of_journey]
    parts = []
    if on_action:
        parts.append(f"{_stops(on_action)} this send, and the journey goes on without it")
    if on_journey:
        parts.append(f"{_stops(on_journey)} it with the journey, though a stop of that tier is not about {tier}")
    return f"{action} is {tier}, and its journey is {of_journey}: {'; '.join(parts)}" if parts else ""


def _stops(names: Sequence[str]) -> str:
    return f"the stop {names[0]} withdraws" if len(names) == 1 else f"the stops {', '.join(names)} withdraw"
