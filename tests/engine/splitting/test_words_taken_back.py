"""The words of a source are taken back, and what they had replaced comes back."""

from __future__ import annotations

from typing import Any

import pytest
from support.splitting import differences, record, split
from support.world import CART, World, document

from engine.contact import addresses
from engine.identity import trait_words
from engine.identity.home import home_of
from engine.inputs import Revert
from engine.recent_events import encoder


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(CART, shards=request.param)


def identified(world: World, who: Any, source: str, **traits: Any) -> None:
    named = (("email", traits["email"]),) if traits.get("email") else ()
    who.does("Identified", kind="identify", source=source, traits=traits, identifiers=named)
    world.advance(minutes=1)


def reverted(world: World, who: Any, source: str, **fields: Any) -> dict[str, Any]:
    answer = world.engine.ask_profile(who.id, Revert(source=source, **fields))
    assert answer is not None
    world.settle()
    assert differences(world) == []
    return answer


def test_what_a_source_replaced_comes_back_when_its_word_is_taken_back(world: World):
    ada = world.customer("ada@example.com")
    identified(world, ada, "shop", hat="green", shoe="blue")
    for number in range(20):
        identified(world, ada, "thief", hat=f"red {number}")
    done = reverted(world, ada, "thief")
    assert done["traits"] == done["restored"] == ["hat"]
    assert ada.profile.trait_values["hat"] == "green" and ada.profile.trait_values["shoe"] == "blue"
    assert reverted(world, ada, "shop")["restored"] == []
    assert "hat" not in ada.profile.traits


def test_what_the_source_itself_had_said_before_comes_back_since_a_time(world: World):
    ada = world.customer("ada@example.com")
    identified(world, ada, "web", hat="green")
    world.advance(hours=2)
    since_ms = world.now_ms
    for number in range(20):
        identified(world, ada, "web", hat=f"red {number}")
    ada.does("Identified", kind="identify", source="web", traits={"hat": "backdated"}, said_ms=since_ms - 1)
    world.settle()
    reverted(world, ada, "web", since_ms=since_ms)
    assert ada.profile.trait_values["hat"] == "green"


def test_a_source_that_says_the_same_again_has_said_it_since_the_first_time(world: World):
    ada = world.customer("ada@example.com")
    identified(world, ada, "web", hat="green")
    world.advance(hours=2)
    since_ms = world.now_ms
    identified(world, ada, "web", hat="green")
    assert ada.profile.traits["hat"].others == []
    reverted(world, ada, "web", since_ms=since_ms)
    assert ada.profile.trait_values["hat"] == "green"


@pytest.mark.parametrize(
    ("keep", "shop", "thief", "stays", "left"),
    [
        ("max", 5, 9, 9, 5),
        ("max", 9, 5, 9, 9),
        ("min", 5, 3, 3, 5),
        ("oldest", "a", "b", "a", "a"),
        ("union", ["a"], ["b"], ["a", "b"], ["a"]),
        ("union", ["a", "b"], ["b"], ["a", "b"], ["a", "b"]),
    ],
)
def test_a_rule_weighs_what_is_left(keep: str, shop: Any, thief: Any, stays: Any, left: Any):
    world = World(document(identity={"traits": {"hat": {"keep": keep}}}))
    ada = world.customer("ada@example.com")
    for source, word in (("shop", shop), ("thief", thief), ("shop", shop)):
        identified(world, ada, source, hat=word)
    assert ada.profile.trait_values["hat"] == stays
    reverted(world, ada, "thief")
    assert ada.profile.trait_values["hat"] == left
    reverted(world, ada, "shop")
    assert "hat" not in ada.profile.traits


