"""A shop that sends a receipt for an order, at once or an hour later, and people who say where they get it."""

from __future__ import annotations

from typing import Any

from engine.errors import InvalidInput
from engine.inputs import Event
from engine.values import phones
from engine.values.identifiers import canonical
from support.world import Customer, action, cart_journey, document

RECEIPT = cart_journey(
    id="receipt", tier="service", trigger={"event": "Order Completed"}, key="order_id",
    steps=[{"send": {"action": "receipt", "channel": "email", "on_held": "exit"}}],
)  # fmt: skip
LATER = RECEIPT | {
    "id": "later", "trigger": {"event": "Order Placed"},
    "steps": [{"wait": {"for": "1h"}}, {"send": {"action": "receipt", "channel": "email", "on_held": "exit"}}],
}  # fmt: skip
SHOP = document(actions=[action("receipt", tier="service", purpose="service")], journeys=[RECEIPT, LATER])


def says(
    who: Customer, at_ms: int | None = None, *, public: bool = False, kind: str = "identify", **traits: Any
) -> None:
    """An identify with these traits, or a call of another kind with them in `context.traits`, as ingest makes it."""
    who.tell(said(who, at_ms, public=public, kind=kind, **traits))
    who.world.settle()


def said(
    who: Customer, at_ms: int | None = None, *, public: bool = False, kind: str = "identify", **traits: Any
) -> Event:
    pairs = []
    for name, value in traits.items():
        try:
            pairs.append((name, canonical(name, value, phones.country_in(traits, who.world.catalog.country))))
        except InvalidInput:  # a value that names nobody is no identifier
            continue
    fields = {"traits": traits} if kind == "identify" else {"context": {"traits": traits}}
    name = "Identified" if kind == "identify" else "Seen"
    return who.event(name, kind=kind, at_ms=at_ms, identifiers=tuple(pairs), public=public, **fields)
