"""Which events stay recent, however many happen after them: those that runs listen to.

A run may have to hear of an event that is long past: its trigger is told late, or somebody logs in whose past it is.
The events that stop it, that it waits for or that reset its wait must still be there then.

A listener is a stop, an awaited event or a reset, with its own tests. Of the events that pass, the newest are kept. A
stop keeps the newest of each key, because that one decides. A step keeps a few of each key, because it hears only
events of its own time. When the room is short, every listener keeps its newest before any keeps a second one. Stops and
waits have rooms of their own, so that no click pushes a purchase out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from engine import limits
from engine.catalog import inner_events
from engine.catalog.compiled import Catalog, Journey
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.triggers import Trigger
from engine.journeys import run_keys
from engine.profile import Run
from engine.recent_events import Happened
from engine.turn_state import Turn

STOPS_KEPT: Final = 64
WAITS_KEPT: Final = 32
OLD_KEPT: Final = 8  # for each listener, of events before the lateness window and before the oldest open run
_AWAITED_KEPT: Final = 8  # of one key
_RESETS_KEPT: Final = 2
_STOPS_BYTES: Final = limits.RECENT_BYTES_MAX // 2
_WAITS_BYTES: Final = limits.RECENT_BYTES_MAX // 4


@dataclass(frozen=True, slots=True)
class Listener:
    """A stop, an awaited event or a reset. `journey` is set where it is about the runs of one key; `of_a_key` events of
    a key are enough."""

    name: str
    on: Trigger
    journey: Journey | None
    of_a_key: int

    def group(self, event: Happened) -> tuple[str, ...]:
        """The group of an event: events of one group mean the same to the same runs. A listener that asks for facts of
        a run may tell each event apart, so there each event is a group of its own."""
        if self.on.is_of_run:
            return self.name, str(id(event))
        if self.journey is None or self.journey.key is None:
            return (self.name,)
        return self.name, *run_keys.all_of(self.journey, event)


@dataclass(frozen=True, slots=True)
class Listeners:
    """All listeners of a catalog, by their event."""

    stops: Mapping[str, tuple[Listener, ...]]
    waits: Mapping[str, tuple[Listener, ...]]


@once_per_catalog
def listeners_of(catalog: Catalog) -> Listeners:
    """All listeners of a catalog."""
    return Listeners(_by_event(_stops(catalog)), _by_event(_waits(catalog)))


def needed(turn: Turn) -> set[int]:
    """The places of the recent events that must stay."""
    profile, catalog = turn.profile, turn.catalog
    waiting = {send.run for send in profile.sends}
    open_runs = [run for run in profile.runs if run.state == "active" or run.id in waiting]
    since_ms = min([turn.now_ms - catalog.lateness_ms, *(run.triggered[0] for run in open_runs)])
    heard = [listeners_of(each) for each in _catalogs(catalog, open_runs)]
    stops = _ranked(turn, [each.stops for each in heard], since_ms, STOPS_KEPT)
    waits = _ranked(turn, [each.waits for each in heard], since_ms, WAITS_KEPT)
    return _fitting(turn, stops, _STOPS_BYTES, since_ms) | _fitting(turn, waits, _WAITS_BYTES, None)


def _catalogs(catalog: Catalog, runs: Iterable[Run]) -> list[Catalog]:
    versions = {catalog.version: catalog}
    for run in runs:
        of_run = catalog.of_version(run.version)
        versions[of_run.version] = of_run
    return [*versions.values()]


def _ranked(turn: Turn, heard: list[Mapping[str, tuple[Listener, ...]]], since_ms: int, most: int) -> list[int]:
    """The places of the events that listeners keep: first the newest of each, then the second of each, and so on."""
    told: dict[tuple[str, ...], int] = {}
    kept: dict[str, int] = {}
    ranks: dict[int, int] = {}
    events = turn.profile.history.events
    hearing: dict[str, list[Listener]] = {}
    for place in range(len(events) - 1, -1, -1):
        event = events[place]
        listeners = hearing.get(event.name)
        if listeners is None:
            listeners = hearing[event.name] = [each for by_event in heard for each in by_event.get(event.name, ())]
        for listener in listeners:
            rank = kept.get(listener.name, 0)
            if rank >= (most if event.at_ms >= since_ms else OLD_KEPT) or not listener.on.may_pass(event.properties):
                continue
            group = listener.group(event)
            before = told.get(group, 0)
            if before < listener.of_a_key:
                told[group], kept[listener.name] = before + 1, rank + 1
                ranks[place] = min(ranks.get(place, rank), rank)
    return sorted(ranks, key=lambda place: (ranks[place], -place))[:most]


def _fitting(turn: Turn, ranked: list[int], room: int, since_ms: int | None) -> set[int]:
    """As many of these places as there is room for; the first in any case, if it happened since `since_ms`."""
    recent, kept = turn.profile.history, set[int]()
    for place in ranked:
        size = recent.bytes_of(place)
        is_first = not kept and since_ms is not None and recent[place].at_ms >= since_ms
        if size <= room or is_first:
            kept.add(place)
            room -= size
    return kept


def _by_event(listeners: Iterable[Listener]) -> Mapping[str, tuple[Listener, ...]]:
    found: defaultdict[str, list[Listener]] = defaultdict(list)
    for listener in listeners:
        found[listener.on.event].append(listener)
    return {event: tuple(heard) for event, heard in found.items()}


def _stops(catalog: Catalog) -> Iterator[Listener]:
    for number, rule in enumerate(catalog.stops):
        yield Listener(f"{catalog.version}/{number}", rule.on, None, 1)
    for journey in catalog.journeys.values():
        for number, rule in enumerate(journey.stops):
            yield Listener(f"{catalog.version}/{journey.id}/{number}", rule.on, journey, 1)


def _waits(catalog: Catalog) -> Iterator[Listener]:
    for journey in catalog.journeys.values():
        for step in journey.steps:
            if step.event is not None and not inner_events.is_reserved(step.event.event):
                yield Listener(f"{catalog.version}/{journey.id}/{step.id}", step.event, journey, _AWAITED_KEPT)
            for name in sorted(step.reset_on):
                yield Listener(
                    f"{catalog.version}/{journey.id}/{step.id}/{name}", Trigger.on_any(name), journey, _RESETS_KEPT
                )
