"""Changes of touchpoint: whence, what came along, by which identifier, and whether it was here in time."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import HOUR, MINUTE, START_MS, Customer, World, action, cart_journey, document

from engine.handoffs import touchpoints
from engine.inputs import Split
from engine.parts.of_identity import HandOff

PHONE = {"userAgent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"}
DESK = {"userAgent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
GOALS = {
    "to_desk": {"from": ["mobile"], "into": ["desktop"], "ready_within": "1s", "carries": ["cart", "consent"]},
    "to_web": {"from": ["pos"], "into": ["web"], "ready_within": "30s"},
}
SHOP = document(
    actions=[action("cart_reminder")],
    journeys=[cart_journey()],
    sources={"sources": {"pos": {"channel": "pos"}, "support": {"channel": "support"}}},
    identity={"transitions": GOALS},
    policies={"caps": [{"id": "weekly", "limit": 2, "per": "7d", "match": {"channel": "email"}}]},
)


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(SHOP, shards=request.param)


def last(who: Customer) -> HandOff:
    return who.profile.handoffs[-1]


def told(who: Customer) -> list[dict[str, Any]]:
    return [entry.detail for entry in who.timeline if entry.kind == "transition"]


def test_from_the_phone_to_the_desk_by_the_user_id(world: World):
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    ada.does("Product Added", cart_id="c1", product_id="boots", context=PHONE)
    ada.does("Product Added", cart_id="c1", product_id="socks", context=PHONE)
    world.advance(minutes=20)
    ada.does("Page Viewed", context=DESK)
    assert last(ada) == HandOff(
        at_ms=world.now_ms,
        was="mobile",
        into="desktop",
        by="user_id",
        took_ms=20 * MINUTE,
        ready_ms=0,
        carried=["cart", "journeys", "consent", "history", "traits"],
        goal="to_desk",
        required_ms=1000,
    )
    assert told(ada)[-1]["carried"] == {"cart": 2, "journeys": 1, "consent": 1, "history": 3, "traits": 1}
    entry = next(entry for entry in ada.timeline if entry.kind == "transition")
    assert (entry.summary, entry.outcome) == ("mobile → desktop by user_id", "met")


def test_a_login_on_another_device_is_ready_when_its_visitor_has_arrived(world: World):
    ada = world.customer("ada@example.com")
    ada.does("Product Added", cart_id="c1", product_id="boots", context=PHONE)
    world.advance(hours=2)
    visitor = world.customer(anonymous="desk")
    visitor.does("Page Viewed", context=DESK)
    world.advance(minutes=3)
    Customer(world, "ada@example.com", "desk").does("Page Viewed", context=DESK)
    world.settle()
    assert visitor.id == ada.id
    found = last(ada)
    assert (found.was, found.into, found.by, found.took_ms) == ("mobile", "desktop", "user_id", 2 * HOUR)
    assert found.ready_ms == 20_000, "two windows of ten seconds on the replay clock"
    assert found.missed == ["ready"]
    assert [entry.reason for entry in ada.timeline if entry.kind == "transition"] == ["transition.ready"]


def test_what_was_awaited_before_a_merge_is_not_awaited_after_its_split(world: World):
    """The next visitor arrives a day later: that hand-off has not taken a day."""
    visitor = world.customer(anonymous="phone")
    visitor.does("Product Added", cart_id="c1", product_id="boots", context=PHONE)
    world.advance(minutes=10)
    ada = world.customer("ada@example.com")
    ada.does("Page Viewed", context=DESK)
    world.advance(minutes=1)
    Customer(world, "ada@example.com", "phone").does("Page Viewed", context=DESK)
    world.advance(minutes=2)
    assert visitor.id == ada.id
    world.engine.ask_profile(ada.id, Split(merge_id=ada.profile.ledger[-1].id))
    world.advance(minutes=2)
    for who in (ada, visitor):
        touch = who.profile.touch
        assert touch is not None and (touch.since_ms, touch.was, touch.asks) == (0, "", False)
    world.advance(days=1)
    ada.does("Page Viewed", context=DESK)
    world.customer(anonymous="other phone").does("Page Viewed", context=PHONE)
    world.advance(minutes=1)
    Customer(world, "ada@example.com", "other phone").does("Page Viewed", context=DESK)
    world.advance(minutes=2)
    assert last(ada).ready_ms <= 30_000


def test_from_the_till_to_the_web_by_the_card(world: World):
    card = (("loyalty_id", "c-77"),)
    till = world.customer()
    till.does("Order Completed", channel="pos", source="pos", identifiers=card, user_id="", anonymous_id="")
    world.advance(days=1)
    ada = world.customer("ada")
    ada.does("Page Viewed", context=DESK)
    assert ada.profile.handoffs == [], "nobody knows yet that the card is hers"
    world.advance(minutes=5)
    ada.does("Identified", kind="identify", identifiers=card, context=DESK)
    world.settle()
    [found] = ada.profile.handoffs
    assert (found.was, found.into, found.by, found.goal) == ("pos", "desktop", "loyalty_id", "to_web")
    assert (found.took_ms, found.ready_ms, found.missed) == (24 * HOUR, 20_000, [])


def test_a_call_to_the_support_and_then_the_web(world: World):
    ada = world.customer("ada")
    ada.does("Ticket Opened", channel="support")
    world.advance(minutes=2)
    ada.does("Page Viewed", channel="app")
    ada.does("Page Viewed", context=PHONE)
    assert [(each.was, each.into) for each in ada.profile.handoffs] == [("support", "app"), ("app", "mobile")]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"context": PHONE}, "the same device"),
        ({"context": {}}, "a page that does not say on which device"),
        ({"channel": "server"}, "a server is no touchpoint"),
        ({"channel": ""}, "nobody says where"),
        ({"channel": "email", "name": "Email Delivered"}, "a message that came is no visit"),
        ({"channel": "app", "imported": True, "at_ms": START_MS - 3 * 24 * HOUR}, "it is history"),
        ({"channel": "app", "at_ms": START_MS - HOUR}, "it is told late"),
    ],
)
def test_what_is_no_change_of_touchpoint(world: World, fields: dict[str, Any], why: str):
    ada = world.customer("ada")
    ada.does("Page Viewed", context=PHONE)
    ada.does(**({"name": "Page Viewed"} | fields))
    ada.does("Page Viewed", context=PHONE)
    assert ada.profile.handoffs == [], why


def test_a_page_that_names_its_device_later_is_the_same_visit(world: World):
    ada = world.customer("ada")
    ada.does("Page Viewed")
    ada.does("Page Viewed", context=DESK)
    ada.does("Page Viewed", context=PHONE)
    assert [(each.was, each.into) for each in ada.profile.handoffs] == [("desktop", "mobile")]


def test_consent_that_a_write_keys_word_cannot_bring_is_missed(world: World):
    """What a goal asks for and there was before: here consent, which a write key cannot give to a known person."""
    ada = world.customer("ada")
    ada.does("Page Viewed", context=PHONE)
    visitor = world.customer(anonymous="desk", consents=("marketing:email",))
    world.advance(minutes=1)
    visitor.does("Page Viewed", context=DESK)
    world.customer("ada", anonymous="desk").does("Page Viewed", context=DESK, public=True)
    world.settle()
    assert last(ada).missed == ["ready", "consent"]


def test_only_the_newest_hand_offs_are_kept(world: World):
    ada = world.customer("ada")
    for number in range(60):
        ada.does("Page Viewed", context=(PHONE, DESK)[number % 2])
    assert len(ada.profile.handoffs) == 20
    assert len(told(ada)) == 59


@pytest.mark.parametrize(
    ("channel", "context", "kind"),
    [
        ("web", {"userAgentData": {"mobile": True}, **DESK}, "mobile"),
        ("web", {"device": {"type": "tablet"}}, "mobile"),
        ("browser", {"device": {"type": "Desktop"}, **PHONE}, "desktop"),
        ("web", {"device": {"type": 7}, "userAgent": ["x"]}, "web"),
        ("web", {"userAgent": "Mozilla/5.0 (iPad; CPU OS 17_0 like Mac OS X)"}, "mobile"),
        ("mobile", {}, "app"),
        ("app", PHONE, "app"),
        ("fax", {}, "other"),
    ],
)
def test_the_kind_of_a_touchpoint(world: World, channel: str, context: dict[str, Any], kind: str):
    assert touchpoints.kind_of(touchpoints.kinds_of(world.catalog), channel, "Page Viewed", context) == kind
