"""One round over the whole engine, place by place: for a replay clock, where matching runs when it is asked for."""

from __future__ import annotations

from actors.candidates import weights
from actors.candidates.door import Door
from actors.candidates.rounds import Report, Round, indexed
from engine.catalog.compiled import Catalog

MOST = 1_000_000


async def over_all(door: Door, catalog: Catalog, most: int = MOST) -> Report:
    """Match everybody who waits, or `most` of each place; nobody where matching is off."""
    done, population = Report(), await indexed(door)  # being asked, each shard brings its index up to date first
    if not catalog.identity.matching.enabled:
        return done
    ready = weights.ready(catalog, population)
    for place in await door.places():
        one = Round(door, ready, catalog.identity.matching.review_at, catalog.id_key)
        done.add(await one.run(place, most))
    return done
