"""A catalog that uses every feature there is, and people to whom all of it has happened.

The same story is told to an engine in this process and to a whole one, on the wall clock and on a replay clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from support.world import START_MS, action, document

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
_WEB = {"channels": ["web"], "placements": ["home_hero"], "purpose": "marketing"}
_BOTH = {"channels": ["web", "email"], "placements": ["home_hero", "corner"]}
_OFFER = {"discount": 10, "price": 89.9, "lasts": "7d"}
_LETTER = {"subject": "For {{ traits.name | default('you') }}", "template": "letter.html"}

_VIP = {"trait": {"name": "vip", "is": True}}
_RECENT = {"event": {"name": "Product Viewed", "count": {"at_least": 1, "at_most": 99}, "within": "30d"}}
_KEPT = {"event": {"name": "Order Completed", "within": "30d", "undone_by": {"name": "Order Refunded"}}}

_POLICIES: dict[str, Any] = {
    "workspace": {"zone": "Europe/Berlin", "currency": "EUR", "language": "en", "lateness": "48h", "reserve": "30m"},
    "caps": [
        {"id": "mail_weekly", "limit": 9, "per": "7d", "match": {"channel": "email", "tier": "promotional"}},
        {"id": "daily", "limit": 50, "per": "day", "window": "calendar", "match": {"group": "deals"}},
    ],
    "suppress": [{"id": "in_support", "tier": "promotional", "when": {"segment": "in_support"}}],
    "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
    "budgets": [{"id": "gifts", "limit": 1000, "per": "month", "block": 10, "match": {"action": "gift"}}],
    "levers": [{"id": "push", "weight": 1.5, "match": {"category": "shoes"}}],
    "fatigue": {"half_life": "1d", "seen": 0.1, "dismissed": 0.3, "clicked": 0.2, "silence_at": 0.95},
    "holdouts": [{"id": "control", "share": 1.0, "match": {"action": "withheld"}}],
    "after_purchase": [{"id": "care", "category": "bags", "for": "30d", "show": ["care"]}],
    "offers": {"full_price": "14d"},
    "min_propensity": 0.001,
    "service_per_address": 10,
    "on_dismissed": "release",
}

_STEPS: list[dict[str, Any]] = [
    {"wait": {"for": "1s", "reset_on": ["Product Added"]}},
    {"send": {"action": "reminder", "channel": "email", "on_held": "wait"}},
    {"wait_for": {"event": "Message Clicked", "timeout": "2d", "on_timeout": "continue"}},
    {
        "branch": [
            {"when": _VIP, "steps": [{"send": {"action": "reminder", "channel": "sms"}}]},
            {"else": True, "steps": [{"exit": {"reason": "enough"}}]},
        ]
    },
]


def _journey(name: str, event: str, steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"id": name, "tier": "promotional", "trigger": {"event": event}, "steps": steps} | more


FILES: dict[str, Any] = document(
    channels={
        "channels": [
            {"id": "web", "provider": "none"},
            {"id": "email", "provider": "sandbox", "address": "email", "retry_for": "1h"},
            {"id": "sms", "provider": "sandbox", "address": "phone"},
        ]
    },
    consent={
        "purposes": {
            "marketing": {"channels": ["email", "sms"], "no_consent_needed": ["web"], "default": False},
            "service": {"channels": [], "default": True},
        },
        "events": ["Consent Updated"],
    },
    placements={
        "placements": [
            {"id": "home_hero", "channel": "web", "default": {"title": "Hello"}, "per_category": 1},
            {"id": "corner", "channel": "web", "default": {}},
        ]
    },
    policies=_POLICIES,
    segments={"segments": {"in_support": {"event": {"name": "Ticket Opened", "within": "7d"}}}},
    sources={"sources": {"default-write": {"channel": "web"}}},
    identity={"namespaces": {"loyalty_id": {"blocked": ["0000"]}}},
    tracking_plan={
        "unknown": "warn",
        "events": {
            "Product Viewed": {"mode": "warn", "schema": {"required": ["product_id"]}},
            "Priced": {"mode": "quarantine", "schema": {"required": ["price"]}},
        },
    },
    actions=[
        action(
            "hero",
            **_BOTH,
            category="shoes",
            product="sku-1",
            group="deals",
            value=9.0,
            offer=_OFFER,
            propensity={"model": "taste"},
        )
        | {
            "variants": [
                {"id": "a", "weight": 2.0, "web": {"content": {"title": "A"}}, "email": _LETTER},
                {"id": "b", "web": {"content": {"title": "B"}}, "email": _LETTER},
            ]
        },
        action("gift", **_WEB, category="hats", value=5.0, propensity={"trait": "score", "default": 0.4}),
        action("withheld", **_WEB | {"placements": ["corner"]}, value=7.0, propensity={"constant": 0.9}),
        action(
            "vip", **_WEB, eligible={"any": [_VIP, {"all": [_RECENT, {"not": _KEPT}]}]}, because="You are dear to us."
        ),
        action("care", **_WEB, category="bags"),
        action("bags", **_WEB, category="bags", valid={"from": "2020-01-01", "until": "2099-12-31"}),
        action("asleep", **_WEB, status="draft"),
        action("waiting", **_WEB, status="paused"),
        action("reminder", channels=["email", "sms"], texts="current"),
        action("receipt", tier="service", purpose="service"),
    ],
    journeys=[
        _journey("cart", "Product Added", _STEPS, key="cart_id", re_entry={"after": "1s"}),
        _journey("receipt", "Order Completed", [{"send": {"action": "receipt", "channel": "email"}}], tier="service"),
        _journey("thanks", "Order Completed", [{"wait": {"for": "30d", "late": "coalesce"}}], when=_VIP),
        _journey("paused", "Product Added", [{"wait": {"for": "1h", "late": {"drop_if_late": "2h"}}}], status="paused"),
        _journey("draft", "Product Added", [{"wait": {"for": "1h"}}], status="draft"),
    ],
) | {
    "models/taste.yaml": {
        "id": "taste",
        "default": 0.1,
        "logistic": {"intercept": 0.1, "features": [{"trait": "age", "coefficient": 0.1}]},
    },
    "templates/letter.html": "<p>Hello {{ traits.name }}</p><a href='{{ unsubscribe_url }}'>No more</a>",
}


def texts() -> dict[str, str]:
    """The same files as a directory has them (JSON is YAML)."""
    return {name: plain if isinstance(plain, str) else json.dumps(plain) for name, plain in FILES.items()}


# -- what happened


_START = datetime.fromtimestamp(START_MS / 1000, UTC)


@dataclass(slots=True)
class Story:
    """An engine to which all of it has happened. `now` is its clock as ISO 8601."""

    client: httpx.Client
    clock: str
    pins: bool = False
    now: datetime = _START
    shown: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))

    def post(self, path: str, body: Any, key: str = SERVER) -> dict[str, Any]:
        """A call that must be taken."""
        answer = self.client.post(path, json=body, headers={"x-api-key": key})
        assert answer.status_code == 200, (path, answer.status_code, answer.text)
        return dict(answer.json())

    def tell(self, kind: str, key: str = SERVER, **body: Any) -> None:
        """An event, now."""
        more = {"messageId": f"m{next(self._numbers)}"}
        if self.clock == "replay":
            more["timestamp"] = self.now.isoformat()
        if self.clock == "replay" and key == SERVER:
            self.post("/v1/import", {"batch": [body | more | {"type": kind}]})
        else:
            self.post(f"/v1/{kind}", body | more, key)

    def passes(self, seconds: float = 30.0) -> None:
        """Move a replay clock on, so that messages under way arrive. Does nothing on the wall clock."""
        if self.clock == "replay":
            self.now += timedelta(seconds=seconds)
            self.post("/v1/clock", {"watermark": self.now.isoformat()})

    def asks(self, method: str, where: str, body: Any = None, key: str = SERVER) -> httpx.Response:
        """A call whose effects have to be waited for. On a replay clock its messages arrive as the clock moves."""
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(self.client.request, method, where, json=body, headers={"x-api-key": key})
            while self.clock == "replay" and method == "DELETE" and not asked.done():
                self.passes()
            return asked.result()

    def decides(self, placement: str = "home_hero", **who: Any) -> dict[str, Any]:
        """A decision; the actions that it showed are remembered."""
        answer = self.post("/v1/decide", {"placement": placement, "limit": 3, "explain": True, **who})
        self.shown += answer["actions"]
        return answer

    def sees(self, shown: Mapping[str, Any], event: str) -> None:
        """An exposure of something that was shown."""
        self.post("/v1/exposures", {"trackingToken": shown["trackingToken"], "event": event})

    def is_read(self, path: str, check: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether a reading says so by now."""
        answer = self.client.get(path, headers={"x-api-key": SERVER})
        return answer.status_code == 200 and check(answer.json())


