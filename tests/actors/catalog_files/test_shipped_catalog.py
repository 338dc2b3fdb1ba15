"""The shipped catalog with a customer in it: what they are sent, and what they are spared."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from support.world import ID_KEY, Customer, World

from actors.catalog_files import config_files

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
BAG = {"product_id": "bag-1", "category": "bags", "price": 89.0}


def ada() -> Customer:
    world = World(dataclasses.replace(config_files.load(CONFIGS), id_key=ID_KEY))
    return world.customer("ada@example.com", consents=("marketing:email",))


def mails_after_three_views(customer: Customer, **product: Any) -> list[str]:
    for _ in range(3):
        customer.world.advance(minutes=1)
        customer.does("Product Viewed", **product)
    customer.world.advance(hours=5)
    return [action for action, _ in customer.outcomes("sent") if action == "browse_reminder"]


@pytest.mark.parametrize(
    "line",
    [
        BAG,
        {"product_id": "bag-1"},
        {"product_id": "bag-2", "category": "bags"},
        {"product_id": "bag-2", "category": "bags", "price": "20"},
    ],
)
def test_whoever_has_just_bought_a_bag_is_not_asked_whether_they_still_look_at_bags(line: dict[str, Any]):
    customer = ada()
    customer.does("Order Completed", order_id="o1", products=[{"product_id": "hat", "category": "hats"}, line])
    customer.world.advance(hours=1)
    assert mails_after_three_views(customer, **BAG) == []


@pytest.mark.parametrize("line", [None, {"product_id": "hat", "category": "hats"}, {"product_id": ""}])
def test_whoever_has_bought_something_else_is_asked(line: dict[str, Any] | None):
    customer = ada()
    if line is not None:
        customer.does("Order Completed", order_id="o1", products=[line])
        customer.world.advance(hours=1)
    assert mails_after_three_views(customer, **BAG) == ["browse_reminder"]


def test_what_was_bought_keeps_nobody_from_being_asked_about_something_else():
    customer = ada()
    customer.does("Order Completed", order_id="o1", products=[BAG])
    customer.world.advance(hours=1)
    assert mails_after_three_views(customer, **BAG) == []
    customer.world.advance(days=1)
    assert mails_after_three_views(customer, product_id="shoe-1", category="shoes", price=120) == ["browse_reminder"]


def test_a_purchase_that_is_heard_of_late_counts_when_the_reminder_is_due():
    customer = ada()
    bought_ms = customer.world.now_ms
    customer.world.advance(minutes=5)
    for _ in range(3):
        customer.does("Product Viewed", **BAG)
    customer.does("Order Completed", at_ms=bought_ms, order_id="o1", products=[BAG])
    customer.world.advance(hours=5)
    held = [entry for entry in customer.timeline if entry.outcome == "held" and entry.action == "browse_reminder"]
    assert [entry.reason for entry in held] == ["eligibility"]
    assert held[0].detail["condition"]["path"] == "eligible.not.any[1].event.Order Completed"
