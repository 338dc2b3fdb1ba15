"""A year of real orders and refunds: nobody is shown what they bought in the last 30 days and kept.

The oracle reads the input file and nothing of ours. The files lie beside the checkout; without them this is skipped.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from support.world import action, compiled, document

from engine.effects import Answer
from engine.inputs import Decide, Event
from engine.profile import Profile
from engine.turn import handle

ORDERS = Path(__file__).resolve().parents[4] / "shared" / "data" / "online-retail"
DAY_MS = 86_400_000
PRODUCTS, ONE_IN = 60, 8

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not ORDERS.is_dir(), reason=f"the real orders are not at {ORDERS}"),
]


def lines() -> list[dict[str, Any]]:
    """Orders and refunds of every eighth known customer, as the file has them."""
    with gzip.open(ORDERS / "events.jsonl.gz", "rt", encoding="utf-8") as file:
        told = [json.loads(line) for line in file]
    return [line for line in told if line["type"] == "track" and int(line.get("userId", 1)) % ONE_IN == 0]


def ms(line: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")).timestamp() * 1000)


def products_of(line: dict[str, Any]) -> set[str]:
    return {item["product_id"] for item in line["properties"]["products"]}


def kept(past: list[dict[str, Any]], product: str, now_ms: int) -> bool:
    """The oracle: bought in the 30 days before now, and not given back since."""
    bought = [ms(line) for line in past if line["event"] == "Order Completed" and product in products_of(line)]
    undone = [ms(line) for line in past if line["event"] == "Order Refunded" and product in products_of(line)]
    return any(now_ms - 30 * DAY_MS < at and not any(back >= at for back in undone) for at in bought)


def test_nobody_is_shown_what_they_bought_in_the_last_30_days_and_kept():
    told = lines()
    often = Counter(product for line in told for product in products_of(line))
    watched = [product for product, _ in often.most_common(PRODUCTS)]
    bought = {
        "event": {
            "name": "Order Completed",
            "within": "30d",
            "where": {"products.product_id": "$action.product"},
            "undone_by": {"name": "Order Refunded", "where": {"products.product_id": "$action.product"}},
        }
    }
    catalog = compiled(
        document(
            actions=[
                action(
                    f"p{number}",
                    channels=["web"],
                    placements=["home_hero"],
                    purpose="service",
                    product=product,
                    group="x",
                )
                for number, product in enumerate(watched)
            ],
            policies={"suppress": [{"id": "bought", "when": bought}]},
        )
    )
    by_customer: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in told:
        by_customer[line["userId"]].append(line)
    decisions = suppressed = refunds = 0
    for customer, past in by_customer.items():
        profile = Profile(f"00ff{int(customer):026x}")
        for number, line in enumerate(past):
            at_ms = ms(line)
            refunds += line["event"] == "Order Refunded"
            handle(profile, Event(kind="track", name=line["event"], at_ms=at_ms, received_at_ms=at_ms,
                                  message_id=line["messageId"], user_id=customer, properties=line["properties"]),
                   catalog, at_ms)  # fmt: skip
            for now_ms in (at_ms, at_ms + 20 * DAY_MS) if number == len(past) - 1 else (at_ms,):
                effects = handle(profile, Decide(placement="home_hero", channel="web", explain=True), catalog, now_ms)
                (answer,) = [effect.value for effect in effects if isinstance(effect, Answer)]
                rows = {row["actionId"]: row["reason"] for row in answer["explanation"]["candidates"]}
                held = {product for n, product in enumerate(watched) if rows[f"p{n}"] == "suppress.bought"}
                wanted = {product for product in watched if kept(past[: number + 1], product, now_ms)}
                assert held == wanted, (customer, line["messageId"], held ^ wanted)
                decisions, suppressed = decisions + 1, suppressed + len(held)
    assert decisions > 2_500 and suppressed > 2_500 and refunds > 250
