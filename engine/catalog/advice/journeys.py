"""Doubts about journeys: two that write to the same people, and a step that can never act because of a stop."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.document import Document
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Loc, Problem
from engine.catalog.programs.walking import Located, every_step, located
from engine.catalog.schema.journeys import Journey
from engine.catalog.schema.policies import Policies
from engine.catalog.schema.steps import WaitForStep, WaitStep
from engine.catalog.schema.stops import JourneyStop
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


def stopped_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Steps that listen for an event that ends their run, because stops come first."""
    everywhere = [stop for _, policies in of_kind(models, Policies) for stop in policies.stops]
    for file, journey in of_kind(models, Journey):
        stops = [stop for stop in everywhere if stop.tier in (None, journey.tier)]
        for loc, event, field in _heard(located(journey.steps, ("steps",))):
            ending = next((stop for stop in (*stops, *journey.stops) if _ends(stop, event)), None)
            if ending is not None:
                message = f"never acts: the stop {ending.id} ends the run on the {event!r} that {field} waits for"
                yield Problem(file, loc, message)


def _ends(stop: JourneyStop, event: str) -> bool:
    """Whether a stop ends a run by every event of that name. One with a `where` lets some of them pass."""
    return stop.on == event and not stop.where


def _heard(steps: Located) -> Iterator[tuple[Loc, str, str]]:
    """(place, event, field) of everything that a run listens for."""
    for at, step in every_step(steps):
        if isinstance(step, WaitStep | WaitForStep):
            word, wait = ("wait", step.wait) if isinstance(step, WaitStep) else ("wait_for", step.wait_for)
            for event in wait.reset_on:
                yield (*at, word, "reset_on"), event, "reset_on"
        if isinstance(step, WaitForStep) and step.wait_for.event is not None:
            yield (*at, "wait_for", "event"), step.wait_for.event, "wait_for"