def happens(story: Story, eventually: Callable[[Callable[[], bool]], Any]) -> None:
    """Everything that can happen to a customer."""
    story.passes(0)
    _a_visitor_becomes_ada(story)
    eventually(lambda: story.is_read(ADA, lambda ada: bool(ada["merges"])))
    _ada_shops(story)
    _others(story)
    eventually(lambda: story.is_read("/v1/dead-letters", lambda told: len(told["deadLetters"]) >= _LETTERS))


ADA = "/v1/profiles/user_id:ada"
_LETTERS = 2


def _a_visitor_becomes_ada(story: Story) -> None:
    story.decides(anonymousId="a1")
    story.decides("corner", anonymousId="a1")
    story.tell("page", anonymousId="a1", name="Home", context={"locale": "de-AT", "timezone": "Europe/Vienna"})
    traits = {
        "email": "ada@shop.example",
        "phone": "+436601234567",
        "name": "Ada",
        "vip": True,
        "age": 40,
        "score": 0.5,
    }
    story.tell("identify", userId="ada", anonymousId="a1", traits=traits)
    story.tell("alias", userId="ada", previousId="a2")
    story.passes()


def _ada_shops(story: Story) -> None:
    for channel in ("email", "sms"):
        yes = {"purpose": "marketing", "channel": channel, "granted": True, "source": "form"}
        story.post("/v1/consent", {"identifiers": {"user_id": "ada"}, **yes})
    view = {"product_id": "sku-1", "category": "shoes", "price": 99.9}
    story.tell("track", userId="ada", event="Product Viewed", properties=view)
    story.tell("track", userId="ada", event="Product Added", properties=view | {"cart_id": "c1"})
    for channel in ("web", "app"):
        story.tell("screen", userId="ada", name="Cart", context={"channel": channel})
    for event in ("viewed", "clicked", "dismissed", "converted"):
        answer = story.decides(userId="ada", requestId=f"r-{event}")
        for shown in answer["actions"]:
            story.sees(shown, event)
    story.decides("corner", userId="ada")
    story.passes(60)
    lines = [{"product_id": "b-1", "category": "bags", "price": 50}, {"product_id": "sku-2", "category": "shoes"}]
    story.tell("track", userId="ada", event="Order Completed", properties={"order_id": "o1", "products": lines})
    story.tell("track", userId="ada", event="Order Refunded", properties={"order_id": "o1", "products": lines[1:]})
    story.tell("track", userId="ada", event="Product Added", properties=view | {"cart_id": "c2"})
    for number in range(40):
        story.tell("track", userId="ada", event="Page Seen", properties={"number": number})
    story.passes(5)


