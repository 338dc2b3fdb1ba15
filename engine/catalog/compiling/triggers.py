"""Compiles what starts a journey: the event that it listens to, and what has to be watched so that this event comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from engine.catalog import inner_events
from engine.catalog.schema import triggers as written
from engine.catalog.schema.grammar import tree_of
from engine.catalog.triggers import Beginning, DateOf, Edge, Schedule, ThingFact, Trigger
from engine.vocabulary import DAY_MS


def compile_trigger(event: str, where: Mapping[str, Any] | None) -> Trigger:
    """An event by name, with the tests on its properties."""
    return Trigger.of(event, _plain_tests(where))


def compile_beginning(journey: str, trigger: written.Trigger) -> tuple[Trigger, Beginning | None]:
    """The event that starts a journey, and what has to be watched for it; None for an event of the customer's."""
    match trigger:
        case written.EventTrigger():
            return compile_trigger(trigger.event, trigger.where), None
        case written.SegmentTrigger(segment=edge):
            spread_ms = edge.spread or DAY_MS
            return on_segment(edge.id, edge.on), Edge(edge.id, edge.on, edge.backfill, spread_ms)
        case written.ScheduleTrigger(schedule=one):
            planned = Schedule(one.cron or "", one.once, one.zone, one.spread or 0, one.segment or "")
            return Trigger.of(inner_events.SCHEDULE, {"journey": journey}), planned
        case written.DateTrigger(date=of):
            around = DateOf(of.trait, of.offset, of.at, of.yearly, of.zone, of.spread or 0, of.segment or "")
            return Trigger.of(inner_events.DATE, {"journey": journey}), around
        case written.ThingTrigger(thing=thing):
            tests = inner_events.thing_tests(thing.kind, thing.event, _plain_tests(thing.where))
            return Trigger.of(inner_events.THING, tests), _fact(thing)
        case _:
            raise AssertionError(f"no trigger for {type(trigger).__name__}")


def on_segment(segment: str, on: inner_events.Edge) -> Trigger:
    """Entering or leaving a segment, as a trigger, a stop or a wait listens to it."""
    return Trigger.of(inner_events.SEGMENT, inner_events.segment_tests(segment, on))


def _fact(thing: written.Thing) -> ThingFact:
    interested = thing.interested
    interest = compile_trigger(interested.event, interested.where)
    return ThingFact(thing.kind, thing.event, interest, interested.within, interested.id or f"{thing.kind}_id")


def _plain_tests(where: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {path: _plain(test) for path, test in where.items()} if where else None


def _plain(test: Any) -> Any:
    return tree_of(test) if isinstance(test, BaseModel) else test
