"""Decisions for strangers: they leave no profile, only a receipt and a request id for a day.

A record's key sorts by time, then profile, then a number of the shard; it holds the key of the request, empty where it
had none, and the sealed entries of the receipt.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from actors import keys
from engine import codec, once

_TIME_BYTES = 8


def record(
    profile: str, at_ms: int, number: int, seen_key: bytes | None, notes: list[bytes | None]
) -> tuple[bytes, bytes]:
    """The key and the record of one decision."""
    key = at_ms.to_bytes(_TIME_BYTES) + keys.profile_key(profile) + number.to_bytes(6)
    return key, codec.seal(msgspec.msgpack.encode([seen_key or b"", notes]))


def expired(records: Iterable[tuple[bytes, bytes]], now_ms: int) -> list[tuple[str, bytes]]:
    """What can be deleted, as (family, key): receipts older than a day, and the request ids that go with them."""
    found = []
    for key, value in records:
        if int.from_bytes(key[:_TIME_BYTES]) > now_ms - once.REQUEST_KEPT_MS:
            break
        seen_key, _ = msgspec.msgpack.decode(codec.unseal(value, "strangers"))
        found.append(("strangers", key))
        if seen_key:
            found.append(("seen", key[_TIME_BYTES : _TIME_BYTES + keys.PROFILE_BYTES] + seen_key))
    return found
