"""Linking: an anonymous visitor who identifies brings everything along, and meets the user's stops and opt-outs
first."""

from __future__ import annotations

import pytest
from support.world import CART, HOUR, Customer, World, action, cart_journey, document

YES = ("marketing:email",)
SEVERAL_USER_IDS = CART | {"identity.yaml": {"namespaces": {"user_id": {"unique": False}}}}
STOPS = {"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]}


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(CART, shards=request.param)


def test_a_visitor_who_logs_in_brings_history_runs_and_timers_along(world: World):
    ada = world.customer("ada@example.com", consents=YES)
    visitor = world.customer(anonymous="laptop")
    visitor.does("Product Viewed", sku=1)
    visitor.does("Product Added", cart_id="c1")
    both = world.customer("ada@example.com", anonymous="laptop")
    world.advance(minutes=10)
    both.does("Page Viewed")
    world.settle()
    assert visitor.id == ada.id
    names = sorted(event.name for event in ada.profile.history)
    assert names == ["Identified", "Identified", "Page Viewed", "Product Added", "Product Viewed"]
    assert ada.pending_timers == ["abandoned_cart"]
    world.advance(hours=1)
    assert ada.sends == ["cart_reminder"]
    assert [entry.kind for entry in ada.timeline if entry.kind == "merge"] == ["merge"]


def test_a_purchase_that_starts_a_merge_stops_the_visitors_runs_too(world: World):
    world.customer("ada@example.com", consents=YES)
    visitor = world.customer(anonymous="laptop")
    visitor.does("Product Added", cart_id="c1")
    due = world.now_ms + HOUR
    both = world.customer("ada", anonymous="laptop")
    world.customer("ada").identifies(email="ada2@example.com")
    world.engine.stage([both.event("Order Completed", at_ms=due - 1)])
    world.advance(days=2)
    assert world.mailbox == []
    assert both.outcomes("withdrawn") == [("cart_reminder", "stop.purchase")]


def test_a_guests_purchase_stops_the_users_runs_when_the_two_turn_out_to_be_one(world: World):
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Product Added", cart_id="c1")
    world.advance(minutes=5)
    world.customer(anonymous="phone").does("Order Completed")
    world.advance(minutes=5)
    world.customer("ada@example.com", anonymous="phone").does("Page Viewed")
    world.advance(days=1)
    assert world.mailbox == []
    assert ada.run("abandoned_cart").ended_by == "stop.purchase"


def test_what_the_visitor_does_later_reaches_the_user(world: World):
    ada = world.customer("ada@example.com")
    visitor = world.customer(anonymous="laptop")
    visitor.does("Product Viewed")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    visitor.does("Product Added", cart_id="c")
    world.settle()
    visitor.does("Order Completed")
    world.settle()
    names = [event.name for event in ada.profile.history]
    assert sorted(names) == sorted(
        ["Identified", "Identified", "Product Viewed", "Page Viewed", "Product Added", "Order Completed"]
    )


def test_a_repeat_of_what_the_visitor_sent_is_still_a_repeat_after_the_merge(world: World):
    ada = world.customer("ada@example.com")
    visitor = world.customer(anonymous="laptop")
    event = visitor.does("Product Viewed")
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    visitor.tell(event)
    world.settle()
    assert [e.name for e in ada.profile.history].count("Product Viewed") == 1


def test_a_tablet_of_two_people_joins_the_first_one_and_then_nobody(world: World):
    tablet = world.customer(anonymous="tablet")
    tablet.does("Product Viewed")
    ada, bob = world.customer("ada"), world.customer("bob")
    world.customer("ada", anonymous="tablet").does("Page Viewed")
    world.settle()
    world.customer("bob", anonymous="tablet").does("Page Viewed")
    world.advance(minutes=1)
    assert tablet.id == ada.id != bob.id, "no pointer moves"
    assert "Product Viewed" in [event.name for event in ada.profile.history]
    assert [event.name for event in bob.profile.history] == ["Page Viewed"], "and no history"
    for person in (ada, bob):
        assert [link.value for link in person.profile.identifiers if link.shared] == ["tablet"]
    world.customer("carl", anonymous="tablet").does("Page Viewed")
    world.advance(minutes=1)
    assert tablet.id == ada.id != world.customer("carl").id


def test_an_alias_merges_with_the_previous_profile_and_itself_never(world: World):
    world.customer(anonymous="old").does("Product Viewed")
    ada = world.customer("ada")
    ada.does("Aliased", kind="alias", previous_id="old")
    ada.does("Aliased", kind="alias", previous_id="ada")
    world.settle()
    assert world.customer(anonymous="old").id == ada.id
    assert "Product Viewed" in [event.name for event in ada.profile.history]
    assert len([entry for entry in ada.timeline if entry.kind == "merge"]) == 1


def aliases_of_each_other(world: World) -> tuple[Customer, Customer]:
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.does("Page Viewed")
    bob.does("Page Viewed")
    world.engine.stage(
        [
            ada.event("Aliased", kind="alias", previous_id="bob"),
            bob.event("Aliased", kind="alias", previous_id="ada"),
        ]
    )
    world.advance(minutes=1)
    return ada, bob


@pytest.mark.parametrize("shards", [1, 4])
def test_two_users_who_alias_each_other_become_one_and_not_a_deadlock(shards: int):
    ada, bob = aliases_of_each_other(World(SEVERAL_USER_IDS, shards=shards))
    assert ada.id == bob.id and not ada.profile.absorbing
    assert [event.name for event in ada.profile.history].count("Page Viewed") == 2


def test_a_person_has_one_user_id_whatever_an_alias_says(world: World):
    ada, bob = aliases_of_each_other(world)
    assert ada.id != bob.id and not ada.profile.absorbing
    assert [entry.reason for entry in ada.timeline if entry.kind == "identity"] == ["identity.unique"]


def test_an_email_address_finds_its_profile_and_an_opt_out_by_it_counts_for_the_user(world: World):
    by_mail = world.customer()
    ada = world.customer("ada@example.com", consents=YES)
    world.settle()
    by_mail._names = lambda: (("email", "ada@example.com"),)  # type: ignore[method-assign]
    by_mail.consents("marketing", "email", False)
    ada.does("Product Added", cart_id="c")
    world.advance(days=1)
    assert world.mailbox == []
    assert ada.outcomes("held") == [("cart_reminder", "consent.marketing.email")]


def test_an_opt_out_on_either_side_stands_after_the_merge(world: World):
    visitor = world.customer(anonymous="laptop")
    visitor.consents("marketing", "email", False)
    world.advance(minutes=1)
    ada = world.customer("ada@example.com", consents=YES)
    world.customer("ada@example.com", anonymous="laptop").does("Product Added", cart_id="c")
    world.advance(days=1)
    assert ada.sends == []


def test_reservations_above_a_cap_are_withdrawn_newest_first_when_two_become_one():
    caps = {"caps": [{"id": "one", "limit": 1, "per": "7d", "window": "rolling", "match": {"channel": "sms"}}]}
    journey = cart_journey(id="now", steps=[{"send": {"action": "call", "channel": "sms"}}])
    files = document(
        actions=[action("call", purpose="service", channels=["sms"])], journeys=[journey], policies=caps | STOPS
    )
    world = World(files, shards=2)
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    both = world.customer("ada", anonymous="laptop")
    world.engine.stage(
        [
            ada.event("Product Added", cart_id="a"),
            visitor.event("Product Added", cart_id="b", at_ms=world.now_ms + 1),
            both.event("Page Viewed", at_ms=world.now_ms + 2),
        ]
    )
    world.advance(days=1)
    assert len(world.mailbox) == 1
    assert ada.outcomes("withdrawn") == [("call", "cap.one")]
