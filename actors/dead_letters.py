"""Inputs that could not be handled: set aside with their reason, to be looked at, told again, or thrown away.

A letter is locked under the key of the profile that it is for, so it goes with an erasure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from actors import keys
from actors.batch import Batch
from engine import codec, once
from engine.errors import NotFound
from engine.inputs import AnyInput

if TYPE_CHECKING:
    from actors.shard import Shard

LISTED_MAX = 1_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that was set aside at `at_ms`, for the `attempts`-th time."""

    number: int
    profile: str
    reason: str
    at_ms: int
    told: AnyInput
    attempts: int = 1


class DeadLetters:
    """Those of one shard, numbered in the order in which they came."""

    def __init__(self, batch: Batch, last: int) -> None:
        self._batch = batch
        self.last = last  # the number of the newest one ever

    def put(self, profile: str, told: AnyInput, reason: str, at_ms: int, attempts: int = 1) -> None:
        """Set an input aside."""
        self.last += 1
        packed = msgspec.msgpack.encode([profile, reason, at_ms, codec.encode_input(told), attempts])
        self._batch.put("dead", keys.number_key(self.last), codec.seal(packed), profile)

    def all(self) -> list[DeadLetter]:
        """The newest ones, newest first, at most `LISTED_MAX`."""
        return [_read(key, record) for key, record in reversed(self._batch.rows("dead", b""))][:LISTED_MAX]

    def take(self, number: int) -> DeadLetter:
        """Remove one; NotFound where there is none."""
        key = keys.number_key(number)
        record = self._batch.get("dead", key)
        if record is None:
            raise NotFound(f"there is no dead letter {number}", "id")
        self._batch.put("dead", key, None)
        return _read(key, record)


def retry(shard: Shard, number: int) -> str:
    """Tell a dead letter again; `accepted`, `failed` (set aside anew), or `waiting` where its profile is on its way.
    NotFound where there is none."""
    letter, newest = shard.dead.take(number), shard.dead.last
    seen_key = once.key_of(letter.told)
    if seen_key is not None:  # it was remembered as seen when it failed
        shard.batch.put("seen", keys.profile_key(letter.profile) + seen_key, None)
    waits = not shard.tell_or_forward(letter.profile, letter.told)
    failed = shard.dead.last > newest
    if waits or failed:
        reason = shard.dead.take(shard.dead.last).reason if failed else letter.reason
        shard.dead.put(letter.profile, letter.told, reason, shard.clock.now_ms(), letter.attempts + 1)
    return "failed" if failed else "waiting" if waits else "accepted"


def _read(key: bytes, record: bytes) -> DeadLetter:
    profile, reason, at_ms, told, *attempts = msgspec.msgpack.decode(codec.unseal(record, "dead"))
    return DeadLetter(int.from_bytes(key), profile, reason, at_ms, codec.decode_input(told), *attempts)
