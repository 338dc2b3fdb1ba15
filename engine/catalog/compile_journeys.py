"""A journey as it is written becomes one that runs can follow: its trigger, its rules of entry, its flat program."""

from __future__ import annotations

from engine.catalog.compiled import Journey
from engine.catalog.compiling import stops, triggers
from engine.catalog.compiling.triggers import compile_trigger
from engine.catalog.programs.layout import flatten
from engine.catalog.schema.grammar import tree_of
from engine.catalog.schema.journeys import Journey as WrittenJourney
from engine.catalog.schema.journeys import Outcome as WrittenOutcome
from engine.catalog.sending import compiling
from engine.catalog.triggers import Outcome
from engine.conditions.predicates import build


def compile_journey(journey: WrittenJourney, zone: str) -> Journey:
    """The journey with its flat program. `zone` is that of local times. Its own stops name no tier: they end it
    whatever its tier is."""
    trigger, begins = triggers.compile_beginning(journey.id, journey.trigger)
    return Journey(
        id=journey.id,
        tier=journey.tier,
        trigger=trigger,
        when=build(tree_of(journey.when)),
        key=journey.key,
        after_ms=journey.re_entry.after,
        concurrent=journey.re_entry.concurrent,
        stops=stops.events(journey.stops),
        steps=flatten(journey.steps),
        begins=begins,
        outcome=_outcome(journey.outcome),
        guards=compiling.guards(journey.guards),
        lasting_stops=stops.lasting(journey.stops, zone),
    )


def _outcome(written: WrittenOutcome | None) -> Outcome | None:
    return None if written is None else Outcome(compile_trigger(written.event, written.where), written.within)
