"""The playbook `abandoned_browse`: an e-mail with the viewed products, then a push with a limited offer; a control
group."""

from __future__ import annotations

import pytest
from support.playbooks import PlaybookWorld
from support.world import Customer

MAIL, PUSH = ("email", "browse_reminder_viewed"), ("push", "browse_offer")


@pytest.fixture
def shop() -> PlaybookWorld:
    return PlaybookWorld("abandoned_browse")


def looks_at(who: Customer, *names: str) -> None:
    for name in names:
        who.does("Product Viewed", properties={"product_id": name, "name": name, "price": 50})
        who.world.advance(minutes=5)


def test_two_products_are_no_reason_to_write_and_three_are(shop: PlaybookWorld):
    ada, bob = shop.somebody("ada"), shop.somebody("bob")
    looks_at(ada, "Weekender", "Lamp")
    looks_at(bob, "Weekender", "Lamp", "Shoe")
    shop.advance(hours=4.1)
    assert ada.sends == [] and bob.sends == ["browse_reminder_viewed"]


def test_the_email_shows_what_was_looked_at(shop: PlaybookWorld):
    ada = shop.somebody()
    looks_at(ada, "Weekender", "Lamp", "Linen shirt", "Shoe")
    shop.advance(hours=4.1)
    traits = {name: value.value for name, value in ada.profile.traits.items() if name.startswith("viewed_")}
    assert traits == {"viewed_first": "Weekender", "viewed_second": "Lamp", "viewed_last": "Shoe"}


def test_each_look_starts_the_four_hours_anew(shop: PlaybookWorld):
    ada = shop.somebody()
    looks_at(ada, "Weekender", "Lamp", "Shoe")
    shop.advance(hours=3.8)
    looks_at(ada, "Shirt")
    shop.advance(hours=3.8)
    assert shop.reached == []
    shop.advance(hours=0.2)
    assert shop.reached == [MAIL]


def test_a_day_of_silence_later_comes_the_offer(shop: PlaybookWorld):
    looks_at(shop.somebody(), "Weekender", "Lamp", "Shoe")
    shop.advance(hours=27.9)
    assert shop.reached == [MAIL]
    shop.advance(hours=0.3)
    assert shop.reached == [MAIL, PUSH]
    shop.advance(days=10)
    assert shop.reached == [MAIL, PUSH]


@pytest.mark.parametrize("reaction", ["Email Opened", "Email Link Clicked"])
def test_whoever_reads_it_gets_no_offer(shop: PlaybookWorld, reaction: str):
    ada = shop.somebody()
    looks_at(ada, "Weekender", "Lamp", "Shoe")
    shop.advance(hours=4.1)
    shop.told(ada, reaction)
    shop.advance(days=3)
    assert shop.reached == [MAIL]


def test_whoever_comes_back_to_look_gets_no_offer(shop: PlaybookWorld):
    ada = shop.somebody()
    looks_at(ada, "Weekender", "Lamp", "Shoe")
    shop.advance(hours=10)
    looks_at(ada, "Weekender")
    shop.advance(days=3)
    assert shop.reached == [MAIL]


@pytest.mark.parametrize("name", ["Product Added", "Order Completed"])
@pytest.mark.parametrize("hours, before", [(2, 0), (10, 1)])
def test_a_cart_or_a_purchase_ends_it_before_the_next_message(
    shop: PlaybookWorld, name: str, hours: float, before: int
):
    ada = shop.somebody()
    looks_at(ada, "Weekender", "Lamp", "Shoe")
    shop.advance(hours=hours)
    ada.does(name, product_id="Shoe", order_id="o-1")
    shop.advance(days=4)
    assert len(shop.reached) == before
    assert ada.run("browse_rescue").state == "stopped"


def test_whoever_has_just_bought_is_not_written_to(shop: PlaybookWorld):
    ada = shop.somebody()
    ada.does("Order Completed", order_id="o-1")
    looks_at(ada, "Weekender", "Lamp", "Shoe")
    shop.advance(days=3)
    assert shop.reached == []


def test_the_offer_comes_once_a_month_at_most(shop: PlaybookWorld):
    ada = shop.somebody()
    for _ in range(3):
        looks_at(ada, "Weekender", "Lamp", "Shoe")
        shop.advance(days=9)
    assert shop.reached == [MAIL, PUSH, MAIL, MAIL]
    assert ("browse_offer", "cap.browse_offer_monthly") in ada.outcomes("held")


def test_the_control_group_gets_neither():
    shop = PlaybookWorld("abandoned_browse", holdout=1.0)
    ada = shop.somebody()
    looks_at(ada, "Weekender", "Lamp", "Shoe")
    shop.advance(days=4)
    assert shop.reached == []
    assert {reason for _, reason in ada.outcomes("held")} == {"holdout.browse_holdout"}
