"""What comes by an identifier that several people share goes to whomever it names beside that
(`docs/design/identity.md#shared-values`)."""

from __future__ import annotations

from typing import Any

import pytest
from support import splitting
from support.letters import SHOP
from support.world import Customer, World, action

from engine.seeds import profile_id

Pair = tuple[str, str]
TABLET, MAIL = ("device_id", "tablet"), ("email", "family@shop.example")
BROWSER, PHONE = ("anonymous_id", "browser"), ("phone", "+4915112345600")


def by(world: World, *pairs: Pair) -> Customer:
    """Whoever is known by these identifiers."""
    named = dict(pairs)
    who = world.customer(named.pop("user_id", ""), anonymous=named.pop("anonymous_id", ""))
    tell, rest = who.event, tuple(named.items())
    who.event = lambda name, **fields: tell(name, **({"identifiers": rest} | fields))  # type: ignore[method-assign]
    who._names = lambda: pairs  # type: ignore[method-assign]
    return who


def seen(world: World, *pairs: Pair, **fields: Any) -> Customer:
    who = by(world, *pairs)
    who.does("Seen", **fields)
    world.advance(minutes=2)
    return who


def share(world: World, *shared: Pair) -> Customer:
    """Five people who have these identifiers; the first of them, who has their places."""
    people = [seen(world, ("user_id", f"u{number}"), *shared) for number in range(5)]
    for who in people:
        assert {(link.namespace, link.value) for link in who.profile.identifiers if link.shared} == {*shared}
    return people[0]


def events(who: Customer) -> list[str]:
    return [event.name for event in who.profile.history]


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP | {"actions/offer.yaml": action("offer", channels=["web"])}, shards=request.param)


@pytest.mark.parametrize("public", [True, False], ids=["write key", "server"])
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "known before"])
def test_a_visitor_on_a_shared_tablet_stays_a_visitor(world: World, public: bool, is_new: bool):
    first = share(world, TABLET)
    if not is_new:
        seen(world, BROWSER)
    seen(world, BROWSER, TABLET, public=public, traits={"hat": "red"})
    visitor = by(world, BROWSER)
    assert visitor.id != first.id and events(visitor) == ["Seen"] * (1 if is_new else 2)
    assert visitor.profile.traits["hat"].value == "red"
    assert events(first) == ["Seen"] and "hat" not in first.profile.traits
    assert first.profile.ledger == []


def test_a_decision_on_a_shared_tablet_is_the_visitor_s(world: World):
    first = share(world, TABLET)
    visitor = seen(world, BROWSER)
    answer = by(world, BROWSER, TABLET).decides()
    assert answer["profileId"] == visitor.id != first.id


def test_a_statement_beside_a_shared_mailbox_is_of_whom_it_names(world: World):
    first = share(world, MAIL)
    visitor = seen(world, BROWSER)
    by(world, BROWSER, MAIL).consents("marketing", "web", False)
    assert [word.granted for word in visitor.profile.consent] == [False] and first.profile.consent == []


def test_values_beside_a_shared_mailbox_replace_none_of_the_first_one_s(world: World):
    first = share(world, MAIL)
    traits = {"email": MAIL[1], "phone": PHONE[1], "name": "Opa"}
    seen(world, MAIL, PHONE, kind="identify", traits=traits)
    opa = by(world, PHONE)
    assert opa.id != first.id and opa.profile.traits["name"].value == "Opa"
    assert opa.shown["addresses"] == {"email": MAIL[1], "phone": PHONE[1]}, "mail to a shared address still goes"
    assert first.shown["addresses"]["phone"] is None and "name" not in first.profile.traits


def test_what_carries_nothing_else_or_the_first_one_s_own_stays_hers(world: World):
    first = share(world, TABLET)
    seen(world, TABLET)
    seen(world, ("user_id", "u0"), BROWSER)
    seen(world, TABLET, BROWSER)
    assert events(first) == ["Seen"] * 4


def test_what_is_repeated_after_it_became_shared_counts_once(world: World):
    people = [seen(world, ("user_id", f"u{number}"), TABLET) for number in range(3)]
    visitor = by(world, BROWSER, TABLET)
    told = visitor.event("Seen")
    visitor.tell(told)
    world.advance(minutes=2)
    seen(world, ("user_id", "u3"), TABLET)
    visitor.tell(told)
    world.advance(minutes=2)
    assert [event.message_id for who in people for event in who.profile.history].count(told.message_id) == 1
    assert visitor.id == people[0].id


@pytest.mark.parametrize("when", ["before the split", "after it"])
def test_two_of_a_split_do_not_send_it_round(world: World, when: str):
    """The tablet is one side's, the browser beside it the other's."""
    till, ada = seen(world, TABLET), seen(world, ("user_id", "ada"), BROWSER)
    seen(world, ("user_id", "ada"), TABLET)
    assert till.id == ada.id

    def become_shared() -> None:
        for number in range(4):
            seen(world, ("user_id", f"u{number}"), TABLET)

    if when == "before the split":
        become_shared()
    splitting.split(world, ada.id, 0)
    world.advance(minutes=2)
    if when == "after it":
        become_shared()
    assert by(world, TABLET).id != ada.id
    by(world, TABLET, BROWSER).does("Bought")
    world.advance(minutes=2)
    assert [event.name for event in ada.profile.history][-1] == "Bought"


@pytest.mark.parametrize("public", [True, False], ids=["write key", "server"])
def test_a_device_finds_out_that_it_is_shared_where_a_common_mailbox_is_named_with_it(world: World, public: bool):
    for number in range(6):
        who = by(world, ("user_id", f"u{number}"), TABLET, MAIL)
        who.does("Identified", kind="identify", traits={"email": MAIL[1]}, public=public)
        world.advance(minutes=2)
    place = profile_id(world.catalog.id_key, *TABLET)
    people = [by(world, ("user_id", f"u{number}")) for number in range(6)]
    assert all(place in who.profile.shared for who in people)
    seen(world, BROWSER, TABLET, public=True)
    assert by(world, BROWSER).id not in [who.id for who in people]


def test_a_person_s_guest_orders_do_not_make_their_device_a_shared_one(world: World):
    """Profiles with one address that nobody has verified may be one person."""
    seen(world, ("user_id", "ada"), TABLET, MAIL, kind="identify", traits={"email": MAIL[1]})
    for number in range(5):
        guest = by(world, ("anonymous_id", f"browser{number}"), MAIL)
        guest.does("Identified", kind="identify", traits={"email": MAIL[1]}, public=True)
        seen(world, ("anonymous_id", f"browser{number}"), TABLET, public=True)
    links = by(world, ("user_id", "ada")).profile.identifiers
    assert [link.namespace for link in links if link.shared] == []
