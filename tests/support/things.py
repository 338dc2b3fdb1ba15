"""Facts about things, and a catalog whose journey tells those who looked at a product that it costs less."""

from __future__ import annotations

from typing import Any, Final

from engine import seeds
from engine.inputs import Fact
from support.world import ID_KEY, START_MS, action, document

DROP: Final[dict[str, Any]] = {
    "kind": "product",
    "event": "Price Dropped",
    "where": {"percent": {"at_least": 10}},
    "interested": {"event": "Product Viewed", "within": "30d"},
}


def drop_journey(**changes: Any) -> dict[str, Any]:
    """A mail about a price drop, again and again."""
    return {
        "id": "price_drop",
        "tier": "promotional",
        "trigger": {"thing": DROP},
        "key": "thing.id",
        "re_entry": {"after": "0d"},
        "steps": [{"send": {"action": "drop_mail", "channel": "email"}}],
    } | changes


PRICE_DROPS: Final = document(actions=[action("drop_mail")], journeys=[drop_journey()])


def fact(
    thing: str = "sku-1", event: str = "Price Dropped", *, name: str = "m-1", at_ms: int = START_MS, **properties: Any
) -> Fact:
    """Something happens to a product."""
    named, properties = seeds.keyed(ID_KEY, "fact", name), properties or {"percent": 15}
    return Fact(kind="product", id=thing, event=event, fact=named, at_ms=at_ms, properties=properties)
