"""The playbook `abandoned_cart`: e-mail soon, push if there was no human open, click or visit, SMS for high value."""

from __future__ import annotations

import pytest
from support.playbooks import PlaybookWorld
from support.world import Customer

MAIL, PUSH, TEXT = ("email", "cart_rescue"), ("push", "cart_rescue"), ("sms", "cart_rescue_text")


@pytest.fixture
def shop() -> PlaybookWorld:
    return PlaybookWorld("abandoned_cart")


def fills(who: Customer, value: float = 80, cart: str = "c-1") -> None:
    thing = {"cart_id": cart, "product_id": "bag-7", "name": "Weekender", "value": value}
    who.does("Product Added", properties=thing)


def test_an_email_leaves_an_hour_after_the_last_thing_was_added(shop: PlaybookWorld):
    ada = shop.somebody()
    fills(ada)
    shop.advance(minutes=50)
    fills(ada)
    shop.advance(minutes=59)
    assert shop.reached == []
    shop.advance(minutes=2)
    assert shop.reached == [MAIL]


def test_a_cart_of_little_value_is_left_alone(shop: PlaybookWorld):
    fills(shop.somebody(), value=9)
    shop.advance(days=4)
    assert shop.reached == []


def test_a_push_follows_after_four_hours_without_a_reaction_and_a_text_only_for_high_value(shop: PlaybookWorld):
    for name, value in (("ada", 80), ("bob", 200)):
        fills(shop.somebody(name), value=value)
    shop.advance(hours=4.9)
    assert shop.reached == [MAIL, MAIL]
    shop.advance(hours=0.3)
    assert shop.reached == [MAIL, MAIL, PUSH, PUSH]
    shop.advance(hours=19.7)
    assert len(shop.reached) == 4
    shop.advance(hours=0.5)
    assert shop.reached[4:] == [TEXT]
    shop.advance(days=10)
    assert len(shop.reached) == 5, "three messages are all that one cart brings"


@pytest.mark.parametrize("reaction", ["Email Opened", "Email Link Clicked"])
def test_whoever_opens_or_clicks_gets_no_push_and_no_text(shop: PlaybookWorld, reaction: str):
    ada = shop.somebody()
    fills(ada, value=300)
    shop.advance(hours=1.1)
    shop.told(ada, reaction)
    shop.advance(days=3)
    assert shop.reached == [MAIL]


def test_whoever_visits_gets_no_push(shop: PlaybookWorld):
    ada = shop.somebody()
    fills(ada)
    shop.advance(hours=1.1)
    ada.does("Page Viewed")
    shop.advance(days=3)
    assert shop.reached == [MAIL]


def test_what_a_machine_opens_is_no_reaction(shop: PlaybookWorld):
    ada = shop.somebody()
    fills(ada)
    shop.advance(hours=1.1)
    shop.told(ada, "Email Opened", machine=True)
    shop.advance(hours=5)
    assert shop.reached == [MAIL, PUSH]


@pytest.mark.parametrize("channels", [("push",), ("push", "sms")])
def test_without_an_address_or_a_consent_the_push_goes_at_once(shop: PlaybookWorld, channels: tuple[str, ...]):
    fills(shop.somebody(channels=channels))
    shop.advance(hours=1.1)
    assert shop.reached == [PUSH]


def test_what_the_provider_refuses_goes_by_push_at_once(shop: PlaybookWorld):
    shop.refused = {"email"}
    fills(shop.somebody())
    shop.advance(hours=1.1)
    shop.settle()
    assert shop.reached == [PUSH]


def test_what_bounces_goes_by_push_at_once(shop: PlaybookWorld):
    ada = shop.somebody()
    fills(ada)
    shop.advance(hours=1.1)
    shop.told(ada, "Email Bounced")
    assert shop.reached == [MAIL, PUSH]


@pytest.mark.parametrize("hours, before", [(0.9, 0), (3, 1), (10, 2)])
@pytest.mark.parametrize("channel", ["web", "app", "pos"])
def test_a_purchase_anywhere_ends_it_before_the_next_message(
    shop: PlaybookWorld, hours: float, before: int, channel: str
):
    ada = shop.somebody()
    fills(ada, value=500)
    shop.advance(hours=hours)
    assert len(shop.reached) == before
    ada.tell(ada.event("Order Completed", channel=channel, order_id="o-1", total=500))
    shop.advance(days=5)
    assert len(shop.reached) == before
    assert (ada.run("cart_rescue").state, ada.run("cart_rescue").ended_by) == ("stopped", "stop.purchase")


def test_an_emptied_cart_ends_its_own_run_and_no_other(shop: PlaybookWorld):
    ada = shop.somebody()
    fills(ada, cart="c-1")
    fills(ada, cart="c-2")
    ada.does("Cart Cleared", cart_id="c-1")
    shop.advance(hours=1.2)
    assert shop.reached == [MAIL]


def test_three_messages_a_week_are_the_most_however_many_carts(shop: PlaybookWorld):
    ada = shop.somebody(channels=("email",))
    for number in range(6):
        fills(ada, cart=f"c-{number}")
    shop.advance(days=6)
    assert shop.reached == [MAIL] * 3
    assert ("cart_rescue", "cap.cart_messages_weekly") in ada.outcomes("held")


def test_an_opt_out_keeps_back_its_channel_alone(shop: PlaybookWorld):
    ada = shop.somebody()
    fills(ada)
    ada.consents("marketing", "email", False)
    shop.advance(hours=1.2)
    assert shop.reached == [PUSH]


def test_who_is_held_out_gets_nothing_on_any_channel():
    shop = PlaybookWorld("abandoned_cart", holdout=1.0)
    ada = shop.somebody()
    fills(ada, value=500)
    shop.advance(days=4)
    assert shop.reached == []
    assert {reason for _, reason in ada.outcomes("held")} == {"holdout.cart_holdout"}
