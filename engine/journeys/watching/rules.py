"""What journeys watch of a customer beside events: segments that a trigger, a stop or a wait listens to, the times of
schedules and dates, and journeys that begin with who is inside a segment already.

Each rule has a key, which changes with what it asks for. So a customer who was last looked at under other rules is not
told of what a new or edited rule finds to be so already. At what moment and for whom of those it then begins a journey
is no part of its key: with another `spread` it is the rule that it was, and whom it has met it has met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from engine.catalog import inner_events
from engine.catalog.compiled import Catalog, Journey
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.triggers import DateOf, Edge, Schedule, Trigger
from engine.conditions.event_counts import EventCount
from engine.conditions.outcomes import OutcomeAsked
from engine.conditions.predicates import tree_of
from engine.conditions.readable import Condition
from engine.occasions.occasions import Occasions, of_schedule

_WORDS_OF_EVENTS: Final = ("event", "segment", "trait", "context")  # not consent, which other messages change too
_BEGIN: Final = ("live", "paused")  # a pause changes no rule: what comes in it is refused, and is not news afterwards


@dataclass(frozen=True, slots=True)
class WatchedSegment:
    """A segment, and the parts of its condition that may turn by the mere passing of time."""

    id: str
    key: str
    condition: Condition
    turning: tuple[EventCount | OutcomeAsked, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """A journey that begins with a schedule or a date. `times` are those of a schedule; a date's are the customer's."""

    journey: Journey
    key: str
    begins: Schedule | DateOf
    times: Occasions | None


@dataclass(frozen=True, slots=True)
class Backfill:
    """A journey into which those go who are inside a segment when it goes live."""

    journey: Journey
    key: str
    begins: Edge


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a catalog watches. `name` stands for the whole set and all that it says; empty: nothing is watched.
    `event_names` are those that the conditions of segments ask for. `is_of_events`: an event of another name that
    brings no traits changes none of them."""

    name: str
    keys: frozenset[str]
    segments: tuple[WatchedSegment, ...]
    clocks: tuple[Clock, ...]
    backfills: tuple[Backfill, ...]
    event_names: frozenset[str]
    is_of_events: bool


@once_per_catalog
def rules_of(catalog: Catalog) -> Rules:
    """The rules of a catalog."""
    segments = tuple(_watched(catalog, name) for name in sorted(_listened_to(catalog)) if name in catalog.segments)
    beginning = [journey for journey in catalog.journeys.values() if journey.status in _BEGIN]
    clocks = tuple(
        Clock(
            journey,
            _key("clock", journey.id, journey.round, *_times(begins)),
            begins,
            of_schedule(begins) if isinstance(begins, Schedule) else None,
        )
        for journey in beginning
        if isinstance(begins := journey.begins, Schedule | DateOf)
    )
    backfills = tuple(
        Backfill(journey, _key("backfill", journey.id, journey.round, begins.segment), begins)
        for journey in beginning
        if isinstance(begins := journey.begins, Edge) and begins.backfill
    )
    keys = frozenset(rule.key for rules in (segments, clocks, backfills) for rule in rules)
    said = [segment.key for segment in segments]
    said += [_key("clock", rule.journey.id, rule.journey.round, rule.begins) for rule in clocks]
    said += [_key("backfill", rule.journey.id, rule.journey.round, rule.begins) for rule in backfills]
    atoms = [atom for segment in segments for tree in _expanded(catalog, segment.id).values() for atom in _atoms(tree)]
    return Rules(
        name=_key(*sorted(said)) if said else "",
        keys=keys,
        segments=segments,
        clocks=clocks,
        backfills=backfills,
        event_names=frozenset(name for word, body in atoms if word == "event" for name in _names(body)),
        is_of_events=all(word in _WORDS_OF_EVENTS for word, _ in atoms),
    )


@once_per_catalog
def heard_by(catalog: Catalog) -> dict[str, frozenset[str]]:
    """The segments that the stops and waits of each journey listen to, by journey; those that listen to none are
    left out."""
    found = {journey.id: frozenset(_of_runs(journey)) for journey in catalog.journeys.values()}
    return {journey: segments for journey, segments in found.items() if segments}


def keys_of(catalog: Catalog, name: str) -> frozenset[str]:
    """The keys of the rules that a customer was last looked at by, as far as a catalog that had them is known."""
    if not name:
        return frozenset()
    known = (rules_of(each) for each in (catalog, *catalog.archive.values()))
    return next((rules.keys for rules in known if rules.name == name), frozenset())


def watched_segment(catalog: Catalog, segment: str) -> WatchedSegment | None:
    """A segment of the catalog as a rule, though only a run of an older catalog listens to it."""
    return _watched(catalog, segment) if segment in catalog.segments else None


def _watched(catalog: Catalog, segment: str) -> WatchedSegment:
    condition = catalog.segments[segment]
    trees = _expanded(catalog, segment)
    turning = tuple(part for tree in trees.values() for part in _turning(tree))
    return WatchedSegment(segment, _key("segment", segment, sorted(map(repr, trees.items()))), condition, turning)


def _times(begins: Schedule | DateOf) -> tuple[object, ...]:
    """What says on which days a clock comes, and of a schedule also when: a date comes once a day, at whatever time."""
    if isinstance(begins, Schedule):
        return begins.cron, begins.once, begins.zone
    return begins.trait, begins.offset_days, begins.yearly, begins.zone


def _listened_to(catalog: Catalog) -> set[str]:
    found = {inner_events.segment_of(rule.on.event, rule.on.tests) for rule in catalog.stops}
    for journey in catalog.journeys.values():
        found.update(_of_runs(journey) if journey.status != "stopped" else ())
        if journey.status in _BEGIN and isinstance(journey.begins, Edge):
            found.add(journey.begins.segment)
    return found - {""}


def _of_runs(journey: Journey) -> Iterator[str]:
    heard: list[Trigger | None] = [*(stop.on for stop in journey.stops), *(step.event for step in journey.steps)]
    yield from (segment for on in heard if on and (segment := inner_events.segment_of(on.event, on.tests)))


def _expanded(catalog: Catalog, segment: str) -> dict[str, Any]:
    """The tree of a segment, and those of all segments that it is made of, by name."""
    trees: dict[str, Any] = {}
    waiting = [segment]
    while waiting:
        name = waiting.pop()
        if name not in trees and name in catalog.segments:
            tree = trees[name] = tree_of(catalog.segments[name])
            waiting += [body for word, body in _atoms(tree) if word == "segment"]
    return trees


def _turning(tree: Any) -> Iterator[EventCount | OutcomeAsked]:
    for word, body in _atoms(tree):
        if word == "event" and "within" in body:
            yield EventCount.of(body)
        elif word == "outcome":  # without a window too, because outcomes are forgotten
            yield OutcomeAsked(body)


def _names(body: Any) -> Iterator[str]:
    yield body["name"]
    if "undone_by" in body:
        yield body["undone_by"]["name"]


def _atoms(tree: Any) -> Iterator[tuple[str, Any]]:
    """The atoms of a condition: (word, what stands under it)."""
    if not tree:
        return
    ((word, body),) = tree.items()
    if word in ("all", "any"):
        for part in body:
            yield from _atoms(part)
    elif word == "not":
        yield from _atoms(body)
    else:
        yield word, body


def _key(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=6).hexdigest()
