"""Compiles stops: those that something ends, as the events that they listen to, and those that hold for a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from engine.catalog import zones
from engine.catalog.compiling.triggers import compile_trigger, on_segment
from engine.catalog.schema.grammar import tree_of
from engine.catalog.schema.stops import JourneyStop
from engine.catalog.triggers import LastingStop, StopRule
from engine.conditions.predicates import build


def events(stops: Iterable[JourneyStop]) -> tuple[StopRule, ...]:
    """The stops by an event, or by a segment that is entered or left."""
    found = []
    for stop in stops:
        if stop.on is not None:
            found.append(StopRule(stop.id, compile_trigger(stop.on, stop.where), _tier(stop)))
        elif stop.segment is not None:
            found.append(StopRule(stop.id, on_segment(stop.segment.id, stop.segment.on), _tier(stop)))
    return tuple(found)


def lasting(stops: Iterable[JourneyStop], zone: str) -> tuple[LastingStop, ...]:
    """The stops by a trait or a time; local times are those of `zone`."""
    found = []
    for stop in stops:
        if stop.trait is not None:
            holds = build({"trait": tree_of(stop.trait)})
            found.append(LastingStop(stop.id, _tier(stop), holds=holds))
        elif stop.at is not None or stop.after is not None:
            at_ms = _instant_ms(stop.at, zone) if stop.at is not None else 0
            found.append(LastingStop(stop.id, _tier(stop), at_ms=at_ms, after_ms=stop.after or 0))
    return tuple(found)


def _tier(stop: JourneyStop) -> str | None:
    """The tier of a global stop; a journey's own names none."""
    return getattr(stop, "tier", None)


def _instant_ms(there: datetime, zone: str) -> int:
    return int(there.replace(tzinfo=zones.zone(zone)).timestamp()) * 1000
