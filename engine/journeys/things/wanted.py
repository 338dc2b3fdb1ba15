"""Which events make somebody interested in a thing, and which facts about things anybody is told: worked out from the
triggers of all journeys that are live or paused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import msgspec

from engine.catalog.compiled import Catalog, Journey
from engine.catalog.once_per_catalog import once_per_catalog
from engine.catalog.triggers import ThingFact
from engine.conditions.value_tests import Where

_encode: Final = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Looking:
    """A way to become interested in things: an event with these properties, which has their ids at `path`. `name` is
    the same wherever the same way is written."""

    name: str
    path: tuple[str, ...]
    where: Where


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a catalog wants to know about things; `name` stands for it, empty: nothing.

    `by_event` has the ways to become interested that an event is one of, `by_fact` the names of the ways of those who
    are told, by the kind of thing and the fact about it. What is older than `within_ms` counts for no journey.
    """

    name: str
    by_event: Mapping[str, tuple[Looking, ...]]
    by_fact: Mapping[tuple[str, str], tuple[str, ...]]
    within_ms: int


@once_per_catalog
def wanted(catalog: Catalog) -> Wanted:
    """What a catalog wants to know about things; all of it is empty where no journey begins with a fact."""
    by_event: defaultdict[str, dict[str, Looking]] = defaultdict(dict)
    by_fact: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    within_ms = 0
    for asked in filter(None, map(_of_journey, catalog.journeys.values())):
        way = name_of(asked)
        by_event[asked.interest.event][way] = Looking(way, tuple(asked.id_path.split(".")), asked.interest.where)
        by_fact[asked.kind, asked.event].add(way)
        within_ms = max(within_ms, asked.within_ms)
    ways = sorted(way for each in by_event.values() for way in each)
    return Wanted(
        blake2b(_encode([ways, within_ms]), digest_size=6).hexdigest() if ways else "",
        {event: tuple(ways.values()) for event, ways in by_event.items()},
        {fact: tuple(sorted(ways)) for fact, ways in by_fact.items()},
        within_ms,
    )


def name_of(asked: ThingFact) -> str:
    """The name of the way to become interested that a journey asks for."""
    return _encode([asked.kind, asked.interest.event, asked.id_path, asked.interest.tests]).decode()


def _of_journey(journey: Journey) -> ThingFact | None:
    begins = journey.begins
    return begins if isinstance(begins, ThingFact) and journey.status in ("live", "paused") else None
