"""One visit at one device (or till, or support desk), written as drafts of Segment events.

A visit moves its own clock forward with every event. It begins anonymous unless the device is still logged in. Once
the shopper has identified, its events carry the user beside the device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from loadtest.world.shop import CURRENCY, Product, decimal
from loadtest.world.shoppers import Device, Shopper

_STAYS_LOGGED_IN = 0.35
_ALIASES = 0.04
_READING_MS = (3_000, 75_000)  # from one click to the next
_FORM_MS = (5, 40)  # between the events of one submitted form
_CONSENT_TEXT = "Yes, send me offers and news. I can change my mind at any time."


class Draft(NamedTuple):
    """An event before it is written; `name` is that of a track, page or screen call, else empty. `address` is how a
    guest is known."""

    at_ms: int
    message_id: str
    kind: str
    name: str
    channel: str
    shopper: Shopper
    user_id: str
    device: Device | None
    body: dict[str, Any]
    address: str = ""


class Line(NamedTuple):
    """A product in a cart."""

    product: Product
    quantity: int

    @property
    def value_minor(self) -> int:
        """The price of these pieces together, in minor units."""
        return self.product.price_minor * self.quantity


@dataclass(slots=True)
class Cart:
    """A cart: its lines, the device on which it was filled, and whether the shop knows whose it is."""

    id: str
    device: Device
    lines: list[Line] = field(default_factory=list)
    known: bool = False


@dataclass(slots=True)
class Diary:
    """A shopper's events so far, and the facts about them that matter for the next visit."""

    shopper: Shopper
    seed: int
    rng: Random
    drafts: list[Draft] = field(default_factory=list)
    logged_in: set[Device] = field(default_factory=set)
    signed_up_at_ms: int | None = None
    spent_minor: int = 0
    carts: int = 0
    orders: int = 0

    def note(
        self, at_ms: int, kind: str, name: str, channel: str, user_id: str, device: Device | None, body: dict[str, Any]
    ) -> None:
        """Write an event down. Its message id names the shopper."""
        message_id = f"w{self.seed}-{self.shopper.key}-{len(self.drafts)}"
        self.drafts.append(Draft(at_ms, message_id, kind, name, channel, self.shopper, user_id, device, body))

    def new_cart(self, device: Device) -> Cart:
        """An empty cart."""
        self.carts += 1
        return Cart(f"cart-{self.shopper.key}-{self.carts}", device)

    def order(self, lines: list[Line]) -> dict[str, Any]:
        """The properties of a new `Order Completed`."""
        self.orders += 1
        total_minor = sum(line.value_minor for line in lines)
        self.spent_minor += total_minor
        return {
            "order_id": f"order-{self.shopper.key}-{self.orders}",
            "total": decimal(total_minor),
            "revenue": decimal(total_minor),
            "currency": CURRENCY,
            "products": [product_of(line.product) | {"quantity": line.quantity} for line in lines],
        }


