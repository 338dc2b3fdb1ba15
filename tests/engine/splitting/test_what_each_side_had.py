"""Locale, zone and verified addresses go back: after a split to each side's own, after a revert to what they were."""

from __future__ import annotations

from typing import Any

import pytest
from support.splitting import differences, split
from support.world import CART, Customer, World, compiled

from engine.contact import whereabouts
from engine.inputs import Confirm, Join, Revert
from engine.parts.of_identity import Link

MAIL = "ada@example.com"


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(CART, shards=request.param)


def comes(world: World, who: Customer, source: str = "web", *, event: str = "Page Viewed", **fields: Any) -> None:
    who.does(event, source=source, **fields)
    world.advance(minutes=1)


def from_(zone: str, locale: str) -> dict[str, Any]:
    return {"context": {"timezone": zone, "locale": locale}}


def where(who: Customer) -> tuple[str, str, int, int]:
    known = who.profile
    assert whereabouts.stated_zone(known) == known.timezone
    return known.timezone, known.locale, known.timezone_ms, known.locale_ms


def states(world: World, who: Customer, source: str, *, public: bool) -> None:
    pair = (("email", MAIL),)
    said = {"event": "Identified", "kind": "identify", "traits": {"email": MAIL}, "identifiers": pair}
    comes(world, who, source, public=public, **said)


def address(who: Customer) -> Link:
    (found,) = [link for link in who.profile.identifiers if link.namespace == "email"]
    return found


def reverted(world: World, who: Customer, source: str, **fields: Any) -> dict[str, Any]:
    answer = world.engine.ask_profile(who.id, Revert(source=source, **fields))
    assert answer is not None
    world.settle()
    assert differences(world) == []
    return answer


def in_one(world: World, ada: Customer, laptop: Customer) -> None:
    world.engine.ask_profile(ada.id, Join(other=laptop.id, source="operator", force=True))
    world.settle()
    assert laptop.id == ada.id


def apart(world: World, ada: Customer, laptop: Customer) -> None:
    split(world, ada.id)
    world.settle()
    assert laptop.id != ada.id
    assert differences(world) == []


# -- locale and zone


def test_both_have_their_own_zone_again(world: World):
    ada, laptop = world.customer("ada"), world.customer(anonymous="laptop")
    comes(world, ada, **from_("Europe/Vienna", "de"))
    comes(world, laptop, **from_("Europe/Paris", "fr"))
    were = where(ada), where(laptop)
    in_one(world, ada, laptop)
    assert where(ada) == were[1]
    apart(world, ada, laptop)
    assert (where(ada), where(laptop)) == were


def test_each_has_the_zone_that_its_own_events_have_told_meanwhile(world: World):
    ada, laptop = world.customer("ada"), world.customer(anonymous="laptop")
    comes(world, ada, **from_("Europe/Vienna", "de"))
    comes(world, laptop, **from_("Europe/Paris", "fr"))
    in_one(world, ada, laptop)
    comes(world, laptop, **from_("Asia/Tokyo", "ja"))
    comes(world, ada, **from_("Europe/Vienna", "de"), said_ms=world.now_ms)
    comes(world, laptop)
    apart(world, ada, laptop)
    assert where(laptop)[:2] == ("Asia/Tokyo", "ja")
    assert where(ada)[:2] == ("Europe/Vienna", "de")


def test_a_zone_goes_with_the_event_that_told_it_though_another_happened_at_that_instant(world: World):
    ada, laptop = world.customer("ada"), world.customer(anonymous="laptop")
    comes(world, ada, **from_("Europe/Vienna", "de"))
    comes(world, laptop)
    in_one(world, ada, laptop)
    world.engine.stage([laptop.event("Page Viewed", **from_("Asia/Tokyo", "ja")), ada.event("Page Viewed")])
    world.settle()
    apart(world, ada, laptop)
    assert where(laptop)[:2] == ("Asia/Tokyo", "ja")
    assert where(ada)[:2] == ("Europe/Vienna", "de")


def test_a_zone_that_a_source_told_is_taken_back(world: World):
    ada = world.customer("ada")
    comes(world, ada, "shop", **from_("Europe/Vienna", "de"))
    comes(world, ada, "web")
    was = where(ada)
    for zone in ("Asia/Tokyo", "Asia/Seoul"):
        comes(world, ada, "thief", **from_(zone, "xx"))
    told = reverted(world, ada, "thief", dry=True)
    assert told["traits"] == told["restored"] == ["context.locale", "context.timezone"]
    assert where(ada)[0] == "Asia/Seoul"
    reverted(world, ada, "thief")
    assert where(ada) == was
    assert reverted(world, ada, "shop")["restored"] == []
    assert where(ada) == ("", "", 0, 0)


# -- verified addresses


def both_with_the_address(world: World) -> tuple[Customer, Customer]:
    """Ada and a laptop, each with an address that a write key has stated, in one."""
    ada, laptop = world.customer("ada"), world.customer(anonymous="laptop")
    states(world, ada, "web", public=True)
    states(world, laptop, "web", public=True)
    assert laptop.id != ada.id and not (address(ada).verified or address(laptop).verified)
    in_one(world, ada, laptop)
    assert not address(ada).verified
    return ada, laptop


def test_an_address_that_was_verified_meanwhile_is_verified_where_it_was_said(world: World):
    ada, laptop = both_with_the_address(world)
    were = address(laptop).source, address(laptop).public
    states(world, ada, "shop", public=False)
    assert address(ada).verified
    apart(world, ada, laptop)
    assert address(ada).verified and address(ada).source == "shop"
    assert not address(laptop).verified and (address(laptop).source, address(laptop).public) == were


@pytest.mark.parametrize("policy", ["survivor", "other", "both"])
def test_an_address_that_its_mailbox_confirmed_goes_by_policy(policy: str):
    world = World(compiled(CART | {"identity.yaml": {"splits": {"unidentified": policy}}}))
    ada, laptop = both_with_the_address(world)
    (place,) = [each for each in ada.profile.told if each]
    world.engine.ask_profile(ada.id, Confirm(address=place))
    world.settle()
    assert address(ada).confirmed_ms
    apart(world, ada, laptop)
    confirmed = [bool(address(who).verified and address(who).confirmed_ms) for who in (ada, laptop)]
    assert confirmed == [policy != "other", policy != "survivor"]


def test_an_address_that_a_source_has_verified_is_not_verified_without_it(world: World):
    ada = world.customer("ada")
    states(world, ada, "web", public=True)
    was = world.now_ms
    states(world, ada, "thief", public=False)
    assert address(ada).verified
    assert reverted(world, ada, "thief", since_ms=world.now_ms)["unverified"] == []
    told = reverted(world, ada, "thief", since_ms=was - 1)
    assert told["identifiers"] == [] and told["unverified"] == [f"email:{MAIL}"]
    assert not address(ada).verified and (address(ada).source, address(ada).public) == ("web", True)


def test_an_address_that_its_mailbox_confirmed_stays_verified(world: World):
    ada = world.customer("ada")
    states(world, ada, "web", public=True)
    states(world, ada, "thief", public=False)
    (place,) = ada.profile.told
    world.engine.ask_profile(ada.id, Confirm(address=place))
    world.settle()
    assert reverted(world, ada, "thief")["unverified"] == []
    assert address(ada).verified and address(ada).confirmed_ms
