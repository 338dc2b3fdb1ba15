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
from engine.inputs import ConsentChange, Decide
from engine.profile import Profile, Tombstone
from engine.seeds import profile_id

CATALOG = compiled(CART)


ADA, BOB, CY, DEE = (profile_id(ID_KEY, "user_id", name) for name in ("ada", "bob", "cy", "dee"))
TABLET, BROWSER = (profile_id(ID_KEY, *pair) for pair in (("device_id", "tablet"), ("anonymous_id", "browser")))


def leading_round() -> Store:
    """A store in which the place of bob points to ada, who says that a split gave it to cy; and that of a tablet to
    dee, who shares it with others."""
    store = MemoryStore()
    shard = Shard(0, store, CATALOG, WallClock())
    for place, record in (
        (ADA, Profile(ADA, created_ms=1, split_off={BOB: CY})),
        (BOB, Tombstone(ADA, at_ms=1)),
        (CY, Profile(CY, created_ms=1, held=[BOB])),
        (DEE, Profile(DEE, created_ms=1, held=[TABLET], shared=[TABLET])),
        (TABLET, Tombstone(DEE, at_ms=1, shared=True)),
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


def test_a_reading_does_not_go_by_a_pointer_that_a_split_has_ended(served: ServedShard):
    """Whoever is read says nothing of a split, so a reading begins at the place itself."""
    router = Router([served.path])
    router._learn(CY, ADA)
    assert asyncio.run(router.read(CY, "profile"))["profileId"] == CY


def test_what_comes_by_a_shared_identifier_goes_to_the_next_one_each_time(served: ServedShard):
    beside = {"identifiers": (("device_id", "tablet"),), "anonymous_id": "browser"}
    alone = {"identifiers": (("device_id", "tablet"),)}
    nobody = served.customer("")
    told = [nobody.event("Page Viewed", **named) for named in (beside, alone, beside)]
    accepted = asyncio.run(Router([served.path]).ingest([(TABLET, event) for event in told]))
    assert accepted == [EventStatus.ACCEPTED] * 3
    shard = served.shards[-1]
    assert [event.message_id for event in shard.record(DEE).history] == [told[1].message_id]
    assert [event.message_id for event in shard.record(BROWSER).history] == [told[0].message_id, told[2].message_id]
    names = (("device_id", "tablet"), ("anonymous_id", "browser"))
    asked = Decide(placement="home_hero", channel="web", identifiers=names)
    assert asyncio.run(Router([served.path]).tell(TABLET, asked))["profileId"] == BROWSER