def _others(story: Story) -> None:
    story.tell("identify", userId="bob", traits={"email": "bob@shop.example"})
    story.tell("track", userId="bob", event="Ticket Opened")
    story.tell("identify", WRITE, userId="eve", anonymousId="a3", traits={"email": "ada@shop.example"})
    said = {"purpose": "marketing", "channel": "email", "granted": True}
    story.tell("track", WRITE, userId="eve", event="Consent Updated", properties=said)
    story.tell("alias", WRITE, userId="eve", previousId="ada")
    for name in ("gone", "left"):
        story.tell("identify", userId=name, traits={"email": f"{name}@shop.example"})
    story.tell("identify", userId="dora", traits={"email": "dora@shop.example"})
    story.passes()
    story.decides(userId="bob")
    story.decides(anonymousId="nobody")
    for word in ("pause", "resume"):
        story.post(f"/v1/journeys/cart/{word}", {})
    story.tell("track", userId="bob", event="Priced", properties={})
    good = {"type": "track", "userId": "bob", "event": "Fine", "messageId": "fine"}
    story.post("/v1/batch", {"batch": [good, {"type": "track", "event": "Nobody's"}]})
    for name in ("gone", "left"):
        erased = story.asks("DELETE", f"/v1/profiles/user_id:{name}")
        assert erased.status_code == 200, erased.text
    if story.pins:
        assert story.post("/v1/profiles/user_id:dora/pin", {})["pinned"]
    story.passes()


def unused(story: Story) -> set[str]:
    """The parts that are empty in every profile, so that reading them proves nothing."""
    wanted = {"identifiers", "addresses", "traits", "segments", "consent", "awaiting", "caps", "journeys", "timers"}
    wanted |= {"suppressions", "holdouts", "drawn", "promises", "fatigue", "merges", "transitions"}
    for name in ("ada", "bob", "eve"):
        answer = story.asks("GET", f"/v1/profiles/user_id:{name}")
        assert answer.status_code == 200, answer.text
        wanted -= {part for part, value in answer.json().items() if value}
    return wanted
