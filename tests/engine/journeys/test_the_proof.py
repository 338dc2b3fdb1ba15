"""The narrow proof: who converts is out of the e-mail journey before the next message could leave."""

from __future__ import annotations

import pytest
from support.world import CART, DAY, HOUR, World

YES = ("marketing:email",)


def test_a_purchase_ends_the_cart_journey_before_its_next_message():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Product Added", cart_id="c1")
    assert ada.pending_timers == ["abandoned_cart"]
    world.advance(minutes=59)
    ada.does("Order Completed")
    world.advance(days=3)
    assert ada.sends == [] and world.mailbox == []
    assert ada.run("abandoned_cart").ended_by == "stop.purchase"
    assert ada.outcomes("withdrawn") == [("cart_reminder", "stop.purchase")]


def test_without_a_purchase_the_reminder_leaves_once():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Product Added", cart_id="c1")
    world.advance(days=3)
    assert ada.sends == ["cart_reminder"]
    assert [message["address"] for message in world.mailbox] == ["ada@example.com"]


@pytest.mark.parametrize("shards", [1, 3])
def test_five_hundred_reminders_that_fall_due_1_ms_after_the_purchase_stay(shards: int):
    world = World(shards=shards)
    people = [world.customer(f"p{n}@example.com", consents=YES) for n in range(500)]
    world.engine.stage([person.event("Product Added", cart_id="c") for person in people])
    world.engine.stage([person.event("Order Completed", at_ms=world.now_ms + HOUR - 1) for person in people])
    world.advance(days=1)
    assert world.mailbox == []
    for person in people:
        assert person.outcomes("withdrawn") == [("cart_reminder", "stop.purchase")]
        assert person.run("abandoned_cart").ended_by == "stop.purchase"


def test_a_reminder_that_falls_due_1_ms_before_the_purchase_is_withdrawn_while_it_waits_to_leave():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    world.engine.stage(
        [ada.event("Product Added", cart_id="c"), ada.event("Order Completed", at_ms=world.now_ms + HOUR + 1)]
    )
    world.advance(days=1)
    assert world.mailbox == []
    assert ada.outcomes("withdrawn") == [("cart_reminder", "stop.purchase")]


def test_a_late_batch_with_the_cart_and_then_the_purchase_sends_nothing():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    world.advance(hours=5)
    cart, order = world.now_ms - 4 * HOUR, world.now_ms - 4 * HOUR + 60_000
    ada.tell(ada.event("Product Added", cart_id="c", at_ms=cart), ada.event("Order Completed", at_ms=order))
    world.drain()
    assert world.mailbox == []


def test_a_late_cart_that_an_earlier_arrived_purchase_settles_starts_nothing():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Order Completed")
    world.advance(minutes=1)
    ada.does("Product Added", cart_id="c", at_ms=world.now_ms - HOUR)
    assert ada.profile.runs == []
    ada.does("Product Added", cart_id="next")
    assert ada.pending_timers == ["abandoned_cart"]


def test_a_cart_filled_after_the_purchase_is_reminded_of_even_when_the_purchase_arrives_last():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Product Added", cart_id="new")
    ada.does("Order Completed", at_ms=world.now_ms - HOUR)
    world.advance(days=1)
    assert ada.sends == ["cart_reminder"]


def test_an_event_older_than_the_lateness_window_is_remembered_and_starts_nothing():
    world = World()
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Product Added", cart_id="c", at_ms=world.now_ms - 2 * DAY - 1)
    assert ada.profile.runs == []
    assert [event.name for event in ada.profile.history] == ["Product Added", "Identified"]


def test_adding_to_the_cart_starts_the_wait_anew_for_that_cart_only():
    world = World(CART)
    ada = world.customer("ada@example.com", consents=YES)
    ada.does("Product Added", cart_id="c1")
    ada.does("Product Added", cart_id="c2")
    world.advance(minutes=40)
    ada.does("Product Added", cart_id="c1")
    world.advance(minutes=21)
    assert ada.sends == ["cart_reminder"]
    assert [run.key for run in ada.profile.runs if run.state == "active"] == ["c1"]
    world.advance(minutes=40)
    assert ada.sends == ["cart_reminder", "cart_reminder"]
