"""The review queue holds nothing of a person who was erased, whoever was asked about them."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP
from support.splitting import differences, split
from support.world import Customer, World

from engine.inputs import Erase, Join, Reviewed

CARD = ("loyalty_id", "4711")


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def seen(world: World, name: str, *pairs: tuple[str, str], **fields: Any) -> Customer:
    who = world.customer(name)
    who.does("Seen", identifiers=pairs, **fields)
    world.advance(minutes=2)
    return who


def refused(world: World) -> tuple[Customer, Customer]:
    """Ada has the card, so Bob is not merged with her, and somebody is asked."""
    ada, bob = seen(world, "ada", CARD), seen(world, "bob")
    seen(world, "bob", CARD)
    assert asked(bob) == [("merge", ada.id, "open")]
    return ada, bob


def asked(who: Customer) -> list[tuple[str, str, str]]:
    return [(entry.kind, entry.other, entry.state) for entry in who.questions]


def erase(world: World, who: Customer) -> None:
    world.engine.ask_profile(who.id, Erase())
    world.advance(minutes=2)


def join(world: World, one: Customer, other: Customer) -> None:
    world.engine.ask_profile(one.id, Join(other=other.id, source="operator", review="r", force=True))
    world.advance(minutes=2)
    assert one.id == other.id


def test_a_question_about_a_refused_merge_closes(world: World):
    ada, bob = refused(world)
    erase(world, ada)
    assert asked(bob) == [] and bob.profile.asked_about == {} and bob.profile.reviewed == []
    assert differences(world) == []


def test_an_answered_one_goes_too(world: World):
    ada, bob = refused(world)
    world.engine.ask_profile(bob.id, Reviewed(entry=bob.questions[0], accepted=False, by="operator"))
    assert asked(bob) == [("merge", ada.id, "dismissed")]
    erase(world, ada)
    assert asked(bob) == []


def test_who_is_erased_was_merged_into_somebody_before(world: World):
    ada, bob = refused(world)
    aunt = seen(world, "aunt")
    join(world, aunt, ada)
    erase(world, ada)
    assert asked(bob) == []
    assert differences(world) == []


@pytest.mark.parametrize("is_split", [False, True], ids=["joined", "split again"])
def test_who_was_asked_was_merged_into_somebody_before(world: World, is_split: bool):
    ada, bob = refused(world)
    uncle = seen(world, "an uncle")
    join(world, uncle, bob)
    if is_split:
        split(world, bob.id)
        world.advance(minutes=2)
        assert uncle.id != bob.id
    erase(world, ada)
    assert [entry for who in (bob, uncle) for entry in asked(who)] == []
    assert differences(world) == []


def test_both_are_erased_one_after_the_other(world: World):
    ada, bob = refused(world)
    erase(world, bob)
    assert ada.profile.asked_by == []
    erase(world, ada)
    assert differences(world) == []


def test_a_question_about_a_merge_that_was_undone_closes(world: World):
    """What joined a till to Ada turns out to be shared; it is split from her, and erased."""
    seen(world, "", CARD)
    ada = seen(world, "ada")
    ada.does("Seen", identifiers=(CARD,))
    world.advance(minutes=2)
    for name in ("bob", "carl", "dora", "eve", "finn"):
        seen(world, name, CARD)
    assert "split" in [kind for kind, *_ in asked(ada)]
    merged = ada.profile.ledger[-1]
    split(world, ada.id)
    world.advance(minutes=2)
    world.engine.ask_profile(merged.origin, Erase())
    world.advance(minutes=2)
    assert [entry for entry in asked(ada) if entry[1] == merged.origin] == []
    assert differences(world) == []
