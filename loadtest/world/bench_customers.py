"""Customers of the benchmarks' catalog whose whole life is known: twenty page views each, an hour apart."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.profile import Profile
from engine.seeds import profile_id
from engine.turn import handle
from loadtest.world import bench_catalog
from loadtest.world.shop_world import START_MS

EVENTS = 20  # of a profile, as `docs/performance.md` counts
HOUR_MS = 3_600_000


def catalog() -> Catalog:
    """The benchmark's catalog, compiled."""
    return replace(compile_document(bench_catalog.document()), id_key=bench_catalog.ID_KEY)


def name_of(number: int) -> str:
    """The id of a benchmark customer."""
    return profile_id(bench_catalog.ID_KEY, "user_id", f"customer-{number}")


def event(customer: int, number: int) -> Event:
    """A page view, for which no journey waits."""
    at_ms = START_MS + number * HOUR_MS
    return Event(
        kind="page",
        name="Page Viewed",
        at_ms=at_ms,
        received_at_ms=at_ms,
        source="web",
        channel="web",
        message_id=f"{customer:08x}-{number:08x}-4f2a-9c11",
        user_id=f"customer-{customer}",
        properties={"path": f"/products/{number}", "title": "Running shoes", "referrer": "https://shop.example/"},
    )


def carted(customer: int) -> Event:
    """A product in a cart, after which the abandoned cart journey waits for an hour."""
    properties = {"cart_id": f"cart-{customer}", "product_id": "p1", "category": "shoes", "price": 80.0, "value": 80.0}
    return structs.replace(event(customer, 0), name="Product Added", kind="track", properties=properties)


def known_customer(compiled: Catalog) -> Profile:
    """A profile with twenty events."""
    profile = Profile(name_of(0))
    for number in range(EVENTS):
        told = event(0, number)
        handle(profile, told, compiled, told.at_ms)
    return profile
