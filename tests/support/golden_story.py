"""The story of the golden history: for each kind of record, something happens that leaves one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from engine import codec
from engine.inputs import ConsentChange
from support.world import DAY, MINUTE, START_MS, YES_TO_MAIL, Customer, World, action, cart_journey, document

WEB = {"channels": ["web"], "placements": ["home_hero"], "purpose": "service"}
CATALOG: dict[str, Any] = document(
    actions=[
        action("cart_reminder"),
        action("hero", **WEB, value=9.0, category="shoes", group="deals")
        | {
            "variants": [
                {"id": "a", "weight": 2.0, "web": {"content": {"title": "A"}}},
                {"id": "b", "web": {"content": {"title": "B"}}},
            ]
        },
        action("gift", **WEB, value=5.0),
        action("withheld", **WEB | {"placements": ["corner"]}, value=7.0),
        action("text", purpose="service", channels=["sms"]),
    ],
    journeys=[
        cart_journey(),
        cart_journey(
            id="text",
            trigger={"event": "Call Ended"},
            steps=[{"send": {"action": "text", "channel": "sms", "on_held": "wait"}}],
        ),
    ],
    policies={
        "caps": [
            {"id": "mails", "limit": 9, "per": "7d", "match": {"channel": "email"}},
            {"id": "daily", "limit": 50, "per": "day", "window": "calendar", "match": {"group": "deals"}},
        ],
        "budgets": [{"id": "gifts", "limit": 1000, "per": "month", "block": 10, "match": {"action": "gift"}}],
        "holdouts": [{"id": "control", "share": 1.0, "match": {"action": "withheld"}}],
        "fatigue": {"half_life": "1d", "seen": 0.1, "dismissed": 0.3, "clicked": 0.2, "silence_at": 0.95},
        "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
    },
    placements={"placements": [{"id": "home_hero", "channel": "web"}, {"id": "corner", "channel": "web"}]},
    segments={"segments": {"shoppers": {"event": {"name": "Product Viewed", "within": "7d"}}}},
)


def tell(world: World, do: Callable[..., Any]) -> None:
    """Tell it. `do` takes the steps that no client can take. It ends in the middle of everything."""
    ada = _a_visitor_becomes_ada(world)
    _ada_shops(world, ada)
    _others(world)
    _set_aside(world, ada, do)
    do("compact", ada.id, world.now_ms - MINUTE)
    _in_the_middle(world, do)


def _a_visitor_becomes_ada(world: World) -> Customer:
    Customer(world, "", "nobody").decides("corner", request_id="r-0")
    visitor = Customer(world, "", "a1")
    visitor.decides(limit=3)
    visitor.does("Product Viewed", sku="s1", category="shoes")
    ada = Customer(world, "ada@shop.example", "a1")
    ada.identifies(email="ada@shop.example", name="Ada", age=40, vip=True)
    world.settle()
    for purpose in YES_TO_MAIL:
        ada.consents(*purpose.split(":"), True)
    ada.consents("marketing", "sms", False)
    return ada


def _ada_shops(world: World, ada: Customer) -> None:
    for event in ("viewed", "clicked", "dismissed", "converted"):
        for shown in ada.decides(limit=3, request_id=f"r-{event}", explain=True)["actions"]:
            ada.sees(shown, event)
    ada.does("Product Added", cart_id="c1", sku="s1", price=89.9, words=["red", "Größe 41"], none=None)
    for number in range(70):
        ada.does("Page Seen", number=number)
    world.advance(hours=1, minutes=2)
    ada.does("Order Completed", order_id="o1")
    ada.does("Product Added", cart_id="c2")


def _others(world: World) -> None:
    bob = world.customer("bob@shop.example", consents=YES_TO_MAIL)
    bob.does("Product Added", cart_id="c3")
    Customer(world, "gone", "").does("Product Viewed", sku="s2")
    world.settle()
    world.provider_says = "retry"
    world.advance(hours=1, minutes=2)
    world.provider_says = "sent"


def _set_aside(world: World, ada: Customer, do: Callable[..., Any]) -> None:
    change = ConsentChange(
        purpose="marketing", channel="sms", granted=True, at_ms=START_MS, source="test", identifiers=(("user_id", "x"),)
    )
    do("set aside", ada.id, codec.encode_input(change), "a fault of ours")
    said = ["5e4d", "sms", "+436601234567", "", "Hello Ada", ""]
    do("sandbox", ada.id, "5e4d", msgspec.msgpack.encode(said))


def _in_the_middle(world: World, do: Callable[..., Any]) -> None:
    """A timer waits, a send is being handed over, an event waits for its time, and a message has just left."""
    eve = Customer(world, "eve", "a9")
    eve.does("Product Added", cart_id="k1")
    eve.does("Call Ended", cart_id="k2")
    world.engine.stage([eve.event("Order Completed", at_ms=world.now_ms + DAY, order_id="o9")])
    do("advance", world.now_ms + 20_000, "dies")
    world.engine.stage([Customer(world, "late@shop.example", "a-late").event("Identified", kind="identify")])
