"""The catalog and the customer of the benchmarks: 200 actions over ten placements, and a past of 100 events.

Both are drawn from a fixed seed, so that two runs on one machine measure the same work. Events and categories are those
of the shop world.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from engine.parts.of_identity import Link
from engine.profile import ConsentRecord, Place, Profile, TraitValue
from engine.recent_events import Happened
from engine.seeds import profile_id
from engine.values.identifiers import canonical
from loadtest.world.shop import PRODUCTS
from loadtest.world.shop_world import START_MS

ACTIONS = 200
PLACEMENTS = tuple(f"bench_{number}" for number in range(10))
EVERYWHERE = "bench_all"  # the placement of all actions
CONTEXT = {"page": {"kind": "home"}}  # what a page says of itself
EVENTS = 100
ID_KEY = b"a fixed key for the benchmarks"

_CATEGORIES = tuple(sorted({product.category for product in PRODUCTS}))
_COUNTRIES = ("AT", "DE", "FR", "IT")
_HOUR_MS = 3_600_000


def document(count: int = ACTIONS) -> dict[str, Any]:
    """The catalog as plain data by file name, with so many actions."""
    rng = Random("bench/catalog")
    actions = {f"actions/{action['id']}.yaml": action for action in _actions(rng, count)}
    return _RULES | actions | {f"journeys/{journey['id']}.yaml": journey for journey in _JOURNEYS}


def write(directory: Path) -> Path:
    """The same catalog as a directory of configuration (JSON is YAML)."""
    for file, content in document().items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if file.startswith("templates/") else json.dumps(content, indent=1), "utf-8")
    return directory


def customer() -> Profile:
    """A known customer with consent, 100 events in the last ten days and ten places under the caps."""
    rng = Random("bench/customer")
    now_ms = START_MS
    user = canonical("user_id", "bench-customer")
    profile = Profile(profile_id(ID_KEY, "user_id", user), clock_ms=now_ms, seq=EVENTS, created_ms=now_ms - 1)
    profile.identifiers = [Link("user_id", user, now_ms, now_ms), Link("email", "ada@shop.example", now_ms, now_ms)]
    profile.consent = [ConsentRecord("marketing", "email", True, now_ms - 1, "form", "receipt")]
    traits = {"country": "DE", "lifetime_value": 420.0, "staff": False, "score_shoes": 0.2, "tier": "gold"}
    profile.traits = {name: TraitValue(value, now_ms - 1) for name, value in traits.items()}
    profile.history = list(_past(rng, now_ms))
    profile.places = [_seen(number, now_ms) for number in range(10)]
    return profile


def _actions(rng: Random, count: int) -> Iterator[dict[str, Any]]:
    """The actions, a tenth of them at each placement. All but those of tier `service` have ten conditions."""
    for number in range(count):
        name = f"action_{number:03d}"
        category = _CATEGORIES[number % len(_CATEGORIES)]
        tier = "service" if number % 20 == 19 else "lifecycle" if number % 20 > 16 else "promotional"
        yield {
            "id": name,
            "tier": tier,
            "purpose": "service" if tier == "service" else "marketing",
            "channels": ["web"],
            "placements": [PLACEMENTS[number * len(PLACEMENTS) // count], EVERYWHERE],
            "category": category,
            "group": f"group_{number % 5}",
            "value": rng.randrange(50, 900) / 100,
            "weight": rng.choice((0.5, 1.0, 2.0)),
            "propensity": {"trait": "score_shoes", "default": 0.03} if number % 4 == 0 else {"constant": 0.05},
            "eligible": {"all": _asked(rng, category, tier)},
            "variants": [
                {"id": letter, "web": {"content": {"title": f"{name} {letter}", "image": f"{name}.jpg", "link": "/"}}}
                for letter in "ab"[: 1 + number % 2]
            ],
        }


def _asked(rng: Random, category: str, tier: str) -> list[dict[str, Any]]:
    """Ten conditions. They are drawn from few values, so most of them are shared by several actions."""
    if tier == "service":
        return [{"segment": "in_support"}]
    other = rng.choice(_CATEGORIES)
    viewed = {"name": "Product Viewed", "count": {"at_least": rng.choice((1, 2, 3))}, "where": {"category": category}}
    return [
        {"trait": {"name": "country", "in": list(_COUNTRIES[: rng.randrange(2, 5)])}},
        {"trait": {"name": "lifetime_value", "at_least": rng.choice((0, 100, 300))}},
        {"trait": {"name": "tier", "in": ["gold", "silver", "bronze"][: rng.randrange(1, 4)]}},
        {"any": [{"context": {"name": "page.kind", "in": ["home", "search"]}}, {"segment": "high_value"}]},
        {"not": {"segment": "staff"}},
        {"not": {"segment": "in_support"}},
        {"not": {"event": {"name": "Offer Dismissed", "within": "7d", "where": {"category": category}}}},
        {"event": viewed | {"within": rng.choice(("1d", "7d", "14d"))}},
        {"event": {"name": "Order Completed", "count": {"at_most": rng.choice((1, 2, 3))}, "within": "30d"}},
        {"event": {"name": "Product Added", "count": {"at_most": 4}, "within": "7d", "where": {"category": other}}},
    ]


def _past(rng: Random, now_ms: int) -> Iterator[Happened]:
    """The customer's past: mostly visits, some carts, two purchases."""
    for seq in range(1, EVENTS + 1):
        at_ms = now_ms - (EVENTS - seq + 1) * 2 * _HOUR_MS
        product = rng.choice(PRODUCTS)
        seen = {"product_id": product.id, "category": product.category, "price": product.price_minor / 100}
        if seq in (20, 70):
            bought = {"order_id": f"order-{seq}", "products": [seen | {"quantity": 1}]}
            yield Happened(at_ms, seq, "Order Completed", bought, f"m{seq}", "web", "web")
        elif seq % 10 == 0:
            yield Happened(at_ms, seq, "Product Added", seen | {"cart_id": "cart-1"}, f"m{seq}", "web", "web")
        elif seq % 3 == 0:
            yield Happened(at_ms, seq, "Page Viewed", {"path": "/", "title": "Home"}, f"m{seq}", "web", "web")
        else:
            yield Happened(at_ms, seq, "Product Viewed", seen, f"m{seq}", "web", "web")


