"""The users that Locust plays: people on the shop's pages, and a back end that sends events in batches.

They live in the same shop as `loadtest/world/shop_world.py` (its products and customers), but now and at random: a load
run is not repeatable, and every message id is new.
"""

from __future__ import annotations

import gzip
import json
import os
import uuid
from datetime import UTC, datetime
from random import Random
from typing import Any

from locust import HttpUser, between, task
from locust.clients import ResponseContextManager
from locust.env import Environment
from locust.exception import StopTest

from loadtest.locust.loopback import why_refused
from loadtest.world.shop import CURRENCY, PRODUCTS, Product, decimal
from loadtest.world.shoppers import Visitor, sample_visitor

POPULATION = 3000
WRITE_KEY = os.environ.get("SEGUE_WRITE_KEY", "")
_TIMEOUT_S = 10
_PAGES = (2, 12)  # of a session


class SegueUser(HttpUser):
    """The common part of all users: the write key, loopback only, and no waiting for ever."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        # The web page of Locust can change the host after the start, so every user looks again.
        if refusal := why_refused(self.host):
            raise StopTest(refusal)
        self.rng = Random()
        self.client.auth = (WRITE_KEY, "")
        self.client.trust_env = False  # a proxy from the environment would carry the load elsewhere

    def send(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST as JSON. Any answer but a 200 with a JSON object is a failure, and empty here."""
        with self.post(path, json=body) as response:
            return _answer(response)

    def post(self, path: str, **content: Any) -> ResponseContextManager:
        """POST to the engine under test; the caller judges the answer."""
        # A redirect could lead off this machine; unfollowed, it is a failure like any other status than 200.
        return self.client.post(path, timeout=_TIMEOUT_S, allow_redirects=False, catch_response=True, **content)


class Shopper(SegueUser):
    """One person on one device. A session has some pages; then somebody else comes, the busy ones more often (Zipf)."""

    abstract = True
    channel = "web"
    wait_time = between(0.5, 2.0)

    def on_start(self) -> None:
        """Called by Locust when a user comes."""
        self.begin_a_session()

    def begin_a_session(self) -> None:
        """Somebody comes; a known customer identifies first."""
        self.visitor = sample_visitor(self.rng, POPULATION)
        self.cart_id = f"cart-{uuid.uuid4()}"
        self.left = self.rng.randint(*_PAGES)
        if self.visitor.user_id:
            self.send("/v1/identify", self.event(traits={"email": self.visitor.email}))

    def a_page_later(self) -> None:
        """The session goes on, or ends and another one begins."""
        self.left -= 1
        if self.left <= 0:
            self.begin_a_session()

    def event(self, **content: Any) -> dict[str, Any]:
        """An event of this visitor, as a client sends it."""
        return _event(self.visitor, self.channel, **content)

    def track(self, event: str, properties: dict[str, Any]) -> None:
        """Tell what the visitor did."""
        self.send("/v1/track", self.event(event=event, properties=properties))


class WebVisitor(Shopper):
    """Looks around in a browser, is shown something, sometimes fills a cart."""

    weight = 8

    @task(3)
    def open_a_page(self) -> None:
        """A page view, what to show on it, and that it was seen."""
        self.send("/v1/page", self.event(name="Home", properties={"path": "/"}))
        who = _who(self.visitor)
        decision = self.send("/v1/decide", {**who, "channel": "web", "placement": "home_hero"})
        for action in decision.get("actions", ()):
            self.send("/v1/exposures", {"trackingToken": action["trackingToken"], "event": "viewed"})
        self.a_page_later()

    @task(3)
    def view_a_product(self) -> None:
        """Look at something, and after a while at a page."""
        self.track("Product Viewed", _product(self.rng.choice(PRODUCTS)))
        self.a_page_later()

    @task(1)
    def add_a_product(self) -> None:
        """Put something into the cart."""
        self.track("Product Added", _added(self.rng.choice(PRODUCTS), self.cart_id))


