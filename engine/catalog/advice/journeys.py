"""Doubts about journeys: two that write to the same people."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.document import Document
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Problem
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.triggers import (
    DateTrigger,
    EventTrigger,
    ScheduleTrigger,
    SegmentTrigger,
    Trigger,
)


def twin_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Two live journeys that begin with the same event under the same conditions. Journeys of service messages do not
    count: a receipt goes to everybody who orders, whatever else is sent."""
    seen: list[Journey] = []
    for file, journey in of_kind(models, Journey):
        if journey.status != "live" or journey.tier == "service":
            continue
        twin = next((one for one in seen if (one.trigger, one.when) == (journey.trigger, journey.when)), None)
        if twin is not None:
            word, begins_with = _beginning(journey.trigger)
            message = f"whoever enters {twin.id} enters this journey too: both begin with {begins_with}"
            yield Problem(file, ("trigger", word), message)
        seen.append(journey)


def _beginning(trigger: Trigger) -> tuple[str, str]:
    """The word of a trigger, and what it is about."""
    match trigger:
        case EventTrigger():
            return "event", repr(trigger.event)
        case SegmentTrigger(segment=edge):
            return "segment", f"{'entering' if edge.on == 'enter' else 'leaving'} the segment {edge.id}"
        case ScheduleTrigger():
            return "schedule", "the same schedule"
        case DateTrigger(date=of):
            return "date", f"the same day of {of.trait}"
        case _:
            return "thing", "the same fact"
