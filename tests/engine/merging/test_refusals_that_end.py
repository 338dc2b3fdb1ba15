"""A refusal lasts as long as its reason: who was refused gets the identifier when a trusted source says it again."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP
from support.world import Customer, World

from engine.inputs import AnyInput, Erase, Merge, Revert, Split
from engine.seeds import profile_id

CARD = ("loyalty_id", "4711")


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def shows(world: World, name: str, *pairs: tuple[str, str], **fields: object) -> Customer:
    """Somebody is named with these identifiers."""
    who = world.customer(name)
    who.does("Seen", **({"identifiers": pairs} | fields))
    world.advance(minutes=2)
    return who


def owner(world: World) -> str:
    """Whoever has the card."""
    return world.engine.resolve(profile_id(world.catalog.id_key, *CARD))


def refused(world: World, **fields: object) -> tuple[Customer, Customer]:
    """Carl has the card by mistake, so Bob, whose it is, does not get it."""
    carl, bob = shows(world, "carl"), shows(world, "bob")
    shows(world, "carl", CARD, **fields)
    shows(world, "bob", CARD)
    assert owner(world) == carl.id and bob.refusals == ["identity.unique"]
    return carl, bob


def test_who_had_it_is_erased(world: World):
    carl, bob = refused(world)
    world.engine.ask_profile(carl.id, Erase())
    world.advance(minutes=2)
    shows(world, "bob", CARD)
    assert owner(world) == bob.id


def test_the_word_of_a_source_is_taken_back(world: World):
    carl, bob = refused(world, source="till")
    world.engine.ask_profile(carl.id, Revert(source="till"))
    world.advance(minutes=2)
    shows(world, "bob", CARD)
    assert owner(world) == bob.id
    assert bob.profile.apart == [] and bob.profile.asked_ms == {}


def test_the_till_that_the_card_was_at_is_split_from_who_had_it(world: World):
    shows(world, "", CARD)
    carl, bob = refused(world)
    (merged,) = carl.profile.ledger
    world.engine.ask_profile(carl.id, Split(merge_id=merged.id))
    world.advance(minutes=2)
    shows(world, "bob", CARD)
    assert owner(world) == bob.id
    assert [event.name for event in bob.profile.history] == ["Seen"] * 4


def test_who_had_it_is_no_contradiction_any_more():
    """Nobody tells of it: the repeated word asks again after a while, and until then it costs no message."""
    limited = {"identity.yaml": {"namespaces": {"loyalty_id": {"limit": {"count": 1, "within": "30d"}}}}}
    world = World(SHOP | limited, shards=2)
    mail = ("email", "ada@shop.example")
    shows(world, "", ("loyalty_id", "1"), mail)
    shows(world, "", ("loyalty_id", "2"))
    asked = questions(world)
    for _ in range(20):
        shows(world, "", ("loyalty_id", "2"), mail)
    assert len(asked) == 1
    world.advance(days=31)
    shows(world, "", ("loyalty_id", "2"), mail)
    assert owner_of(world, mail) == owner_of(world, ("loyalty_id", "1")) == owner_of(world, ("loyalty_id", "2"))


def test_a_write_key_that_repeats_its_word_asks_once_an_hour_and_the_timeline_says_it_once(world: World):
    carl, bob = shows(world, "carl", ("anonymous_id", "tablet")), shows(world, "bob")
    asked = questions(world)
    for _ in range(40):
        shows(world, "bob", ("anonymous_id", "tablet"), public=True)
    assert len(asked) == 2
    assert carl.id == owner_of(world, ("anonymous_id", "tablet")) != bob.id
    assert bob.refusals == ["identity.shared"]


def test_a_write_key_that_repeats_it_puts_off_no_trusted_word():
    limited = {"identity.yaml": {"namespaces": {"badge": {"kind": "device", "unique": True, "shared_above": None}}}}
    world = World(SHOP | limited)
    badge = ("badge", "7")
    carl = shows(world, "carl", badge)
    shows(world, "bob")
    asked = questions(world)
    shows(world, "bob", badge)
    for _ in range(4):
        world.advance(minutes=29)
        shows(world, "bob", badge, public=True)
    before = len(asked)
    shows(world, "bob", badge)
    assert len(asked) == before + 1 and carl.id == owner_of(world, badge)


def owner_of(world: World, pair: tuple[str, str]) -> str:
    return world.engine.resolve(profile_id(world.catalog.id_key, *pair))


def questions(world: World) -> list[Merge]:
    """The questions that arrive at places from now on."""
    found: list[Merge] = []
    for windows in world.engine.windows:
        take = windows.shard.deliver

        def deliver(to: str, told: AnyInput, *rest: Any, take: Any = take) -> bool:
            found.extend([told] if isinstance(told, Merge) and told.asked == to else [])
            return take(to, told, *rest)

        windows.shard.deliver = deliver  # type: ignore[method-assign]
    return found
