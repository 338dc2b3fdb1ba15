"""The audit chain of one profile: each entry's digest covers the one before it, so that tampering shows (Invariant 6).

An entry is stored as `digest ‖ entry`, digest = blake2b(previous digest ‖ entry). The chain is also the timeline.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

from engine.codec import seal, unseal
from engine.recent_events import encoder

DIGEST_BYTES = 16


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a customer's timeline. `detail` holds facts of its kind (a decision's receipt, say)."""

    at_ms: int
    kind: str
    summary: str
    channel: str = ""
    source: str = ""
    message_id: str = ""
    journey: str = ""
    run: str = ""
    step: str = ""
    action: str = ""
    outcome: str = ""
    reason: str = ""
    version: str = ""
    detail: dict[str, Any] = {}


_entry = msgspec.msgpack.Decoder(Entry)


def link(head: bytes, entry: Entry) -> tuple[bytes, bytes]:
    """The new head of the chain, and the record to store."""
    plain = encoder.encode(entry)
    digest = blake2b(head + plain, digest_size=DIGEST_BYTES).digest()
    return digest, seal(digest + plain)


def open_entry(record: bytes) -> tuple[bytes, Entry]:
    """The digest and the entry of a stored record."""
    plain = unseal(record, "audit")
    return plain[:DIGEST_BYTES], _entry.decode(plain[DIGEST_BYTES:])


def first_break(records: list[bytes]) -> int | None:
    """The index of the first record that does not follow from the one before it, None for an unbroken chain."""
    head = b""
    for index, record in enumerate(records):
        plain = unseal(record, "audit")
        wanted = blake2b(head + plain[DIGEST_BYTES:], digest_size=DIGEST_BYTES).digest()
        if plain[:DIGEST_BYTES] != wanted:
            return index
        head = wanted
    return None
