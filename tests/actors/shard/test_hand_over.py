"""A past of any length moves to another profile: in pieces, through crashes, and once."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from support.splitting import differences
from support.world import CART, START_MS, World, action, cart_journey, compiled, document

from actors.platform.clock import ReplayClock
from actors.shard import transfer
from actors.shard.journal import replay
from actors.shard.outbox import handing_out
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from engine import codec
from engine.errors import NotFound
from engine.identity.home import home_of
from engine.inputs import Erase, Event, HandOver, Merge, Split
from engine.profile import TraitValue

KB = 1 << 10
SEVERAL_USER_IDS = CART | {"identity.yaml": {"namespaces": {"user_id": {"unique": False}}}}


@pytest.fixture(params=[1, 3], ids=["one shard", "three shards"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(transfer, "PIECE_BYTES_MAX", 2 * KB)
    return World(SEVERAL_USER_IDS, shards=request.param)


def messages_of(world: World) -> list[tuple[str, Any]]:
    """What was told between profiles so far, from the journals: (receiver, input)."""
    found = []
    for windows in world.engine.windows:
        for key, record in windows.shard.scan("journal"):
            found.append((keys.profile_of(key), replay.Entry.read(key, record).told))
    return found


def hand_overs(world: World) -> list[HandOver]:
    told = [told for _, told in messages_of(world) if isinstance(told, HandOver)]
    return [each for each in told if each.state or each.after]


def lives(world: World, **who: str) -> Any:
    """Somebody with a long past."""
    somebody = world.customer(**who)
    for number in range(200):
        somebody.does("Product Viewed", sku=f"{number:04}" * 40)
        world.advance(minutes=1)
    return somebody


def test_a_long_past_moves_in_bounded_pieces_and_nothing_is_missing(world: World):
    visitor = lives(world, anonymous="laptop")
    visitor.does("Product Added", cart_id="c")
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    before = len(visitor.timeline)
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.advance(minutes=30)
    sent = hand_overs(world)
    assert len(sent) > 5
    assert max(len(codec.encode_input(told)) for told in sent) < 5 * KB
    assert [bool(told.after) for told in sent] == [True] * (len(sent) - 1) + [False]
    assert visitor.id == ada.id
    shard = world.engine.shard(ada.id)
    seen = [event.properties["sku"][:4] for event in shard.older(ada.id) if event.name == "Product Viewed"]
    seen += [event.properties["sku"][:4] for event in ada.profile.history if event.name == "Product Viewed"]
    assert sorted(seen) == [f"{number:04}" for number in range(200)]
    assert ada.profile.spilled == len(shard.older(ada.id))
    assert len(ada.timeline) > before
    world.advance(hours=2)
    assert ada.sends == ["cart_reminder"]
    assert differences(world) == []


def test_what_happens_meanwhile_waits_and_follows(world: World):
    visitor = lives(world, anonymous="laptop")
    ada = world.customer("ada@example.com")
    repeated = visitor.does("Product Added", cart_id="c")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    assert visitor.id != ada.id, "pieces are on their way"
    visitor.does("Order Completed")
    visitor.tell(repeated)
    world.advance(minutes=30)
    names = [event.name for event in ada.profile.history]
    assert names.count("Order Completed") == names.count("Product Added") == 1
    assert ada.run("abandoned_cart").ended_by == "stop.purchase"


def test_pieces_follow_whoever_merges_the_survivor_meanwhile(world: World):
    visitor = lives(world, anonymous="laptop")
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.does("Page Viewed")
    bob.does("Page Viewed")
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.settle()
    bob.does("Aliased", kind="alias", previous_id="ada")
    world.advance(minutes=60)
    assert visitor.id == ada.id == bob.id
    shard = world.engine.shard(bob.id)
    events = [*shard.older(bob.id), *bob.profile.history]
    assert len([event for event in events if event.name == "Product Viewed"]) == 200
    assert bob.profile.spilled == len(shard.older(bob.id))
    assert differences(world) == []


def test_three_with_long_pasts_who_alias_one_another_in_a_ring_become_one(world: World):
    names = ("ada", "bob", "cleo")
    three = [lives(world, name=name) for name in names]
    world.engine.stage(
        [who.event("Aliased", kind="alias", previous_id=names[(place + 1) % 3]) for place, who in enumerate(three)]
    )
    world.advance(hours=3)
    assert len({who.id for who in three}) == 1
    one = three[0]
    shard = world.engine.shard(one.id)
    events = [*shard.older(one.id), *one.profile.history]
    assert len([event for event in events if event.name == "Product Viewed"]) == 600
    assert one.profile.spilled == len(shard.older(one.id))
    assert differences(world) == []


@pytest.mark.parametrize("later", range(0, 300, 20))
def test_a_ring_that_closes_while_pieces_are_on_their_way_loses_and_doubles_nothing(later: int, monkeypatch: Any):
    monkeypatch.setattr(transfer, "PIECE_BYTES_MAX", 2 * KB)
    world, names = World(SEVERAL_USER_IDS, shards=2), ("ada", "bob", "cleo")
    three = [lives(world, name=name) for name in names]
    for place, who in enumerate(three):
        world.engine.stage([who.event("Aliased", kind="alias", previous_id=names[(place + 1) % 3])])
        world.advance(later * 1_000)
    world.advance(hours=6)
    assert len({who.id for who in three}) == 1
    one = three[0]
    shard = world.engine.shard(one.id)
    events = [*shard.older(one.id), *one.profile.history]
    assert len([event for event in events if event.name == "Product Viewed"]) == 600
    assert one.profile.spilled == len(shard.older(one.id))
    assert differences(world) == []


def test_an_erasure_meanwhile_reaches_everything(world: World):
    visitor = lives(world, anonymous="laptop")
    ada = world.customer("ada")
    ada.does("Page Viewed")
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.settle()
    here, there = ada.id, visitor.id
    world.advance(minutes=60)
    world.engine.ask_profile(ada.id, Erase())
    world.advance(minutes=5)
    for place in (here, there):
        assert world.engine.shard(place).records("history", place) == []


def test_a_state_made_before_there_were_bounds_moves_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(transfer, "PIECE_BYTES_MAX", 2 * KB)
    monkeypatch.setattr(transfer, "STATE_BYTES_MAX", 8 * KB)
    world = World(CART, shards=2)
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    visitor.does("Product Added", cart_id="c")
    ada.does("Page Viewed")
    visitor.profile.traits.update(
        {f"t{number}": TraitValue(random.Random(number).randbytes(150).hex(), 1) for number in range(100)}
    )
    wanted = dict(visitor.profile.trait_values)
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.advance(minutes=20)
    sent = hand_overs(world)
    assert len(sent) > 2 and max(len(codec.encode_input(told)) for told in sent) < 9 * KB
    assert sent[-1].in_part and sum(bool(told.state) for told in sent) > 2
    assert visitor.id == ada.id
    assert {name: value for name, value in ada.profile.trait_values.items() if name in wanted} == wanted
    assert ada.pending_timers == ["abandoned_cart"]
    (merge,) = ada.shown["merges"]
    assert merge["origin"] == sent[-1].origin and "mergeId" not in merge, "its traits were joined before its state came"
    assert world.engine.shard(ada.id).records("merges", ada.id) == []
    with pytest.raises(NotFound, match="none that can be undone"):
        world.engine.ask_profile(ada.id, Split(merge_id=""))


def test_an_old_hand_over_in_one_piece_is_taken_in_as_it_was(world: World):
    """Its bytes have no position; a journal with it replays."""
    old = codec.encode_input(HandOver(origin="0001" + "ab" * 13, state=b"x", history=((b"k", b"v"),)))
    assert b"after" not in old
    assert codec.decode_input(old).after == b""


def test_a_message_whose_receiver_cannot_be_read_waits_alone_and_the_receiver_is_set_aside():
    shard = Shard(0, MemoryStore(), compiled(CART), ReplayClock(START_MS))
    broken, whole = "0001" + "ab" * 13, "0002" + "cd" * 13
    shard.batch.put("state", keys.profile_key(broken), codec.seal(b"P\xff\xff"))
    assert not shard.deliver(broken, Merge(to=whole), whole, 1), "it is told once its receiver can be read"
    assert shard.deliver(whole, Merge(to=broken), broken, 1)
    shard.commit()
    assert broken in shard.unreadable.reasons and whole not in shard.unreadable.reasons


def test_a_letter_too_large_for_an_answer_is_refused_and_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(handing_out, "ANSWER_BYTES_MAX", 20 * KB)
    text = cart_journey(steps=[{"send": {"action": "text", "channel": "sms"}}])
    shard = Shard(
        0,
        MemoryStore(),
        compiled(document(actions=[action("text", purpose="service", channels=["sms"])], journeys=[text])),
        ReplayClock(START_MS),
    )
    for number, size in enumerate((1, 30, 1, 12, 12, 12)):
        event = Event(
            kind="track",
            name="Product Added",
            at_ms=START_MS,
            received_at_ms=START_MS,
            user_id=f"u{number}",
            properties={"note": "x" * size * KB},
        )
        home = home_of(shard.catalog, event)
        assert home is not None
        shard.tell(home, event)
    shard.commit()
    given = []
    for pull in ("d.0", "d.1", "d.2"):
        ready = shard.outbox.ready(START_MS, 64)
        found = msgspec.msgpack.decode(handing_out.hand_out(shard, ready, pull))
        assert len(found) <= 4
        given += [message["send"] for message in found]
        shard.commit()
    assert len(given) == len(set(given)) == 5
    assert shard.sends["refused"] == 1 and not shard.outbox.ready(START_MS, 64)
