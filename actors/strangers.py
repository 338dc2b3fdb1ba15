"""Decisions for strangers: they leave no profile, only a receipt and a request id for a day.

A record's key sorts by time, then profile, then a number of the shard; it holds the key of the request, empty where it
had none, and the sealed entries of the receipt.
"""

from __future__ import annotations

import msgspec

from actors import keys
from actors.batch import Batch
from engine import codec, once
from engine.errors import NotFound
from engine.inputs import AnyInput, ConsentChange, Decide
from engine.profile import Profile

_TIME_BYTES = 8


def refuse_unnamed(told: AnyInput, is_known: bool) -> None:
    """NotFound where a profile was named by its own id and nobody is known by it."""
    if not is_known and isinstance(told, Decide | ConsentChange) and told.profile_id:
        raise NotFound("there is no such profile", "identifiers.profile_id")


def leave_receipt(batch: Batch, profile: Profile, number: int, seen_key: bytes | None) -> None:
    """Turn the first turn of somebody who stays a stranger, journal record `number`, into a receipt. It stays plain:
    it names nobody, and so nobody could ask for its erasure."""
    batch.take_back("journal", keys.journal_key(profile.id, number))
    notes = [batch.take_back("audit", keys.audit_key(profile.id, seq + 1)) for seq in range(profile.audit_seq)]
    if seen_key is not None:
        batch.disown("seen", keys.profile_key(profile.id) + seen_key)
    key = profile.clock_ms.to_bytes(_TIME_BYTES) + keys.profile_key(profile.id) + number.to_bytes(6)
    batch.put("strangers", key, codec.seal(msgspec.msgpack.encode([seen_key or b"", notes])))


def forget(batch: Batch, now_ms: int) -> None:
    """Drop the receipts that are older than a day, and the request ids that go with them. The caller commits."""
    for key, value in batch.committed("strangers"):
        if int.from_bytes(key[:_TIME_BYTES]) > now_ms - once.REQUEST_KEPT_MS:
            break
        seen_key, _ = msgspec.msgpack.decode(codec.unseal(value, "strangers"))
        batch.put("strangers", key, None)
        if seen_key:
            batch.put("seen", key[_TIME_BYTES : _TIME_BYTES + keys.PROFILE_BYTES] + seen_key, None)
