"""A customer can be rebuilt from the journal, now and at any past moment (Invariant 9)."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import DAY, HOUR, YES_TO_MAIL, World, action, cart_journey, document

from actors.maintenance.verify_replay import differences
from actors.shard.journal import replay
from actors.shard.queries.queries import read
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from engine import codec
from engine.errors import NotFound

OFFER = action("offer", channels=["web"], placements=["home_hero"])
FILES = document(
    actions=[action("cart_reminder"), OFFER],
    journeys=[cart_journey()],
    policies={
        "caps": [{"id": "two", "limit": 2, "per": "7d", "match": {"action": "offer"}}],
        "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
    },
)


def faults(world: World) -> list[str]:
    """What the journals of a world give otherwise than its records say."""
    found = []
    for windows in world.engine.windows:
        shard = windows.shard
        shard.commit()
        for key, record in shard.batch.committed("state"):
            profile = keys.profile_of(key)
            found += list(differences(shard.batch, profile, codec.decode_record(record), shard.catalogs))
    return found


def eventful(world: World) -> None:
    """Every kind of turn: events, timers, decides, exposures, consent, sends, absorbs, strangers, failures."""
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    visitor = world.customer(anonymous="laptop")
    world.customer(anonymous="nobody").decides(request_id="r")
    for number in range(100):
        visitor.does("Product Viewed", number=number)
    visitor.does("Product Added", cart_id="v")
    ada.does("Product Added", cart_id="a")
    ada.sees(ada.decides()["actions"][0])
    world.advance(hours=2)
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    world.advance(hours=2)
    ada.does("Order Completed")
    ada.consents("marketing", "email", False)
    world.customer("bob").does("Aliased", kind="alias", previous_id="ada@example.com")
    world.advance(days=1)


@pytest.mark.parametrize("shards", [1, 3])
def test_every_profile_is_what_its_journal_says(shards: int):
    world = World(FILES, shards=shards)
    eventful(world)
    assert faults(world) == []


def test_a_difference_is_found():
    world = World(FILES)
    ada = world.customer("ada")
    ada.does("Page Viewed")
    ada.does("Page Viewed")
    shard = world.engine.shard(ada.id)
    first, second = (entry.number for entry in replay.entries(shard.batch, ada.id))
    assert faults(world) == [] and first < second
    shard.batch.put("journal", keys.journal_key(ada.id, second), None)
    assert faults(world) == ["its state is not what its journal says"]
    shard.batch.put("journal", keys.journal_key(ada.id, first), None)
    assert faults(world) == ["it has no journal"]


def test_a_past_moment_is_what_was_then_also_of_somebody_merged_since():
    world = World(FILES, shards=2)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    place = world.customer(anonymous="laptop")
    laptop = place.id
    place.does("Product Added", cart_id="v")
    moments: list[tuple[int, dict[str, Any]]] = []
    for number in range(90):
        ada.does("Product Viewed", number=number)
        moments.append((world.now_ms, read(world.engine.shard(ada.id), "profile", ada.id)))
        world.advance(minutes=5)
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.advance(days=2)
    for at_ms, known in moments:
        then = read(world.engine.shard(ada.id), "at", ada.id, at_ms)
        assert {name: then[name] for name in known if name != "caps"} == {n: known[n] for n in known if n != "caps"}
    assert read(world.engine.shard(laptop), "at", laptop, moments[0][0])["journeys"][0]["key"] == "v"
    with pytest.raises(NotFound, match="nobody was known"):
        read(world.engine.shard(ada.id), "at", ada.id, moments[0][0] - DAY)


def test_a_snapshot_stands_for_what_is_older_and_what_it_replaces_is_gone():
    world = World(FILES, shards=2)
    eventful(world)
    bob = world.customer("bob")
    for number in range(100):
        bob.does("Product Viewed", number=number)
        world.advance(hours=1)
    shard, profile = world.engine.shard(bob.id), bob.id
    for back_h in (60, 20, 0):
        cut_ms = world.now_ms - back_h * HOUR + 1
        then = read(shard, "at", profile, cut_ms)
        assert replay.compact(shard.batch, profile, shard.catalogs, cut_ms) >= 19
        assert faults(world) == []
        assert all(entry.now_ms >= cut_ms for entry in replay.entries(shard.batch, profile))
        assert len(shard.batch.rows("snapshots", keys.profile_key(profile))) == 1
        assert read(shard, "at", profile, cut_ms) == then
        with pytest.raises(NotFound, match="lies before"):
            read(shard, "at", profile, cut_ms - 2 * HOUR)


def test_the_journal_is_kept_as_long_as_the_catalog_says():
    world = World(document(policies={"workspace": {"journal": "7d"}}), stores=[MemoryStore()])
    ada, bob = world.customer("ada"), world.customer("bob")
    for _ in range(10):
        ada.does("Page Viewed")
        bob.does("Page Viewed")
        world.advance(days=1)
    world.advance(days=3)
    shard = world.engine.windows[0].shard
    while shard.retention.work():
        shard.commit()
    days = [(world.now_ms - entry.now_ms) // DAY for entry in replay.entries(shard.batch, ada.id)]
    assert days == [7, 6, 5, 4]
    assert faults(world) == [] and len(bob.profile.history) == 10
    assert shard.retention.work() == 0


def test_under_a_new_catalog_old_turns_are_replayed_under_the_one_that_they_had():
    stores: list[Any] = [MemoryStore()]
    world = World(FILES, stores=stores)
    eventful(world)
    for day in range(3):
        other = document(actions=[action("cart_reminder"), OFFER | {"value": 2.0 + day}], journeys=[cart_journey()])
        again = World(other, stores=stores)
        again.now_ms = world.now_ms + (day + 1) * DAY
        again.advance(0)
        for number in range(70):
            again.customer("ada@example.com").does("Product Viewed", number=number, message_id=f"{day}.{number}")
        assert faults(again) == []
