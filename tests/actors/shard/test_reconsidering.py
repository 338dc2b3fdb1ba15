"""After a catalog change everybody looks anew once, some at a time, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import START_MS, action, compiled, document

from actors.platform.clock import ReplayClock
from actors.serving import catalog_switch
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from engine.catalog.compiled import Catalog
from engine.inputs import Event, Reconsider
from engine.profile import Profile

PEOPLE = 70
IDS = [f"{number:030x}" for number in range(PEOPLE)]


def catalog(status: str, **segment: Any) -> Catalog:
    text = action("text", tier="service", purpose="service", channels=["sms"])
    trigger = {"segment": {"id": "buyers", "backfill": True, "spread": "1h", **segment}}
    steps = [{"wait": {"for": "1d"}}, {"send": {"action": "text", "channel": "sms"}}]
    way = {"id": "way", "status": status, "tier": "service", "trigger": trigger, "steps": steps}
    segments = {"segments": {"buyers": {"event": {"name": "Order Completed"}}}}
    return compiled(document(actions=[text], journeys=[way], segments=segments))


def ordered(at_ms: int) -> Event:
    return Event(kind="track", name="Order Completed", at_ms=at_ms, received_at_ms=at_ms, user_id="u")


@pytest.fixture
def store() -> MemoryStore:
    """A store with people who ordered before the journey was live."""
    kept = MemoryStore()
    shard = opened(kept, "draft")
    for name in IDS:
        shard.tell(name, ordered(START_MS))
    shard.commit()
    return kept


def opened(store: MemoryStore, status: str) -> Shard:
    return Shard(0, store, catalog(status), ReplayClock(START_MS))


def turns(shard: Shard) -> int:
    return shard.counters.turns[Reconsider.__name__]


def works_to_the_end(shard: Shard) -> int:
    while shard.reconsidering.is_busy:
        shard.reconsidering.work()
        shard.commit()
    return turns(shard)


def watched(shard: Shard) -> list[bool]:
    records = [shard.record(name) for name in IDS]
    return [isinstance(record, Profile) and record.watched is not None for record in records]


def test_a_catalog_that_watches_nothing_gives_nobody_a_turn(store: MemoryStore):
    assert not opened(store, "draft").reconsidering.is_busy


def test_everybody_has_one_turn_some_at_a_time(store: MemoryStore):
    shard = opened(store, "draft")
    catalog_switch.adopt(shard, catalog("live"))
    assert shard.reconsidering.is_busy
    assert 0 < shard.reconsidering.work() < PEOPLE
    shard.commit()
    assert works_to_the_end(shard) == PEOPLE
    assert all(watched(shard))
    assert len(shard.timers) == PEOPLE
    assert not shard.reconsidering.is_busy


def test_it_goes_on_where_it_was_after_the_process_has_died_and_repeats_nobody(store: MemoryStore):
    shard = opened(store, "live")
    shard.reconsidering.work()
    shard.commit()
    done = turns(shard)
    shard.reconsidering.work()  # this slice is lost with the process
    again = opened(store, "live")
    assert sum(watched(again)) == done
    assert works_to_the_end(again) == PEOPLE - done
    assert all(watched(again))
    third = opened(store, "live")
    assert not third.reconsidering.is_busy
    assert len(third.timers) == PEOPLE


def test_who_had_a_turn_of_their_own_needs_no_other(store: MemoryStore):
    shard = opened(store, "live")
    for name in IDS[:30]:
        shard.tell(name, ordered(START_MS))
    shard.commit()
    assert works_to_the_end(shard) == PEOPLE - 30


def test_a_second_change_while_the_first_is_on_its_way_reaches_everybody(store: MemoryStore):
    shard = opened(store, "draft")
    catalog_switch.adopt(shard, catalog("live"))
    shard.reconsidering.work()
    shard.commit()
    catalog_switch.adopt(shard, catalog("live", spread="2h"))
    works_to_the_end(shard)
    names = {
        record.watched.looked for name in IDS if isinstance(record := shard.record(name), Profile) and record.watched
    }
    assert len(names) == 1
    assert not shard.reconsidering.is_busy
