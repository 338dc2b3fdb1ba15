"""A router gets through to somebody, whatever the pointers say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from support.serving import ServedShard
from support.world import CART, ID_KEY, compiled

from actors.platform.clock import WallClock
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from actors.storage.store import Store
from actors.transport.messages.carried import EventStatus
from actors.transport.router import Router
from engine import codec
from engine.inputs import ConsentChange
from engine.profile import Profile, Tombstone
from engine.seeds import profile_id

CATALOG = compiled(CART)


ADA, BOB, CY = (profile_id(ID_KEY, "user_id", name) for name in ("ada", "bob", "cy"))


def leading_round() -> Store:
    """A store in which the place of bob points to ada, who says that a split gave it to cy."""
    store = MemoryStore()
    shard = Shard(0, store, CATALOG, WallClock())
    for place, record in (
        (ADA, Profile(ADA, created_ms=1, split_off={BOB: CY})),
        (BOB, Tombstone(ADA, at_ms=1)),
        (CY, Profile(CY, created_ms=1, held=[BOB])),
    ):
        shard.batch.put("state", keys.profile_key(place), codec.encode_record(record), place)
    shard.commit()
    return store


@pytest.fixture
def served() -> Iterator[ServedShard]:
    made = ServedShard(CATALOG, leading_round)
    yield made
    made.close()


def test_events_come_to_whom_the_split_gave_their_place(served: ServedShard):
    bob = served.customer("bob")
    events = [bob.event("Page Viewed") for _ in range(3)]
    router = Router([served.path])
    told = asyncio.run(router.ingest([(BOB, event) for event in events]))
    assert told == [EventStatus.ACCEPTED] * 3
    cy = served.shards[-1].record(CY)
    assert [event.message_id for event in cy.history] == [event.message_id for event in events]


def test_a_statement_comes_there_too(served: ServedShard):
    said = ConsentChange(
        purpose="marketing",
        channel="email",
        granted=False,
        at_ms=served.customer("bob").world.now_ms,
        source="test",
        identifiers=(("user_id", "bob"),),
    )
    receipt = asyncio.run(Router([served.path]).tell(BOB, said))
    assert receipt["profileId"] == CY
