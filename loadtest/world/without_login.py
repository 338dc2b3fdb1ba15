"""What people do in the shop without logging in on a device of their own: orders as a guest, and a showroom's tablet.

A guest is known by an address alone. Some guests are customers, and some of those mistype their name and address: only
the likeness says that they are the same. A tablet of a showroom is used by many: whoever logs in on it was not the one
who looked around before.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from loadtest.world.shop import CURRENCY, PRODUCTS, decimal
from loadtest.world.shoppers import Device, Shopper
from loadtest.world.visits import Draft, product_of
from loadtest.world.walks import MINUTE_MS, Calendar

_ORDERS_AS_GUEST = 0.1  # of the customers, and of the passers-by
_MISTYPES = 0.3  # of the customers who do
_TRIES_TABLET = 0.03  # of the customers


def beside_the_walk(shopper: Shopper, calendar: Calendar, *, seed: int) -> Iterator[Draft]:
    """The drafts of these for one shopper. They are drawn apart from the walk, which they leave as it is."""
    rng = Random(f"{seed}/without-login/{shopper.key}")
    wants_to = rng.random()
    if shopper.email and wants_to < _ORDERS_AS_GUEST:
        yield from _order_as_guest(shopper, calendar, rng, seed)
    elif shopper.user_id and wants_to > 1 - _TRIES_TABLET:
        yield from _try_tablet(shopper, calendar, rng, seed)


def _order_as_guest(shopper: Shopper, calendar: Calendar, rng: Random, seed: int) -> Iterator[Draft]:
    """The shop's server tells who ordered, by the address that stands in the form."""
    at_ms = calendar.instant(rng, shopper.country.zone)
    name, address = shopper.name, shopper.email
    if shopper.user_id and rng.random() < _MISTYPES:
        name, address = _mistyped(rng, name), _mistyped(rng, address.partition("@")[0]) + "@shop.example"
    product = rng.choice(PRODUCTS)
    total = decimal(product.price_minor)
    order: dict[str, Any] = {
        "order_id": f"guest-{shopper.key}",
        "total": total,
        "revenue": total,
        "currency": CURRENCY,
        "products": [product_of(product) | {"quantity": 1}],
    }
    traits = {"email": address, "name": name, "country": shopper.country.code}
    message = f"w{seed}-{shopper.key}-guest"
    yield Draft(at_ms, f"{message}-0", "identify", "", "web", shopper, "", None, traits, address)
    yield Draft(at_ms + 1_000, f"{message}-1", "track", "Order Completed", "web", shopper, "", None, order, address)


def _try_tablet(shopper: Shopper, calendar: Calendar, rng: Random, seed: int) -> Iterator[Draft]:
    """Somebody looks at the tablet, then logs in on it."""
    at_ms = calendar.instant(rng, shopper.country.zone)
    tablet = Device(f"anon-showroom-{shopper.country.code.lower()}", "tablet")
    page = {"path": "/", "title": "Home", "url": "https://shop.example/"}
    traits = {"email": shopper.email, "name": shopper.name, "country": shopper.country.code}
    told: list[tuple[str, str, str, dict[str, Any]]] = [
        ("page", "Home", "", page),
        ("identify", "", shopper.user_id, traits),
        *(("track", "Product Viewed", shopper.user_id, product_of(each)) for each in rng.sample(PRODUCTS, 2)),
    ]
    for number, (kind, name, user_id, body) in enumerate(told):
        message = f"w{seed}-{shopper.key}-tablet-{number}"
        yield Draft(at_ms + number * MINUTE_MS, message, kind, name, "web", shopper, user_id, tablet, body)


def _mistyped(rng: Random, text: str) -> str:
    """Two neighbouring letters changed places; the first ones never, as nobody mistypes those."""
    at = rng.randrange(1, len(text) - 1)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
