"""What an overloaded engine may refuse."""

from __future__ import annotations

import dataclasses
from typing import get_args

import msgspec
import pytest
from support.world import action, cart_journey, compiled, document

from engine.events.shedding import events_kept, is_sheddable
from engine.inputs import AnyInput, Decide, Event

SHOP = document(
    actions=[action("cart_reminder")],
    journeys=[cart_journey(stops=[{"id": "emptied", "on": "Cart Cleared"}])],
    policies={"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]},
)


def event(name: str) -> Event:
    return Event(kind="track", name=name, at_ms=0, received_at_ms=0)


@pytest.mark.parametrize(
    ("name", "may_be_shed"),
    [
        ("Product Viewed", True),
        ("Product Added", True),  # a trigger starts something; it ends nothing
        ("Order Completed", False),
        ("Cart Cleared", False),
        ("Consent Updated", False),
    ],
)
def test_events_are_shed_unless_they_carry_consent_or_stop_something(name: str, may_be_shed: bool):
    assert is_sheddable(compiled(SHOP), event(name)) is may_be_shed


def test_a_stop_of_an_older_catalog_still_counts_for_the_runs_that_name_it():
    new = dataclasses.replace(compiled(document()), archive={"old": compiled(SHOP)})
    assert not is_sheddable(new, event("Order Completed"))
    assert events_kept(compiled(document())) == {"Consent Updated"}


def test_of_all_other_inputs_only_decisions_are_shed():
    catalog = compiled(SHOP)
    for cls in get_args(AnyInput):
        if cls is not Event:
            needed = {field.name: "" for field in msgspec.structs.fields(cls) if field.required}
            told = cls(**needed)  # the kind alone decides
            assert is_sheddable(catalog, told) is (cls is Decide), cls
