"""The messages that a sandbox got in the place of a provider, as they were rendered, so that they can be read.

Each is kept beside its profile, locked under that person's key. So it moves with the profile, and goes with an erasure.
A shard keeps the newest ones, for a month.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from actors.shard.state import ShardState
from actors.storage import keys
from actors.transport.messages.carried import Outcome, SandboxMessage
from engine import codec
from engine.profile import Profile
from engine.vocabulary import DAY_MS

FAMILY: Final = "sandbox"
KEPT_MAX: Final = 1_000  # of one shard
KEPT_MS: Final = 30 * DAY_MS
LISTED_MAX: Final = 1_000
_SPARE: Final = 100  # so many more may be kept before the oldest go: finding the oldest reads all keys
_TIME_BYTES: Final = 8


class SandboxLog:
    """The log of one shard. A record's key is profile, time and a number of the shard."""

    def __init__(self, state: ShardState) -> None:
        self._state = state
        self._count: int | None = None  # counted at the first need
        self._number = 0

    def keep(self, outcome: Outcome) -> None:
        """Keep the message that an outcome brings along, if any; durable with the shard's next commit. Nothing is kept
        of a profile that does not live here."""
        state = self._state
        if not outcome.said or not isinstance(state.record(outcome.profile), Profile):
            return
        now_ms = state.clock.now_ms()
        if self._count is None:
            self._count = len(self._keys())
        self._number += 1
        key = keys.profile_key(outcome.profile) + now_ms.to_bytes(_TIME_BYTES) + self._number.to_bytes(4)
        state.batch.put(FAMILY, key, codec.seal(outcome.said), outcome.profile)
        self._count += 1
        if self._count > KEPT_MAX + _SPARE:
            self._forget(now_ms)

    def newest(self, channel: str, limit: int, profile: str = "") -> list[dict[str, Any]]:
        """The newest messages first, of one channel where one is named, of one profile or of all."""
        found: list[dict[str, Any]] = []
        for key in reversed(self._keys(keys.profile_key(profile) if profile else b"")):
            record = self._state.batch.get(FAMILY, key)
            if record is None:
                continue
            said = row(key, record)
            if channel in ("", said["channel"]):
                found.append(said | {"profileId": keys.profile_of(key)})
            if len(found) == min(limit, LISTED_MAX):
                break
        return found

    def _keys(self, prefix: bytes = b"") -> list[bytes]:
        """By time, the oldest first."""
        return sorted(self._state.batch.keys_under(FAMILY, prefix), key=lambda key: key[keys.PROFILE_BYTES :])

    def _forget(self, now_ms: int) -> None:
        known = self._keys()
        gone = list(_too_many(known, now_ms))
        for key in gone:
            self._state.batch.put(FAMILY, key, None)
        self._count = len(known) - len(gone)


def _too_many(known: list[bytes], now_ms: int) -> Iterator[bytes]:
    for position, key in enumerate(known):
        if position < len(known) - KEPT_MAX or _at_ms(key) < now_ms - KEPT_MS:
            yield key


def _at_ms(key: bytes) -> int:
    return int.from_bytes(key[keys.PROFILE_BYTES : keys.PROFILE_BYTES + _TIME_BYTES])


def row(key: bytes, record: bytes) -> dict[str, Any]:
    """One message, as a reading or an export has it."""
    said = msgspec.msgpack.decode(codec.unseal(record, FAMILY), type=SandboxMessage)
    return {"at": _at_ms(key), **{name: getattr(said, name) for name in SandboxMessage.__struct_fields__}}
