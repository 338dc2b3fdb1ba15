"""A small catalog as plain data, to which a test adds the one thing that it is about, and what is doubted of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.catalog.compile import examined
from engine.catalog.problems import spelled
from engine.clashes.single.rules import Proof

MAIL = {"send": {"action": "mail", "channel": "email"}}
TEXT = {"send": {"action": "text", "channel": "sms"}}
DAY = {"wait": {"for": "1d"}}
CART = "journeys/cart.yaml"
POLICIES = "policies.yaml"
STOP = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}


def wait(duration: str) -> dict[str, Any]:
    """A wait for so long."""
    return {"wait": {"for": duration}}


def action(name: str, channel: str, content: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """An action on one channel, promotional if nothing else is said."""
    base = {"id": name, "tier": "promotional", "purpose": "marketing", "channels": [channel]}
    return base | {"variants": [{"id": "a", channel: dict(content)}]} | more


def mail(name: str = "mail", **more: Any) -> dict[str, Any]:
    """An action on e-mail."""
    return action(name, "email", {"subject": "Hello", "text": "Hello"}, **more)


def catalog(
    *steps: Any, journey: Mapping[str, Any] = {}, files: Mapping[str, Any] = {}, **policies: Any
) -> dict[str, Any]:
    """The small catalog, whose journey has these steps; `journey` and `policies` are put over what they say."""
    cart = {"id": "cart", "tier": "promotional", "trigger": {"event": "Product Added"}, "steps": list(steps) or [MAIL]}
    return {
        "channels.yaml": {
            "channels": [
                {"id": "email", "provider": "sandbox", "address": "email"},
                {"id": "sms", "provider": "sandbox", "address": "phone"},
                {"id": "push", "provider": "sandbox", "address": "device_id"},
            ]
        },
        "consent.yaml": {
            "purposes": {"marketing": {"channels": ["email", "sms"]}, "service": {"default": True}},
            "events": ["Consent Updated"],
        },
        POLICIES: {"workspace": {"zone": "Europe/Berlin"}, "stops": [STOP]} | policies,
        "actions/mail.yaml": mail(),
        "actions/text.yaml": action("text", "sms", {"text": "Hello"}),
        CART: cart | dict(journey),
    } | dict(files)


def doubted(document: Mapping[str, Any], *kinds: str) -> list[str]:
    """What the rules on single journeys doubt (those of these kinds), without a rehearsal: `file: place: message`."""
    found = examined(document)
    assert found.problems == []
    told = [each for each in Proof.of(found.plain, found.models).doubts() if not kinds or each.kind in kinds]
    return [f"{each.file}: {spelled(each.loc)}: {each.message}" for each in told]
