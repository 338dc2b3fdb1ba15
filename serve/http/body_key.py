"""The write key that a browser puts into the body, because `sendBeacon` sets no headers."""

from __future__ import annotations

from typing import Final

import msgspec

from serve.http.hostile_json import UNREADABLE


class _WithKey(msgspec.Struct, rename="camel", frozen=True):
    write_key: str | None = None


_with_key: Final = msgspec.json.Decoder(_WithKey).decode


def write_key_of(raw: bytes) -> str | None:
    """The `writeKey` in a body; None where there is none, or no body that can be read."""
    try:
        return _with_key(raw).write_key
    except UNREADABLE:
        return None