def test_the_former_address_is_current_again(world: World):
    ada = world.customer("ada")
    identified(world, ada, "shop", email="ada@example.com")
    identified(world, ada, "shop", email="lovelace@example.com")
    identified(world, ada, "shop", email="ada@example.com")
    identified(world, ada, "thief", email="thief@example.com")
    assert addresses.value(ada.profile, "email") == "thief@example.com"
    assert reverted(world, ada, "thief")["restored"] == ["email"]
    assert addresses.value(ada.profile, "email") == "ada@example.com"
    identified(world, ada, "thief", email=None)
    assert addresses.value(ada.profile, "email") is None
    reverted(world, ada, "thief")
    assert addresses.value(ada.profile, "email") == "ada@example.com"


def test_a_split_gives_back_each_word_that_was_replaced(world: World):
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada@example.com")
    identified(world, visitor, "web", hat="of the visitor")
    identified(world, ada, "shop", hat="of ada")
    visitor_id = visitor.id
    both = world.customer("ada@example.com", anonymous="laptop")
    both.does("Page Viewed")
    world.settle()
    identified(world, visitor, "thief", hat="stolen")
    assert ada.profile.trait_values["hat"] == "stolen"
    split(world, ada.id)
    world.settle()
    assert ada.profile.trait_values["hat"] == "of ada" and ada.profile.traits["hat"].others == []
    assert visitor.id == visitor_id and visitor.profile.trait_values["hat"] == "stolen"
    reverted(world, visitor, "thief")
    assert visitor.profile.trait_values["hat"] == "of the visitor"


def test_what_was_taken_back_does_not_come_back_with_a_split(world: World):
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada@example.com")
    identified(world, visitor, "web", shoe="blue")
    identified(world, ada, "shop", hat="green")
    identified(world, ada, "thief", hat="red")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    reverted(world, ada, "thief")
    split(world, ada.id)
    world.settle()
    assert ada.profile.trait_values["hat"] == "green"
    assert reverted(world, ada, "shop")["restored"] == []


def test_what_is_kept_of_traits_is_bounded_and_one_source_drives_out_no_other(world: World):
    ada = world.customer("ada@example.com")
    identified(world, ada, "shop", hat="green")
    for number in range(12):
        traits = {f"big {each}": f"{number} {'x' * 20_000}" for each in range(10)}
        identified(world, ada, "thief", hat=f"red {number}", **traits)
    kept = [word for trait in ada.profile.traits.values() for word in trait.others]
    assert sum(len(encoder.encode(word)) for word in kept) <= trait_words.BYTES_MAX
    reverted(world, ada, "thief")
    assert ada.profile.trait_values == {"email": "ada@example.com", "hat": "green"}


@pytest.mark.parametrize("who", ["a visitor", "a guest"])
def test_whom_a_source_has_joined_gets_back_all_that_they_had(world: World, who: str):
    """Also what this very source had said of them, before and since."""
    pairs = (("loyalty_id", "4711"), ("email", "gus@example.com"))
    other = world.customer(anonymous="laptop") if who == "a visitor" else world.customer()
    named = {} if who == "a visitor" else {"identifiers": pairs}
    traits = {"name": "Gus"} | ({} if who == "a visitor" else {"email": "gus@example.com"})
    other.does("Identified", kind="identify", source="thief", traits=traits, **named)
    place = home_of(world.catalog, other.event("?", **named)) or ""
    before = record(world, place)
    had = [(link.namespace, link.value, link.source) for link in before.identifiers], before.trait_values
    ada = world.customer("ada")
    identified(world, ada, "shop", hat="green")
    ada.does("Page Viewed", source="thief", anonymous_id=other.anonymous, **named)
    world.settle()
    identified(world, ada, "thief", hat="red")
    assert world.engine.resolve(place) == ada.id
    dry = reverted(world, ada, "thief", dry=True)
    assert dry["traits"] == ["hat"] and dry["restored"] == ["hat"]
    assert reverted(world, ada, "thief") == dry | {"done": True}
    world.drain()
    back = record(world, place)
    assert ([(link.namespace, link.value, link.source) for link in back.identifiers], back.trait_values) == had
    assert ada.profile.trait_values == {"hat": "green"}
    assert [link.namespace for link in ada.profile.identifiers] == ["user_id"]
    assert differences(world) == []
