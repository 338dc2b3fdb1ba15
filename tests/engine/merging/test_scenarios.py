"""Ada's till, her guest order, the shared till, the twin: as a shop sees them, on the replay clock, with a mailbox."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import RECEIPT
from support.world import YES_TO_MAIL, Customer, World, action, cart_journey, document

from engine.seeds import profile_id

CARD, MAIL = ("loyalty_id", "4711"), ("email", "ada@shop.example")
SHOP = document(
    actions=[action("cart_reminder"), action("receipt", tier="service", purpose="service")],
    journeys=[cart_journey(), RECEIPT | {"trigger": {"event": "Order Shipped"}}],
    policies={"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]},
)


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def at_the_till(world: World, name: str = "Order Completed", *pairs: tuple[str, str], **fields: Any) -> Customer:
    """A till tells what it knows under its server key: a card, and the device that it is itself."""
    till = world.customer()
    till.does(name, identifiers=pairs or (CARD,), source="till", channel="store", **fields)
    world.advance(minutes=1)
    return till


def where(world: World, namespace: str, value: str) -> str:
    return world.engine.resolve(profile_id(world.catalog.id_key, namespace, value))


def test_adas_purchase_by_card_ends_the_reminder_of_the_cart_that_she_filled_online(world: World):
    ada = world.customer("ada@shop.example", consents=YES_TO_MAIL)
    ada.does("Identified", kind="identify", identifiers=(CARD,))  # the shop knows her card
    visitor = world.customer(anonymous="laptop")
    visitor.does("Product Added", cart_id="c1", public=True)
    world.advance(minutes=5)
    world.customer("ada@shop.example", anonymous="laptop").does("Page Viewed", public=True)
    world.advance(minutes=5)
    assert ada.pending_timers == ["abandoned_cart"]
    at_the_till(world)
    world.advance(days=2)
    assert world.mailbox == []
    assert ada.run("abandoned_cart").ended_by == "stop.purchase"
    assert [event.channel for event in ada.profile.history if event.name == "Order Completed"] == ["store"]


def test_the_card_may_become_hers_after_the_purchase(world: World):
    ada = world.customer("ada@shop.example", consents=YES_TO_MAIL)
    ada.does("Product Added", cart_id="c1")
    world.advance(minutes=1)
    at_the_till(world)
    world.advance(minutes=20)
    ada.does("Card Added", identifiers=(CARD,))
    world.advance(days=2)
    assert world.mailbox == [] and where(world, *CARD) == ada.id


def test_her_guest_order_is_hers_as_soon_as_the_shop_says_so(world: World):
    guest = world.customer(anonymous="phone")
    guest.does("Identified", kind="identify", traits={"email": MAIL[1]}, identifiers=(MAIL,), public=True)
    guest.does("Order Completed", order_id="o1", public=True)
    world.advance(minutes=5)
    ada = world.customer("ada")
    ada.does("Signed Up", public=True)
    world.advance(minutes=1)
    assert guest.id != ada.id
    both = world.customer("ada", anonymous="phone")
    both.does("Identified", kind="identify", traits={"email": MAIL[1]}, identifiers=(MAIL,))
    world.advance(minutes=2)
    assert guest.id == ada.id
    assert {"Order Completed", "Signed Up"} <= {event.name for event in ada.profile.history}


def test_all_who_buy_at_till_seven_stay_who_they_are(world: World):
    till = ("device_id", "till-7")
    for number in range(6):
        at_the_till(world, "Order Completed", ("loyalty_id", f"card-{number}"), till)
    owners = [where(world, "loyalty_id", f"card-{number}") for number in range(6)]
    assert len(set(owners)) == 6
    for owner in owners:
        record = world.engine.shard(owner).record(owner)
        assert [event.name for event in record.history] == ["Order Completed"]
        assert [link.value for link in record.identifiers if link.shared] == ["till-7"]


def test_a_till_that_is_named_as_shared_is_nobodys_from_the_start():
    rules = {"identity.yaml": {"namespaces": {"device_id": {"kind": "shared"}}}}
    world = World(SHOP | rules, shards=2)
    for number in range(3):
        at_the_till(world, "Order Completed", ("loyalty_id", f"card-{number}"), ("device_id", "till-7"))
    assert len({where(world, "loyalty_id", f"card-{number}") for number in range(3)}) == 3


def test_the_twin_with_the_same_mailbox_stays_herself_and_gets_her_own_mail_about_her_own_order(world: World):
    ada, eva = world.customer("ada"), world.customer("eva")
    for who in (ada, eva):
        who.does("Identified", kind="identify", traits={"email": MAIL[1]}, identifiers=(MAIL,))
        world.advance(minutes=2)
    assert ada.id != eva.id
    assert eva.refusals == ["identity.unique"]
    assert [(entry.kind, entry.reason, entry.other) for entry in eva.questions] == [
        ("merge", "identity.unique", ada.id)
    ]
    for who in (ada, eva):
        who.does("Order Shipped", order_id=who.user)
    world.advance(minutes=5)
    assert len(world.mailbox) == 2 and {mail["address"] for mail in world.mailbox} == {MAIL[1]}
    assert [len(who.sends) for who in (ada, eva)] == [1, 1]