class Visit:
    """A shopper at a device, from `at_ms` on."""

    def __init__(self, diary: Diary, device: Device, at_ms: int) -> None:
        self.diary, self.device, self.at_ms = diary, device, at_ms
        self.known = device in diary.logged_in and diary.rng.random() < _STAYS_LOGGED_IN

    def track(self, event: str, properties: dict[str, Any], *, pace_ms: tuple[int, int] = _READING_MS) -> None:
        """Something done on this visit, after a pause."""
        self._call("track", event, properties, pace_ms=pace_ms)

    def page(self, title: str, path: str) -> None:
        """A page of the web, or a screen of the app."""
        if self.device.channel == "app":
            self._call("screen", title, {"path": path})
        else:
            self._call("page", title, {"path": path, "title": title, "url": f"https://shop.example{path}"})

    def view(self, product: Product) -> None:
        """Look at a product."""
        self.track("Product Viewed", product_of(product) | {"currency": CURRENCY})

    def add(self, cart: Cart, line: Line) -> None:
        """Put a line into the cart."""
        cart.lines.append(line)
        cart.known = cart.known or self.known
        amounts = {"quantity": line.quantity, "value": decimal(line.value_minor), "currency": CURRENCY}
        self.track("Product Added", {"cart_id": cart.id} | product_of(line.product) | amounts)

    def clear(self, cart: Cart) -> None:
        """Empty the cart."""
        self.track("Cart Cleared", {"cart_id": cart.id})

    def start_checkout(self, cart: Cart) -> None:
        """Begin to pay. That needs an account, so a shopper who is still anonymous identifies here."""
        self.identify()
        cart.known = True
        value_minor = sum(line.value_minor for line in cart.lines)
        self.track("Checkout Started", {"cart_id": cart.id, "value": decimal(value_minor), "currency": CURRENCY})

    def buy(self, cart: Cart) -> dict[str, Any]:
        """Buy what is in the cart; returns the order."""
        order = {"cart_id": cart.id} | self.diary.order(cart.lines)
        self.track("Order Completed", order)
        return order

    def identify(self) -> None:
        """Log in, if not done yet; the very first time is a sign-up with its consents."""
        diary, shopper = self.diary, self.diary.shopper
        if self.known:
            return
        self.known = True
        if self.device not in diary.logged_in and diary.rng.random() < _ALIASES:
            diary.note(
                self.at_ms, "alias", "", self.device.channel, shopper.user_id, self.device,
                {"previousId": self.device.anonymous_id},
            )  # fmt: skip
        diary.logged_in.add(self.device)
        self._call("identify", "", _traits(diary), pace_ms=_FORM_MS)
        if diary.signed_up_at_ms is None:
            diary.signed_up_at_ms = self.at_ms
            self._sign_up()

    def update_consent(self, channel: str, granted: bool, source: str) -> None:
        """Give or withdraw consent for one channel."""
        self.track(
            "Consent Updated",
            {"purpose": "marketing", "channel": channel, "granted": granted, "source": source, "text": _CONSENT_TEXT},
            pace_ms=_FORM_MS,
        )

    def _sign_up(self) -> None:
        rng, shopper = self.diary.rng, self.diary.shopper
        source = "app_form" if self.device.channel == "app" else "web_form"
        self.track("Signed Up", {"method": "email"}, pace_ms=_FORM_MS)
        self.update_consent("email", rng.random() < 0.84, source)
        if shopper.phone:
            self.update_consent("sms", rng.random() < 0.45, source)
        if any(device.channel == "app" for device in shopper.devices):
            self.update_consent("push", rng.random() < 0.6, source)

    def _call(self, kind: str, name: str, body: dict[str, Any], *, pace_ms: tuple[int, int] = _READING_MS) -> None:
        user_id = self.diary.shopper.user_id if self.known else ""
        self.diary.note(self.at_ms, kind, name, self.device.channel, user_id, self.device, body)
        self.at_ms += self.diary.rng.randint(*pace_ms)


def buy_in_store(diary: Diary, at_ms: int, lines: list[Line]) -> dict[str, Any]:
    """A purchase at the till, by the card alone where there is one, else by the customer's account; no device, no cart
    id. Whose card it is, the till does not know."""
    shopper = diary.shopper
    order = diary.order(lines) | {"store": f"store-{shopper.country.code.lower()}-1", "till": f"till-{1 + len(lines)}"}
    if shopper.loyalty_id:
        order["card"] = shopper.loyalty_id
    user_id = "" if shopper.loyalty_id else shopper.user_id
    diary.note(at_ms, "track", "Order Completed", "pos", user_id, None, order)
    return order


def at_support(diary: Diary, at_ms: int, event: str, properties: dict[str, Any]) -> None:
    """Something that support notes, on no device."""
    diary.note(at_ms, "track", event, "support", diary.shopper.user_id, None, properties)


def product_of(product: Product) -> dict[str, Any]:
    """A product as events carry it."""
    return {
        "product_id": product.id,
        "category": product.category,
        "name": product.name,
        "price": decimal(product.price_minor),
    }


def _traits(diary: Diary) -> dict[str, Any]:
    shopper = diary.shopper
    traits: dict[str, Any] = {"email": shopper.email, "name": shopper.name, "country": shopper.country.code}
    optional = {"phone": shopper.phone, "loyalty_id": shopper.loyalty_id, "lifetime_value": decimal(diary.spent_minor)}
    return traits | {name: value for name, value in optional.items() if value}
