"""How invented customers behave, a function for each playbook: some do what begins it, some what stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType
from typing import Any, Final

from serve.playbooks.histories.telling import Customer

_PRODUCTS: Final = (
    ("bag-7", "bags", "Weekender", 89.0),
    ("bag-9", "bags", "City bag", 240.0),
    ("shoe-3", "shoes", "Trail shoe", 129.0),
    ("shirt-1", "shirts", "Linen shirt", 59.0),
    ("lamp-2", "lamps", "Desk lamp", 45.0),
)
ROUTES: Final = (("HAM-LIS", "Hamburg", "Lisbon"), ("BER-OSL", "Berlin", "Oslo"), ("MUC-FCO", "Munich", "Rome"))


def _product(rng: Random) -> dict[str, Any]:
    product_id, category, name, price = rng.choice(_PRODUCTS)
    return {"product_id": product_id, "category": category, "name": name, "price": price}


def post_purchase(who: Customer) -> None:
    """Looks; two of three buy within the day, and one in eight of those sends it back."""
    who.signs_up(channels=("email",))
    seen = _product(who.rng)
    who.does(0, "Product Viewed", **seen)
    if who.rng.random() < 0.66:
        bought = who.rng.uniform(0.5, 20)
        line = {**seen, "quantity": 1}
        who.does(bought, "Order Completed", order_id=f"o-{who.id}", total=seen["price"], products=[line])
        who.does(bought + 30, "Product Viewed", **_product(who.rng))
        if who.rng.random() < 0.12:
            who.does(bought + 48, "Order Refunded", order_id=f"o-{who.id}")
        elif who.rng.random() < 0.2:
            again = _product(who.rng) | {"quantity": 1}
            when = bought + who.rng.uniform(100, 500)
            who.does(when, "Order Completed", order_id=f"o-{who.id}-2", total=again["price"], products=[again])


def abandoned_cart(who: Customer) -> None:
    """Fills a cart; some buy at once, some come back after the e-mail, some empty it."""
    ways = (("email", "push", "sms"), ("email", "push"), ("email",), ("push", "sms"))
    who.signs_up(channels=who.rng.choice(ways))
    product, cart = _product(who.rng), f"cart-{who.id}"
    thing = {"cart_id": cart, "product_id": product["product_id"], "name": product["name"]}
    who.does(0, "Product Added", **thing, value=product["price"])
    end = who.rng.random()
    if who.rng.random() < 0.3:
        who.does(0.7, "Product Added", **thing, value=product["price"] + 30)
    if end < 0.25:
        who.does(who.rng.uniform(0.75, 1.6), "Order Completed", order_id=f"o-{who.id}", total=product["price"])
    elif end < 0.32:
        who.does(0.8, "Cart Cleared", cart_id=cart)
    elif end < 0.52:
        who.looks_in(who.rng.uniform(2, 4.5))
        who.does(5, "Order Completed", order_id=f"o-{who.id}", total=product["price"])
    elif end < 0.6:
        who.does(who.rng.uniform(6, 30), "Order Completed", order_id=f"o-{who.id}", total=product["price"])


def browse_to_app(who: Customer) -> None:
    """Looks on the web; half have the app, and some open it by themselves."""
    has_app = who.rng.random() < 0.5
    who.signs_up(channels=("email", "push") if has_app else ("email",))
    if has_app:
        who.does(-0.3 - who.rng.uniform(24, 240), "Application Opened")
    for minutes in sorted(who.rng.uniform(0, 25) for _ in range(who.rng.randint(1, 4))):
        who.does(minutes / 60, "Product Viewed", **_product(who.rng))
    if who.rng.random() < 0.2:
        who.does(0.6, "Application Opened")
    elif who.rng.random() < 0.3:
        who.does(who.rng.uniform(1.1, 8), "Application Opened")


def abandoned_browse(who: Customer) -> None:
    """Looks at three to six products; some put one into the cart, some come back after the e-mail."""
    who.signs_up(channels=who.rng.choice((("email", "push"), ("email",))))
    for look in range(who.rng.randint(2, 6)):
        who.does(look * 0.1, "Product Viewed", **_product(who.rng))
    end = who.rng.random()
    if end < 0.2:
        who.does(1, "Product Added", **_product(who.rng))
    elif end < 0.4:
        who.does(who.rng.uniform(6, 20), "Product Viewed", **_product(who.rng))
    if 0.1 < end < 0.3:
        who.does(who.rng.uniform(22, 60), "Order Completed", order_id=f"o-{who.id}")


def financial_onboarding(who: Customer) -> None:
    """Opens an account; a third finish within the day, some after the e-mail, one in four has much money."""
    balance = 25_000 if who.rng.random() < 0.25 else 900
    who.signs_up(channels=("email", "sms"), purpose="onboarding", balance=balance)
    account = {"account_id": f"a-{who.id}"}
    who.does(0, "Account Opened", **account, product="savings account")
    if who.rng.random() < 0.3:
        who.does(3, "Onboarding Step Completed", **account, step="identity")
    end = who.rng.random()
    if end < 0.33:
        who.does(who.rng.uniform(0.2, 20), "Onboarding Completed", **account)
    elif end < 0.6:
        who.does(who.rng.uniform(26, 100), "Onboarding Completed", **account)


def travel_booking(who: Customer) -> None:
    """Begins to book; some finish, some book when the price has dropped."""
    who.signs_up(channels=who.rng.choice((("email", "push"), ("email",), ("push",))))
    route, origin, destination = who.rng.choice(ROUTES)
    trip = {"trip_id": f"t-{who.id}", "route_id": route, "origin": origin, "destination": destination}
    who.does(0, "Booking Started", **trip, departs_on=f"2026-06-{who.rng.randint(1, 28):02}", price=240.0)
    end = who.rng.random()
    if end < 0.2:
        who.does(who.rng.uniform(0.3, 2.5), "Booking Completed", booking_id=f"b-{who.id}", total=240.0)
    elif end < 0.3:
        who.does(who.rng.uniform(370, 390), "Booking Completed", booking_id=f"b-{who.id}", total=199.0)


STORIES: Final[Mapping[str, Callable[[Customer], None]]] = MappingProxyType(
    {
        story.__name__: story
        for story in (
            post_purchase,
            abandoned_cart,
            browse_to_app,
            abandoned_browse,
            financial_onboarding,
            travel_booking,
        )
    }
)
