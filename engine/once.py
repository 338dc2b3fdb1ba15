"""Once: what makes two inputs the same, and for how long that is remembered (Invariant 3)."""

from __future__ import annotations

from hashlib import blake2b

from engine.inputs import AnyInput, Decide, Event
from engine.vocabulary import DAY_MS

EVENT_KEPT_MS = 30 * DAY_MS
REQUEST_KEPT_MS = DAY_MS
_BYTES = 12


def key_of(told: AnyInput) -> bytes | None:
    """What stands for an input within its profile; None where it is never a repeat."""
    if isinstance(told, Event):
        name = told.message_id or told.digest
        return _digest("event", told.source, name) if name else None
    if isinstance(told, Decide) and told.request_id:
        return _digest("request", told.request_id)
    return None


def message_key(sender: str, seq: int) -> bytes:
    """What stands for a message between profiles."""
    return _digest("message", sender, str(seq))


def is_remembered(told: AnyInput, seen_ms: int, now_ms: int) -> bool:
    """Whether the first occurrence, by the profile's clock, is recent enough to count."""
    return now_ms - seen_ms <= (REQUEST_KEPT_MS if isinstance(told, Decide) else EVENT_KEPT_MS)


def _digest(*parts: str) -> bytes:
    return blake2b("\x00".join(parts).encode(), digest_size=_BYTES).digest()
