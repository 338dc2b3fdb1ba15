"""The keys and records of the blocking index, family `blocks`. The profile stands behind 8 bytes in every key.

    0 + profile      what is compared of the profile, and the hashes of its blocking keys; locked under its person's key
    1 + profile      the profile is new or has changed, and waits to be matched
    2 + profile      when the first thing that was lent to the profile expires
    hash + profile   the profile has this blocking key; the highest bit of a hash is set

A hash is keyed with the workspace's secret. So nobody without it can look for a person by name.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import msgspec

from actors.storage import keys
from engine import codec
from engine.errors import Corrupt
from engine.matching import blocking
from engine.matching.comparable import Comparable

HASH_BYTES: Final = 8
RECORDS, WAITING, LENT = (number.to_bytes(HASH_BYTES) for number in range(3))
_TOP = 1 << (8 * HASH_BYTES - 1)


class Indexed(msgspec.Struct, array_like=True):
    """What the index knows of a profile: its blocking keys' hashes one after the other, what is compared, the profiles
    that it is linked with or that a question is open about, and when the first of the links expires (0: never)."""

    hashes: bytes
    compared: Comparable
    linked: list[str] = []
    until_ms: int = 0


_decoder = msgspec.msgpack.Decoder(Indexed)
_encoder = msgspec.msgpack.Encoder(order="deterministic")


def pack(indexed: Indexed) -> bytes:
    """The record of a profile."""
    return codec.seal(_encoder.encode(indexed))


def unpack(record: bytes) -> Indexed:
    """The opposite of `pack`; Corrupt where it cannot be read."""
    try:
        return _decoder.decode(codec.unseal(record, "blocks"))
    except msgspec.MsgspecError as error:
        raise Corrupt(str(error), "blocks") from error


def hashed(secret: bytes, compared: Comparable) -> dict[bytes, str]:
    """The hash of each blocking key of a record, with the name of its pass."""
    return {_hash(secret, name, key): name for name, key in blocking.keys(compared)}


def split(hashes: bytes) -> list[bytes]:
    """Hashes that stand one after the other."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def row(head: bytes, profile: str) -> bytes:
    """A key of the family."""
    return head + keys.profile_key(profile)


def profile_in(key: bytes) -> str:
    """The profile that a key is about."""
    return keys.profile_of(key[HASH_BYTES:])


def _hash(secret: bytes, name: str, key: str) -> bytes:
    digest = blake2b(f"block\x1f{name}\x1f{key}".encode(), key=secret, digest_size=HASH_BYTES).digest()
    return (int.from_bytes(digest) | _TOP).to_bytes(HASH_BYTES)
