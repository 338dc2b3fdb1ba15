"""The outcome that a journey is measured by: by which events, and for how long, a run converts."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import World, action, cart_journey, document

from engine.catalog.compile import compile_document
from engine.errors import CatalogError
from engine.inputs import Event
from engine.journeys import outcomes

HOUR_S = 3600


def world(**outcome: Any) -> World:
    return World(
        document(
            actions=[action("cart_reminder")], journeys=[cart_journey(outcome={"event": "Order Completed", **outcome})]
        )
    )


def reached(told: World, who: Any, name: str = "Order Completed", **properties: Any) -> list[str]:
    """The keys of the runs that an event brings to their outcome."""
    event = Event(kind="track", name=name, at_ms=told.now_ms, received_at_ms=told.now_ms, properties=properties)
    return [run.key for run in outcomes.reached_by(told.catalog, who.profile, event)]


def test_an_event_counts_for_every_run_that_it_follows_in_time():
    told = world(within="2d")
    ada = told.customer("ada@example.com")
    ada.does("Product Added", cart_id="a")
    told.advance(hours=30)
    ada.does("Product Added", cart_id="b")
    told.advance(hours=10)
    ada.does("Order Completed")
    assert reached(told, ada) == ["a", "b"]
    told.advance(hours=20)
    ada.does("Order Completed")
    assert reached(told, ada) == ["b"]
    assert reached(told, ada, "Cart Cleared") == []


def test_facts_of_the_trigger_say_which_run_it_is():
    told = world(where={"cart_id": "$event.cart_id"})
    ada = told.customer("ada@example.com")
    for cart in ("a", "b"):
        ada.does("Product Added", cart_id=cart)
    told.advance(hours=5)
    ada.does("Order Completed")
    assert reached(told, ada, cart_id="b") == ["b"]


def test_an_ended_run_is_remembered_while_its_outcome_may_come():
    told = world(within="30d")
    ada = told.customer("ada@example.com")
    for number in range(40):
        ada.does("Product Added", cart_id=f"c{number}")
    told.advance(hours=100)
    ada.does("Order Completed")
    assert len(reached(told, ada)) == 40
    told.advance(days=40)
    ada.does("Order Completed")
    assert reached(told, ada) == [] and len(ada.profile.runs) <= 16
    assert not any(run.trigger for run in ada.profile.runs)


@pytest.mark.parametrize("outcome", [{}, {"event": ""}, {"event": "Order Completed", "within": "soon"}])
def test_a_wrong_outcome_is_named(outcome: dict[str, Any]):
    with pytest.raises(CatalogError, match="outcome"):
        compile_document(document(journeys=[cart_journey(outcome=outcome)]))
