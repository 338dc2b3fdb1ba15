"""What runs may still have to hear stays, however much happens after it, and however long it takes."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import CART, DAY, HOUR, YES_TO_MAIL, Customer, World, action, cart_journey, document

from engine import limits
from engine.events import history, kept

WEEK_LATER: list[dict[str, Any]] = [{"wait": {"for": "7d"}}, {"send": {"action": "cart_reminder", "channel": "email"}}]
PURCHASE = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}
CLICK = {"wait_for": {"event": "Clicked", "where": {"on": "a"}, "timeout": "6h", "on_timeout": "exit"}}
LETTER = {"send": {"action": "cart_reminder", "channel": "email"}}


def shop(steps: list[dict[str, Any]], stop: dict[str, Any] = PURCHASE, **changes: Any) -> World:
    journey = cart_journey(steps=steps, **changes)
    reminder = action("cart_reminder", **({"tier": changes["tier"]} if "tier" in changes else {}))
    return World(document(actions=[reminder], journeys=[journey], policies={"stops": [stop]}))


def looks_around(somebody: Customer, pages: int) -> None:
    for number in range(pages):
        somebody.world.advance(1_000)
        somebody.does("Page Viewed", path=f"/{number}")


def logs_in(world: World, user: str, anonymous: str) -> None:
    world.customer(user, anonymous=anonymous).does("Logged In")
    world.settle()


@pytest.mark.parametrize("pages", [5, 40, 300])
@pytest.mark.parametrize("has_tier", [True, False])
@pytest.mark.parametrize("is_mirrored", [True, False], ids=["the buyer is absorbed", "the cart is absorbed"])
def test_what_a_visitor_bought_days_before_a_log_in_stops_the_cart(pages: int, has_tier: bool, is_mirrored: bool):
    world = shop(WEEK_LATER, PURCHASE if has_tier else {"id": "purchase", "on": "Order Completed"})
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    visitor = world.customer(anonymous="laptop")
    buys, fills = (visitor, ada) if is_mirrored else (ada, visitor)
    fills.does("Product Added", cart_id="c")
    world.advance(hours=1)
    buys.does("Order Completed")
    world.advance(days=4)
    looks_around(buys, pages)
    logs_in(world, "ada@example.com", "laptop")
    world.advance(days=5)
    assert (ada.run("abandoned_cart").ended_by, ada.sends) == ("stop.purchase", [])


def test_a_stop_keeps_what_passes_its_tests():
    stop = {"id": "thanks", "on": "Page Viewed", "where": {"path": "/thanks"}}
    world = shop(WEEK_LATER, stop)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    cart_ms = world.now_ms
    world.advance(minutes=1)
    ada.does("Page Viewed", path="/thanks")
    looks_around(ada, 110)
    ada.does("Product Added", cart_id="c", at_ms=cart_ms)
    assert ada.profile.runs == []


@pytest.mark.parametrize("stop", ["$event.cart_id", "none"])
def test_a_stop_about_one_of_many_carts_is_kept(stop: str):
    own = {"id": "cleared", "on": "Cart Cleared"} | ({"where": {"cart_id": stop}} if stop != "none" else {})
    world = shop(WEEK_LATER, stops=[own], re_entry={"concurrent": 9}, **({} if stop == "none" else {"key": None}))
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    world.advance(hours=1)
    for number in range(40):
        ada.does("Cart Cleared", cart_id=f"c{number}")
    looks_around(ada, 60)
    for cart in ("c0", "c39", "other"):
        ada.does("Product Added", cart_id=cart, at_ms=world.now_ms - HOUR)
    assert [run.trigger["cart_id"] for run in ada.profile.runs] == ["other"]


@pytest.mark.parametrize("pages", [5, 40, 200])
def test_what_a_step_waits_for_is_heard_by_a_run_whose_trigger_comes_late(pages: int):
    world = shop([CLICK, LETTER])
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    cart_ms = world.now_ms
    world.advance(minutes=5)
    ada.does("Clicked", on="a")
    for _ in range(9):
        ada.does("Clicked", on="b")
    looks_around(ada, pages)
    ada.does("Product Added", cart_id="c", at_ms=cart_ms)
    world.settle()
    assert ada.sends == ["cart_reminder"]


@pytest.mark.parametrize("pages", [5, 40])
@pytest.mark.parametrize("step", [CLICK, {"wait": {"for": "2h", "reset_on": ["Clicked"]}}], ids=["awaited", "reset"])
def test_what_a_visitor_did_is_heard_by_the_run_of_whom_he_turns_out_to_be(pages: int, step: dict[str, Any]):
    world = shop([step, LETTER])
    ada, visitor = world.customer("ada@example.com", consents=YES_TO_MAIL), world.customer(anonymous="laptop")
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=30)
    visitor.does("Clicked", on="a")
    looks_around(visitor, pages)
    logs_in(world, "ada@example.com", "laptop")
    if step is CLICK:
        assert ada.sends == ["cart_reminder"]
    else:
        assert ada.run("abandoned_cart").due_ms > world.now_ms + HOUR + 59 * 60_000


def test_clicks_make_no_purchase_go():
    world = shop([CLICK, LETTER], re_entry={"concurrent": 9})
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    cart_ms = world.now_ms
    ada.does("Order Completed")
    for number in range(300):
        ada.does("Clicked", on="a", cart_id=f"c{number}", text="x" * 20_000)
    assert ada.profile.history.packed_bytes <= limits.RECENT_BYTES_MAX
    assert "Order Completed" in {event.name for event in ada.profile.history}
    ada.does("Product Added", cart_id="c", at_ms=cart_ms - 1)
    assert [run for run in ada.profile.runs if run.state == "active"] == []


@pytest.mark.parametrize("size", [10, 20_000])
def test_what_is_kept_is_bounded(size: int):
    own = {"id": "cleared", "on": "Cart Cleared"}
    world = shop([CLICK, LETTER], stops=[own])
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    for number in range(200):
        for name in ("Cart Cleared", "Clicked", "Order Completed"):
            ada.does(name, on="a", cart_id=f"c{number}", text="x" * size)
    most = history.RECENT_MAX + kept.STOPS_KEPT + kept.WAITS_KEPT + 4
    assert len(ada.profile.history) <= most
    assert ada.profile.history.packed_bytes <= limits.RECENT_BYTES_MAX
    world.advance(days=40)
    looks_around(ada, 40)
    old = [event.name for event in ada.profile.history if event.at_ms < world.now_ms - 30 * DAY]
    assert len(old) <= 2 * kept.OLD_KEPT + 1 and "Order Completed" in old


def test_a_purchase_is_kept_as_one():
    world = World(CART)
    ada = world.customer("ada")
    for _ in range(100):
        ada.does("Order Completed")
        looks_around(ada, 1)
    assert len(ada.profile.history) <= history.RECENT_MAX + 1 + history.PAGE_EVENTS
