"""What only a write key has stated keeps out nothing that a trusted source says, and asks nobody to look at it."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP
from support.world import Customer, World

from engine import limits
from engine.identity import standing
from engine.seeds import profile_id

CARD, MAIL = ("loyalty_id", "4711"), ("email", "ada@shop.example")
OWN: dict[str, Any] = {
    "badge": {"kind": "device", "unique": True, "shared_above": None},
    "pager": {"kind": "contact", "unique": True},
    "tag": {"kind": "device", "limit": {"count": 2, "within": "30d"}, "shared_above": None},
    "email": {"unique": True},
}


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP | {"identity.yaml": {"namespaces": OWN}}, shards=request.param)


def named(world: World, user: str, *pairs: tuple[str, str], anonymous: str = "", **fields: Any) -> Customer:
    who = world.customer(user, anonymous=anonymous)
    who.does("Seen", identifiers=pairs, **fields)
    world.advance(minutes=2)
    return who


def publicly(world: World, user: str, *pairs: tuple[str, str], anonymous: str = "", **fields: Any) -> Customer:
    return named(world, user, *pairs, anonymous=anonymous, public=True, source="web", **fields)


def values(who: Customer, namespace: str) -> list[str]:
    return [link.value for link in who.profile.identifiers if link.namespace == namespace]


def owner(world: World, pair: tuple[str, str]) -> str:
    return world.engine.resolve(profile_id(world.catalog.id_key, *pair))


def fill(world: World, user: str) -> Customer:
    for start in range(0, 240, 20):
        publicly(world, user, *(("anonymous_id", f"junk-{number:03}") for number in range(start, start + 20)))
    who = world.customer(user)
    assert len(who.profile.identifiers) == limits.IDENTIFIERS_MAX
    return who


def test_a_card_finds_room_among_two_hundred_identifiers_of_a_write_key(world: World):
    named(world, "eva", MAIL, anonymous="laptop")
    eva = fill(world, "eva")
    named(world, "eva", CARD)
    named(world, "", CARD)
    assert len(eva.profile.history) == 15
    assert values(eva, "loyalty_id") == ["4711"] and "junk-000" not in values(eva, "anonymous_id")
    assert values(eva, "anonymous_id")[0] == "laptop" and values(eva, "email") == [MAIL[1]]
    publicly(world, "eva", ("anonymous_id", "one-more"))
    assert "one-more" not in values(eva, "anonymous_id"), "a write key makes no room"


def test_a_browser_that_a_server_key_names_too_makes_no_room(world: World):
    publicly(world, "eva", anonymous="laptop")
    named(world, "eva", anonymous="laptop")
    eva = fill(world, "eva")
    named(world, "eva", CARD)
    (link,) = [link for link in eva.profile.identifiers if link.value == "laptop"]
    assert not link.public and link.source == "test"


def test_an_address_and_what_a_merge_brings_find_room_too(world: World):
    named(world, "", CARD, ("pager", "12"))
    eva = fill(world, "eva")
    named(world, "eva", MAIL, CARD)
    assert owner(world, CARD) == eva.id
    assert values(eva, "email") == [MAIL[1]] and values(eva, "pager") == ["12"]


@pytest.mark.parametrize("namespace", ["badge", "pager"])
def test_a_trusted_value_takes_the_place_of_what_only_a_write_key_has_said(world: World, namespace: str):
    ada = named(world, "ada", MAIL)
    publicly(world, "ada", (namespace, "evil"))
    assert values(ada, namespace) == ["evil"]
    named(world, "ada", (namespace, "real"))
    assert values(ada, namespace) == ["real"] and ada.refusals == []
    publicly(world, "ada", (namespace, "evil"))
    named(world, "ada", (namespace, "second"))
    assert values(ada, namespace) == ["real"]
    assert [entry.namespace for entry in ada.questions] == [namespace], "of two trusted ones somebody is asked"


def test_trusted_values_within_a_limit_take_the_places_of_a_write_keys(world: World):
    ada = named(world, "ada")
    publicly(world, "ada", ("tag", "a"), ("tag", "b"))
    named(world, "ada", ("tag", "c"), ("tag", "d"))
    assert values(ada, "tag") == ["c", "d"]
    named(world, "ada", ("tag", "e"))
    assert values(ada, "tag") == ["c", "d"] and ada.refusals == ["identity.limit"]


def test_a_write_keys_value_keeps_no_two_profiles_apart(world: World):
    ada = named(world, "ada")
    named(world, "", CARD, ("badge", "real"), MAIL)
    publicly(world, "ada", ("badge", "evil"), ("email", "evil@bad.example"))
    named(world, "ada", CARD)
    assert owner(world, CARD) == ada.id
    assert values(ada, "badge") == ["real"] and values(ada, "email") == [MAIL[1]]


def test_a_write_key_fills_no_review_queue(world: World):
    named(world, "dora", MAIL, anonymous="dora-a")
    people = [world.customer("dora")]
    for number in range(5):
        publicly(world, "", MAIL, anonymous=f"fl{number}")
        people.append(publicly(world, "", ("anonymous_id", "dora-a"), anonymous=f"fl{number}"))
        people.append(publicly(world, f"bl{number}", ("loyalty_id", "null"), ("badge", "1"), ("badge", f"x{number}")))
        people.append(publicly(world, f"bl{number}", ("badge", f"y{number}"), ("tag", "1"), ("tag", "2"), ("tag", "3")))
    assert [entry for who in people for entry in who.questions if entry.kind == "merge"] == []
    assert people[-1].refusals.count("identity.unique") == 2, "the timeline says it once of each value"


def test_a_write_key_takes_nobody_apart():
    rules = {"identity.yaml": {"namespaces": OWN, "splits": {"on_unique": "split"}}}
    world = World(SHOP | rules, shards=2)
    ada = named(world, "ada", ("badge", "1"))
    named(world, "", CARD)
    named(world, "ada", CARD)
    publicly(world, "ada", CARD, ("badge", "2"))
    assert owner(world, CARD) == ada.id
    assert all(standing.is_trusted(link) for link in ada.profile.identifiers)
    assert ada.questions == []


def test_two_users_of_the_web_stay_two_whatever_a_trusted_alias_says(world: World):
    old, new = publicly(world, "old-name"), publicly(world, "new-name")
    new.does("Aliased", kind="alias", previous_id="old-name")
    world.advance(minutes=2)
    assert old.id != new.id
    assert values(old, "user_id") == ["old-name"] and values(new, "user_id") == ["new-name"]