def _seen(number: int, now_ms: int) -> Place:
    action = f"action_{number * 13:03d}"
    at_ms = now_ms - (number + 1) * 7 * _HOUR_MS
    return Place(
        f"old-{number}",
        action,
        "web",
        "promotional",
        "marketing",
        "",
        f"group_{number % 5}",
        PLACEMENTS[0],
        at_ms,
        at_ms + 1,
        at_ms,
    )


_RULES: dict[str, Any] = {
    "channels.yaml": {
        "channels": [
            {"id": "web", "provider": "none"},
            {"id": "email", "provider": "sandbox", "address": "email"},
            # Nothing is sent on these two, but customers of the shop world give and withdraw consent for them. A
            # statement about a channel that is not there would be set aside.
            {"id": "sms", "provider": "none"},
            {"id": "push", "provider": "none"},
        ]
    },
    "consent.yaml": {
        "purposes": {
            "marketing": {"channels": ["email"], "no_consent_needed": ["web"], "default": False},
            "service": {"channels": [], "default": True},
        },
        "events": ["Consent Updated"],
    },
    "placements.yaml": {"placements": [{"id": name, "channel": "web"} for name in (*PLACEMENTS, EVERYWHERE)]},
    "policies.yaml": {
        "caps": [
            {"id": "email_weekly", "limit": 2, "per": "7d", "match": {"channel": "email", "tier": "promotional"}},
            {"id": "web_weekly", "limit": 100, "per": "7d", "match": {"channel": "web", "tier": "promotional"}},
            *({"id": f"daily_{n}", "limit": 5, "per": "1d", "match": {"group": f"group_{n}"}} for n in range(5)),
        ],
        "suppress": [
            {
                "id": "bought_category",
                "tier": "promotional",
                "when": {
                    "event": {
                        "name": "Order Completed",
                        "within": "30d",
                        "where": {"products.category": "$action.category"},
                    }
                },
            },
            {"id": "open_ticket", "tier": "promotional", "when": {"segment": "in_support"}},
        ],
        "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
    },
    "segments.yaml": {
        "segments": {
            "staff": {"trait": {"name": "staff", "is": True}},
            "high_value": {"trait": {"name": "lifetime_value", "at_least": 500}},
            "in_support": {
                "all": [
                    {"event": {"name": "Ticket Opened", "within": "14d"}},
                    {"not": {"event": {"name": "Ticket Closed", "within": "14d"}}},
                ]
            },
        }
    },
    "identity.yaml": {"namespaces": {"loyalty_id": {"paths": ["properties.card"]}}},
    "sources.yaml": {"sources": {"web": {"channel": "web"}}},
    "templates/reminder.html": "<p>You left something in your cart.</p><a href='{{ unsubscribe_url }}'>No more</a>",
    "actions/reminder.yaml": {
        "id": "reminder",
        "tier": "promotional",
        "purpose": "marketing",
        "channels": ["email"],
        "value": 6.0,
        "variants": [{"id": "a", "email": {"subject": "Your cart", "template": "reminder.html"}}],
    },
}

_JOURNEYS: tuple[dict[str, Any], ...] = (
    {
        "id": "abandoned_cart",
        "tier": "promotional",
        "trigger": {"event": "Product Added", "where": {"value": {"at_least": 10}}},
        "key": "cart_id",
        "re_entry": {"after": "1d", "concurrent": 1},
        "stops": [{"id": "emptied", "on": "Cart Cleared"}],
        "steps": [
            {"wait": {"for": "1h", "reset_on": ["Product Added"]}},
            {"send": {"action": "reminder", "channel": "email"}},
        ],
    },
    {
        "id": "browse_abandonment",
        "tier": "promotional",
        "trigger": {"event": "Product Viewed", "where": {"price": {"at_least": 50}}},
        "when": {"event": {"name": "Product Viewed", "count": {"at_least": 3}, "within": "1d"}},
        "re_entry": {"after": "7d", "concurrent": 1},
        "steps": [
            {"wait": {"for": "4h", "reset_on": ["Product Viewed"]}},
            {"send": {"action": "reminder", "channel": "email"}},
        ],
    },
)
