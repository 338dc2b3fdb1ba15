"""The names and properties of inner events: what stops, waits and triggers hear beside the events of a customer.

An inner event is a `Happened` that the history does not remember. Its name begins with `segue:`, and no client may send
such a name. Its properties are plain, so the `where` of a trigger, a stop or a wait tests them as it tests others, and
texts read them as `event.…` where the inner event has started a run.

    segue:segment    {segment, on: enter | exit, backfill?: true}
    segue:schedule   {journey, at}                         `at`: the planned local time, 2026-03-02T09:00
    segue:date       {journey, trait, date, at}            `date`: the day that the trait names, 2026-05-04
    segue:thing      the properties of the fact, and beside them {thing: {kind, id, event}}
    segue:outcome    {outcome, step, send, action, channel, journey, run}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

PREFIX: Final = "segue:"
SEGMENT: Final = "segue:segment"
SCHEDULE: Final = "segue:schedule"
DATE: Final = "segue:date"
THING: Final = "segue:thing"
OUTCOME: Final = "segue:outcome"

Edge = Literal["enter", "exit"]


def is_reserved(name: str) -> bool:
    """Whether a name is one of the engine's own, which no client may send."""
    return name.startswith(PREFIX)


def segment_tests(segment: str, on: Edge) -> dict[str, Any]:
    """The tests that the inner event of entering or leaving a segment passes, and no other of its name."""
    return {"segment": segment, "on": on}


def segment_of(event: str, tests: Mapping[str, Any] | None) -> str:
    """The segment that a trigger, a stop or a wait with these tests listens to; empty where it listens to none."""
    return str((tests or {}).get("segment", "")) if event == SEGMENT else ""


def of_segment(segment: str, on: Edge, *, backfill: bool = False) -> dict[str, Any]:
    """The properties of entering or leaving a segment; `backfill`: of who was inside when the journey went live."""
    return {"segment": segment, "on": on} | ({"backfill": True} if backfill else {})


def of_schedule(journey: str, at: str) -> dict[str, Any]:
    """The properties of an occasion of a journey's schedule, planned for the local time `at`."""
    return {"journey": journey, "at": at}


def of_date(journey: str, trait: str, date: str, at: str) -> dict[str, Any]:
    """The properties of the time around the day that a trait names."""
    return {"journey": journey, "trait": trait, "date": date, "at": at}


def thing_tests(kind: str, event: str, where: Mapping[str, Any] | None) -> dict[str, Any]:
    """The tests that a fact about a thing of a kind passes; `where` is about the fact's own properties."""
    return {"thing.kind": kind, "thing.event": event, **(where or {})}


def of_thing(kind: str, thing: str, event: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a fact about a thing."""
    return {**properties, "thing": {"kind": kind, "id": thing, "event": event}}


def of_outcome(
    outcome: str, *, step: str, send: str, action: str, channel: str, journey: str, run: str
) -> dict[str, Any]:
    """The properties of what became of a send."""
    return {
        "outcome": outcome,
        "step": step,
        "send": send,
        "action": action,
        "channel": channel,
        "journey": journey,
        "run": run,
    }


def in_words(name: str, properties: Mapping[str, Any]) -> str:
    """What has happened, for the timeline: an event of a client's by its name, an inner event by what it says."""
    match name:
        case "segue:segment":
            verb = "entering" if properties.get("on") == "enter" else "leaving"
            return f"{verb} the segment {properties.get('segment')}"
        case "segue:schedule":
            return f"its time, {properties.get('at')}"
        case "segue:date":
            return f"{properties.get('date')}, the day in {properties.get('trait')}"
        case "segue:thing":
            thing = properties.get("thing") or {}
            return f"{thing.get('event')} of {thing.get('kind')} {thing.get('id')}"
        case "segue:outcome":
            return f"{properties.get('action')} {properties.get('outcome')}"
        case _:
            return name
