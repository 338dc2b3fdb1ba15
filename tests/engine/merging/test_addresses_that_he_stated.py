"""What a write key states beside a known person brings neither that person's mail nor their profile to anybody."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP
from support.world import Customer, World, action, document

from engine.contact import addresses
from engine.errors import NotFound
from engine.inputs import Bind, ConsentChange, Erase, Rejoin, Revert
from engine.readings import profiles
from engine.seeds import profile_id

MAIL, HIS, CARD = ("email", "ada@shop.example"), ("email", "mallory@evil.example"), ("loyalty_id", "4711")
ADA, LAPTOP, BROWSER = ("user_id", "ada"), ("anonymous_id", "laptop"), ("anonymous_id", "browser")


def shop(shards: int = 2, **files: Any) -> World:
    service = document(actions=[action("receipt", tier="service", purpose="service")])
    return World(SHOP | {name: file for name, file in service.items() if name not in SHOP} | files, shards=shards)


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return shop(request.param)


def told(world: World, *pairs: tuple[str, str], name: str = "Seen", public: bool = False, **fields: Any) -> Customer:
    named = dict(pairs)
    who = world.customer(named.pop("user_id", ""), anonymous=named.pop("anonymous_id", ""))
    who.does(name, public=public, identifiers=tuple(named.items()), **fields)
    world.advance(minutes=2)
    return who


def states(world: World, *pairs: tuple[str, str], public: bool = True, **fields: Any) -> Customer:
    traits = {namespace: value for namespace, value in pairs if namespace in ("email", "phone")}
    return told(world, *pairs, name="Identified", kind="identify", traits=traits, public=public, **fields)


def at(world: World, pair: tuple[str, str]) -> str:
    return world.engine.resolve(profile_id(world.catalog.id_key, *pair))


def mails(world: World) -> list[str]:
    return [mail["address"] for mail in world.mailbox]


@pytest.mark.parametrize("is_known_by_address", [True, False], ids=["she has an address", "she has none"])
def test_a_guest_with_an_address_that_he_stated_for_her_is_not_her(world: World, is_known_by_address: bool):
    ada = states(world, ADA, LAPTOP, *([MAIL] if is_known_by_address else []), public=False)
    states(world, ADA, HIS)
    told(world, ADA, name="Order Completed", public=True, order_id="o1")  # a receipt may go to the address
    guest = told(world, BROWSER, HIS, name="Order Completed", order_id="o2")
    assert guest.id != ada.id and at(world, HIS) == guest.id
    assert addresses.value(ada.profile, "email") == (MAIL[1] if is_known_by_address else HIS[1])
    assert not any(link.verified for link in ada.profile.identifiers if link.value == HIS[1])


def test_her_receipt_goes_to_the_address_that_only_a_write_key_has_stated_and_an_opt_out_by_it_is_heard(world: World):
    ada = states(world, ADA, HIS)
    ada.does("Order Completed", order_id="o1")
    world.advance(minutes=5)
    assert mails(world) == [HIS[1]]
    opts_out(world, HIS)
    assert heard(ada) == [("email", False)]


def test_whom_a_server_key_names_with_it_gets_the_address_that_a_write_key_had_stated(world: World):
    ada = states(world, ADA, HIS)
    bob = states(world, ("user_id", "bob"), HIS, public=False)
    assert at(world, HIS) == bob.id != ada.id
    assert [link.verified for link in bob.profile.identifiers if link.value == HIS[1]] == [True]
    opts_out(world, HIS)
    assert heard(ada) == heard(bob) == [("email", False)], "it binds all who have the address"


def test_an_erasure_leaves_nothing_at_the_place_of_an_address_that_only_a_write_key_has_stated(world: World):
    ada = states(world, ADA, HIS)
    ada.does("Order Completed", order_id="o1")
    world.advance(minutes=5)
    here = ada.id
    world.engine.ask_profile(here, Erase())
    world.advance(minutes=2)
    place = profile_id(world.catalog.id_key, *HIS)
    left = world.engine.shard(place).record(place)
    assert not getattr(left, "holders", []) and not getattr(left, "lent", [])


def opts_out(world: World, pair: tuple[str, str]) -> None:
    """A word by an address alone, as a link of a mail says it."""
    place = profile_id(world.catalog.id_key, *pair)
    said = ConsentChange(purpose="*", channel="email", granted=False, at_ms=world.now_ms, source="link", address=place)
    world.engine.shard(place).tell(place, Bind(change=said))
    world.advance(minutes=2)


def heard(who: Customer) -> list[tuple[str, bool]]:
    """The words that bind an address of theirs."""
    return [(word.channel, word.granted) for word in who.profile.consent if not word.granted]


# -- a browser that stated her address


@pytest.mark.parametrize("namespace", ["anonymous_id", "device_id"])
def test_a_stated_address_and_a_named_browser_of_hers_do_not_make_him_her(world: World, namespace: str):
    hers = (namespace, "hers")
    ada = states(world, ADA, hers, MAIL, public=False)
    guest = told(world, BROWSER, HIS, name="Order Completed", order_id="o1")
    states(world, BROWSER, MAIL)  # he types hers into a form
    told(world, BROWSER, hers, HIS, name="Order Completed", order_id="o2")
    told(world, hers, HIS, name="Order Completed", order_id="o3")
    assert at(world, HIS) == guest.id != ada.id
    assert not any(link.value == HIS[1] and link.verified for link in ada.profile.identifiers if link.source == "")


def test_an_address_that_the_input_names_beside_the_browser_joins_a_guest(world: World):
    ada = states(world, ADA, MAIL, public=False)
    guest = told(world, BROWSER, MAIL, public=True)
    assert guest.id != ada.id
    told(world, ADA, BROWSER, MAIL)
    assert guest.id == ada.id


# -- a card that a write key names first


def test_a_card_that_a_write_key_names_first_is_whoevers_a_server_key_says(world: World):
    told(world, ("user_id", "mallory"), CARD, public=True)
    bob = told(world, ("user_id", "bob"), CARD)
    assert at(world, CARD) == bob.id
    assert ("loyalty_id", "4711") not in {
        (link.namespace, link.value) for link in world.customer("mallory").profile.identifiers if not link.public
    }


@pytest.mark.parametrize("pair", [MAIL, ("phone", "+4915112345678"), CARD], ids=lambda pair: pair[0])
def test_a_browser_that_stated_what_is_hers_before_the_shop_knew_it_does_not_become_hers(
    world: World, pair: tuple[str, str]
):
    ada = states(world, ADA, LAPTOP, public=False)
    states(world, BROWSER, pair)
    states(world, ADA, pair, public=False)
    assert at(world, BROWSER) != ada.id == at(world, pair)
    assert ada.profile.ledger == [] or all(("anonymous_id", "browser") not in m.identifiers for m in ada.profile.ledger)


# -- who may not merge does not bind who may


def test_a_tills_word_does_not_keep_a_server_key_from_joining(world: World):
    till = shop(**{"sources.yaml": {"sources": {"till": {"channel": "till", "merge": False}}}})
    ada = told(till, ADA)
    told(till, CARD)
    told(till, ADA, CARD, source="till")
    assert ada.id != at(till, CARD)
    told(till, ADA, CARD)
    assert ada.id == at(till, CARD)


# -- what is shown of it


def test_the_timeline_and_the_profile_say_whose_word_it_was(world: World):
    told(world, ("user_id", "bob"), CARD)
    ada = states(world, ADA, MAIL, public=False)
    states(world, ADA, HIS, source="web")
    told(world, ADA, CARD, source="pos")
    told(world, ADA, ("loyalty_id", "null"), source="web", public=True)
    assert "identity.blocked" not in ada.refusals, "nobody fills the review queue with it"
    told(world, ADA, ("loyalty_id", "null"), source="crm")
    refused = {entry.reason: entry.source for entry in ada.timeline if entry.outcome == "refused"}
    assert refused == {"address.unverified": "web", "identity.unique": "pos", "identity.blocked": "crm"}
    known = profiles.profile(ada.profile, world.catalog, world.now_ms)["identifiers"]
    shown = {each["value"]: each.get("source") for each in known}
    assert shown[HIS[1]] == "web" and shown[MAIL[1]] == "test"


def test_a_revert_of_nobody_is_refused_and_so_is_a_rejoining_by_a_wrong_id(world: World):
    with pytest.raises(NotFound) as nobody:
        world.engine.ask_profile(at(world, ("user_id", "ghost")), Revert(source="web"))
    assert nobody.value.field == "identifier"
    ada = told(world, ADA)
    with pytest.raises(NotFound) as wrong:
        world.engine.ask_profile(ada.id, Rejoin(merge_id="0" * 24))
    assert wrong.value.field == "splitId"
