"""What became of messages, as a condition asks: the newest outcomes of the last weeks that a profile remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from engine.conditions.readable import Readable
from engine.profile import Profile
from engine.vocabulary import ARRIVED

FIELDS: Final = ("journey", "step", "action", "channel")


def newest_ms(profile: Profile, body: Mapping[str, Any], now_ms: int) -> int | None:
    """When it happened last; None where it did not, or not within the time that is asked."""
    names = body["name"] if isinstance(body["name"], list) else [body["name"]]
    wanted = {*names, *(ARRIVED if "sent" in names else ())}
    tests = [(field, body[field]) for field in FIELDS if field in body]
    since_ms = now_ms - body["within"] if "within" in body else -1
    found = [
        row.at_ms
        for row in profile.outcomes
        if row.outcome in wanted
        and row.at_ms > since_ms
        and all(getattr(row, field) == value for field, value in tests)
    ]
    return max(found, default=None)


def happened(view: Readable, body: Mapping[str, Any]) -> bool:
    """Whether a message came to such an end."""
    return newest_ms(view.profile, body, view.now_ms) is not None
