"""The playbook `post_purchase`: after a purchase promotions stop at once and stay away, and care comes instead."""

from __future__ import annotations

from typing import Any

import pytest
from support.playbooks import PlaybookWorld
from support.world import Customer

OFFER, CARE = ("email", "post_purchase_offer"), ("email", "post_purchase_care")


@pytest.fixture
def shop() -> PlaybookWorld:
    return PlaybookWorld("post_purchase")


def looks_at(who: Customer, category: str = "bags") -> None:
    who.does("Product Viewed", properties={"product_id": f"{category}-1", "category": category, "name": "Weekender"})


def buys(who: Customer, order: str = "o-1", channel: str = "web") -> None:
    lines: list[dict[str, Any]] = [{"product_id": "bags-1", "category": "bags", "name": "Weekender", "quantity": 1}]
    who.tell(who.event("Order Completed", channel=channel, order_id=order, total=89, products=lines))


def test_without_a_purchase_the_offer_comes_a_day_after_the_look(shop: PlaybookWorld):
    looks_at(shop.somebody())
    shop.advance(hours=23.9)
    assert shop.reached == []
    shop.advance(hours=0.2)
    assert shop.reached == [OFFER]


@pytest.mark.parametrize("channel", ["web", "app", "pos"])
def test_a_purchase_anywhere_withdraws_the_offer_in_that_turn(shop: PlaybookWorld, channel: str):
    ada = shop.somebody()
    looks_at(ada)
    shop.advance(hours=23.9)
    buys(ada, channel=channel)
    assert ada.run("post_purchase_offer").ended_by == "stop.purchase"
    shop.advance(days=2)
    assert shop.reached == []


def test_care_comes_three_days_after_the_purchase(shop: PlaybookWorld):
    buys(shop.somebody())
    shop.advance(days=2.9)
    assert shop.reached == []
    shop.advance(days=0.2)
    assert shop.reached == [CARE]


def test_no_promotion_leaves_for_a_week_and_none_about_the_same_category_for_a_month(shop: PlaybookWorld):
    ada = shop.somebody()
    buys(ada)
    looks_at(ada, "shoes")
    shop.advance(days=5)
    assert shop.reached == [CARE]
    assert ("post_purchase_offer", "suppress.just_bought") in ada.outcomes("held")
    shop.advance(days=3)
    looks_at(ada, "bags")
    shop.advance(days=2)
    assert shop.reached == [CARE], "she has a bag"
    looks_at(ada, "shoes")
    shop.advance(days=2)
    assert shop.reached == [CARE, OFFER]


def test_a_refund_ends_the_care_of_its_own_order_and_lifts_what_held_promotions(shop: PlaybookWorld):
    ada = shop.somebody()
    buys(ada)
    shop.advance(days=1)
    ada.does("Order Refunded", order_id="o-1")
    looks_at(ada, "bags")
    shop.advance(days=3)
    assert shop.reached == [OFFER]
    assert ada.run("post_purchase_care").ended_by == "stop.refunded"


def test_care_comes_twice_a_month_at_most(shop: PlaybookWorld):
    ada = shop.somebody()
    for number in range(4):
        buys(ada, f"o-{number}")
    shop.advance(days=4)
    assert shop.reached == [CARE, CARE]


def test_who_is_held_out_gets_no_care_and_is_left_in_peace_all_the_same():
    shop = PlaybookWorld("post_purchase", holdout=1.0)
    ada = shop.somebody()
    looks_at(ada)
    buys(ada)
    shop.advance(days=6)
    assert shop.reached == []
    assert ("post_purchase_care", "holdout.post_purchase_holdout") in ada.outcomes("held")