class AppVisitor(Shopper):
    """The same people on a telephone: shorter looks, and they buy there too."""

    weight = 3
    channel = "app"
    wait_time = between(0.3, 1.0)

    @task(4)
    def open_a_screen(self) -> None:
        """A screen, then what was on it."""
        self.send("/v1/screen", self.event(name="Product"))
        self.track("Product Viewed", _product(self.rng.choice(PRODUCTS)))
        self.a_page_later()

    @task(1)
    def buy(self) -> None:
        """Put something into the cart, and pay."""
        product = self.rng.choice(PRODUCTS)
        self.track("Product Added", _added(product, self.cart_id))
        self.track("Order Completed", _bought(product, self.cart_id))
        self.begin_a_session()


class Till(Shopper):
    """A shop's till: purchases of known customers, one after the other."""

    weight = 1
    channel = "pos"
    wait_time = between(0.2, 1.0)

    @task
    def sell(self) -> None:
        """A purchase at the till; then the next customer."""
        self.track("Order Completed", _bought(self.rng.choice(PRODUCTS), self.cart_id))
        self.visitor = sample_visitor(self.rng, POPULATION)
        self.cart_id = f"cart-{uuid.uuid4()}"


class EventSource(SegueUser):
    """A shop's back end: batches of 20 to 100 events about many visitors, compressed."""

    weight = 2
    wait_time = between(0.1, 0.5)

    @task
    def send_a_batch(self) -> None:
        """Many events of many customers at once, packed."""
        batch = [self.some_event() for _ in range(self.rng.randint(20, 100))]
        body = gzip.compress(json.dumps({"batch": batch, "sentAt": _now()}).encode(), compresslevel=1)
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        with self.post("/v1/batch", data=body, headers=headers) as response:
            if rejected := _answer(response).get("rejected"):
                response.failure(f"{len(rejected)} of {len(batch)} events rejected, the first: {rejected[0]}")

    def some_event(self) -> dict[str, Any]:
        """What somebody may have done just now."""
        visitor, product = sample_visitor(self.rng, POPULATION), self.rng.choice(PRODUCTS)
        cart_id = f"cart-{visitor.anonymous_id}"
        kind = self.rng.choices(("page", "view", "add", "buy"), (3, 4, 2, 1))[0]
        if kind == "page":
            path = f"/{product.category}"
            return {"type": "page", **_event(visitor, "web", name=product.category, properties={"path": path})}
        name, properties = {
            "view": ("Product Viewed", _product(product)),
            "add": ("Product Added", _added(product, cart_id)),
            "buy": ("Order Completed", _bought(product, cart_id)),
        }[kind]
        return {"type": "track", **_event(visitor, "web", event=name, properties=properties)}


def _answer(response: ResponseContextManager) -> dict[str, Any]:
    if response.error:
        response.failure(f"no answer: {type(response.error).__name__}")
        return {}
    if response.status_code != 200:
        response.failure(f"{response.status_code}: {(response.text or '')[:200]}")
        return {}
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        response.failure("a 200 whose body is no JSON object")
        return {}
    return answer


def _event(visitor: Visitor, channel: str, **content: Any) -> dict[str, Any]:
    """An event of now. Its `type` stands in the path, or is added for a batch."""
    context = {"channel": channel, "timezone": "Europe/Berlin", "locale": "de-DE"}
    return {"messageId": str(uuid.uuid4()), "timestamp": _now(), "context": context, **_who(visitor), **content}


def _who(visitor: Visitor) -> dict[str, str]:
    known = {"userId": visitor.user_id} if visitor.user_id else {}
    return {"anonymousId": visitor.anonymous_id, **known}


def _product(product: Product) -> dict[str, Any]:
    price = decimal(product.price_minor)
    return {"product_id": product.id, "category": product.category, "name": product.name, "price": price}


def _added(product: Product, cart_id: str) -> dict[str, Any]:
    value = decimal(product.price_minor)
    return {"cart_id": cart_id, **_product(product), "quantity": 1, "value": value, "currency": CURRENCY}


def _bought(product: Product, cart_id: str) -> dict[str, Any]:
    total = decimal(product.price_minor)
    products = [{**_product(product), "quantity": 1}]
    order = {"order_id": f"order-{uuid.uuid4()}", "cart_id": cart_id, "products": products}
    return {**order, "total": total, "revenue": total, "currency": CURRENCY}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
