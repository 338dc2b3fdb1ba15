"""The playbook `travel_booking`: a price-drop push, then an e-mail with the itinerary; any booking ends it."""

from __future__ import annotations

import pytest
from support.playbooks import PlaybookWorld
from support.world import Customer

PUSH, MAIL = ("push", "trip_price_drop"), ("email", "trip_itinerary")


@pytest.fixture(params=[1, 3])
def agency(request: pytest.FixtureRequest) -> PlaybookWorld:
    return PlaybookWorld("travel_booking", shards=request.param)


def begins(who: Customer, route: str = "HAM-LIS", trip: str = "t-1") -> None:
    to = {"origin": "Hamburg", "destination": "Lisbon", "departs_on": "2026-06-12", "price": 240}
    who.does("Booking Started", trip_id=trip, route_id=route, **to)


def drops(agency: PlaybookWorld, percent: int = 15, route: str = "HAM-LIS") -> None:
    agency.fact("route", route, "Price Dropped", percent=percent, price=204)


def test_a_booking_that_was_left_brings_the_itinerary_after_three_hours(agency: PlaybookWorld):
    begins(agency.somebody())
    agency.advance(hours=2.9)
    assert agency.reached == []
    agency.advance(hours=0.2)
    assert agency.reached == [MAIL]


def test_a_price_drop_is_pushed_within_the_hour_to_whoever_began_to_book_that_route(agency: PlaybookWorld):
    ada, bob = agency.somebody("ada"), agency.somebody("bob")
    begins(ada)
    begins(bob, route="BER-OSL")
    agency.advance(days=5)
    before = len(agency.reached)
    drops(agency)
    assert agency.reached[before:] == [PUSH]
    assert ada.run("trip_price_drop").trigger["percent"] == 15
    agency.advance(days=1.1)
    assert agency.reached[before:] == [PUSH, MAIL]
    assert ada.profile.traits["trip_destination"].value == "Lisbon", "the itinerary is that of the booking"


def test_a_small_drop_is_no_news(agency: PlaybookWorld):
    begins(agency.somebody())
    agency.advance(days=5)
    drops(agency, percent=9)
    assert agency.reached == [MAIL]


@pytest.mark.parametrize("reaction", ["Push Notification Tapped"])
def test_whoever_reacts_to_the_push_gets_no_email(agency: PlaybookWorld, reaction: str):
    ada = agency.somebody()
    begins(ada)
    agency.advance(days=5)
    drops(agency)
    agency.told(ada, reaction)
    agency.advance(days=2)
    assert agency.reached == [MAIL, PUSH]


@pytest.mark.parametrize("booked", ["before the drop", "after the push"])
def test_any_booking_ends_it_and_holds_what_comes_later(agency: PlaybookWorld, booked: str):
    ada = agency.somebody()
    begins(ada)
    agency.advance(hours=1)
    if booked == "before the drop":
        ada.does("Booking Completed", booking_id="of another trip")
        agency.advance(days=3)
        drops(agency)
        agency.advance(days=2)
        assert agency.reached == []
        assert {reason for _, reason in ada.outcomes("held")} == {"suppress.booked_lately"}
    else:
        agency.advance(days=5)
        drops(agency)
        ada.does("Booking Completed", booking_id="b-1")
        agency.advance(days=3)
        assert agency.reached == [MAIL, PUSH]
        assert ada.run("trip_price_drop").ended_by == "stop.booking"


def test_whoever_was_interested_over_a_month_ago_is_left_alone(agency: PlaybookWorld):
    begins(agency.somebody())
    agency.advance(days=31)
    drops(agency)
    assert agency.reached == [MAIL]


def test_who_is_held_out_gets_nothing():
    agency = PlaybookWorld("travel_booking", holdout=1.0)
    begins(agency.somebody())
    agency.advance(days=5)
    drops(agency)
    agency.advance(days=3)
    assert agency.reached == []
