"""Which events make somebody interested in a thing, and which facts about things anybody is told: worked out from the
triggers of all journeys that are live or paused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a catalog wants to know about things.

    `by_event` has, for each event that makes an interest, the kinds of things and the paths of their ids in its
    properties. `by_fact` has, for each kind of thing and fact about it, the events whose senders are told. An interest
    that is older than `within_ms` counts for no journey.
    """

    by_event: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]]
    by_fact: Mapping[tuple[str, str], tuple[str, ...]]
    within_ms: int


@once_per_catalog
def wanted(catalog: Catalog) -> Wanted:
    """What a catalog wants to know about things; all of it is empty where no journey begins with a fact."""
    events: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
    facts: dict[tuple[str, str], set[str]] = {}
    within_ms = 0
    for journey in catalog.journeys.values():
        asked = journey.interest
        if asked is not None and journey.status in ("live", "paused"):
            events.setdefault(asked.event, set()).add((asked.kind, asked.path))
            facts.setdefault((asked.kind, asked.fact), set()).add(asked.event)
            within_ms = max(within_ms, asked.within_ms)
    return Wanted(
        {event: tuple(sorted(kinds)) for event, kinds in events.items()},
        {fact: tuple(sorted(names)) for fact, names in facts.items()},
        within_ms,
    )
