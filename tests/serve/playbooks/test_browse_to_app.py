"""The playbook `browse_to_app`: who looks on the web is led to the same product in the app."""

from __future__ import annotations

import pytest
from support.playbooks import PlaybookWorld
from support.world import Customer

PUSH, MAIL = ("push", "to_app"), ("email", "to_app")


@pytest.fixture
def shop() -> PlaybookWorld:
    return PlaybookWorld("browse_to_app")


def with_app(shop: PlaybookWorld, name: str = "ada") -> Customer:
    who = shop.somebody(name)
    who.does("Application Opened", channel="app")
    shop.advance(days=9)
    return who


def looks(who: Customer) -> None:
    who.does("Product Viewed", properties={"product_id": "bag-7", "name": "Weekender"})


def test_half_an_hour_after_the_last_look_a_push_opens_the_app(shop: PlaybookWorld):
    ada = with_app(shop)
    looks(ada)
    shop.advance(minutes=20)
    looks(ada)
    shop.advance(minutes=29)
    assert shop.reached == []
    shop.advance(minutes=2)
    assert shop.reached == [PUSH]


def test_whoever_has_no_app_gets_it_by_email_and_sees_it_on_the_page(shop: PlaybookWorld):
    bob = shop.somebody("bob")
    looks(bob)
    assert [each["actionId"] for each in bob.decides("app_banner")["actions"]] == ["app_banner"]
    shop.advance(minutes=31)
    assert shop.reached == [MAIL]


def test_whoever_uses_the_app_sees_no_banner(shop: PlaybookWorld):
    ada = shop.somebody()
    ada.does("Application Opened", channel="app")
    looks(ada)
    assert ada.decides("app_banner")["actions"] == []


def test_a_push_that_may_not_go_falls_back_to_email(shop: PlaybookWorld):
    ada = with_app(shop)
    ada.consents("marketing", "push", False)
    looks(ada)
    shop.advance(minutes=31)
    assert shop.reached == [MAIL]


@pytest.mark.parametrize("name", ["Application Opened", "Order Completed"])
def test_opening_the_app_or_buying_ends_it_before_the_message(shop: PlaybookWorld, name: str):
    ada = with_app(shop)
    looks(ada)
    shop.advance(minutes=29)
    ada.does(name, order_id="o-1", channel="app")
    shop.advance(days=1)
    assert shop.reached == []
    assert ada.run("to_app").state == "stopped"


def test_whoever_is_in_the_app_now_is_not_led_there(shop: PlaybookWorld):
    ada = shop.somebody()
    ada.does("Application Opened", channel="app")
    looks(ada)
    shop.advance(days=1)
    assert shop.reached == []


def test_once_a_week_is_the_most(shop: PlaybookWorld):
    ada = with_app(shop)
    for _ in range(3):
        looks(ada)
        shop.advance(days=2)
    assert shop.reached == [PUSH]
    assert ada.outcomes("held")[-1] == ("to_app", "cap.to_app_weekly")


def test_who_is_held_out_gets_neither():
    shop = PlaybookWorld("browse_to_app", holdout=1.0)
    looks(with_app(shop))
    shop.advance(days=1)
    assert shop.reached == []
