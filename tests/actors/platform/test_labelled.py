"""Journeys, actions and variants on `/metrics`: counted where they happen, with a bound that no catalog can pass."""

from __future__ import annotations

from collections import Counter

import pytest
from support.world import YES_TO_MAIL, World, action, cart_journey, document

from actors.platform import labelled
from actors.platform import meter as m
from actors.platform.labelled import Labelled
from actors.platform.meter import Metric, NoMeter
from actors.serving.gauges import Gauges

SHOP = document(
    actions=[action("cart_reminder"), action("spring", channels=["web"], placements=["home_hero"])],
    journeys=[cart_journey()],
    policies={
        "caps": [{"id": "one", "limit": 1, "per": "7d", "match": {"action": "cart_reminder"}}],
        "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
    },
)


class Kept(NoMeter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.counted: dict[str, Counter[tuple[str, ...]]] = {}

    def total(self, metric: Metric, total: int, *tags: str) -> None:
        assert len(tags) == len(metric.tags), metric.name
        self.counted.setdefault(metric.name, Counter())[tags] = total


def test_messages_displays_and_runs_are_counted_by_what_the_catalog_calls_them():
    world, meter = World(SHOP), Kept()
    gauges = Gauges(meter, world.engine.windows[0].shard, lambda: 0)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    for cart in ("1", "2"):
        ada.does("Product Added", cart_id=cart)
        world.advance(hours=2)
    ada.does("Product Added", cart_id="3")
    ada.does("Order Completed")
    shown = ada.decides(request_id="r")
    ada.decides(request_id="r")  # told again, and not decided again
    ada.sees(shown["actions"][0])
    gauges._update()
    assert meter.counted[m.MESSAGES.name] == {
        ("abandoned_cart", "cart_reminder", "a", "email", "sent"): 1,
        ("abandoned_cart", "cart_reminder", "", "email", "held"): 1,
        ("abandoned_cart", "cart_reminder", "", "email", "withdrawn"): 1,
    }
    assert meter.counted[m.SHOWN.name] == {("spring", "a", "web"): 1}
    assert meter.counted[m.EXPOSURES.name] == {("spring", "web", "viewed"): 1}
    assert meter.counted[m.RUNS.name] == {
        ("abandoned_cart", "entered"): 3,
        ("abandoned_cart", "completed"): 2,
        ("abandoned_cart", "stopped"): 1,
    }


def test_more_names_than_there_is_room_for_are_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(labelled, "SERIES_MAX", 3)
    counts = Labelled(2)
    for number in range(10):
        for outcome in ("sent", "held"):
            counts.add(f"journey-{number}", "action", outcome)
    counts.add("journey-0", "action", "sent")
    news = dict(counts.news())
    assert news == {
        ("journey-0", "action", "sent"): 2,
        ("journey-0", "action", "held"): 1,
        ("journey-1", "action", "sent"): 1,
        ("other", "other", "held"): 9,
        ("other", "other", "sent"): 8,
    }
    assert dict(counts.news()) == {}, "what has not grown is not told again"


def test_a_catalog_with_many_names_makes_a_bounded_number_of_series():
    counts = Labelled(3)
    for number in range(20_000):
        counts.add(f"journey-{number}", f"action-{number}", "a", "email", "sent")
    assert len(dict(counts.news())) == labelled.SERIES_MAX + 1
