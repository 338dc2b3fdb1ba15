"""What a sandbox was given instead of a provider: each message as it was rendered, to be read again.

It stands beside its profile, under that person's key: it moves with them and goes with an erasure. A shard keeps the
newest of it, for a month.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.delivery.channels.adapter import Message
from actors.storage import keys
from engine import codec
from engine.profile import Profile
from engine.vocabulary import DAY_MS

if TYPE_CHECKING:
    from actors.shard.shard import Shard
    from actors.transport.messages.carried import Outcome

FAMILY: Final = "sandbox"
KEPT_MAX: Final = 1_000  # of one shard
KEPT_MS: Final = 30 * DAY_MS
CHARS_MAX: Final = 16_384  # of a body; the rest is cut
LISTED_MAX: Final = 1_000
BATCH_BYTES_MAX: Final = 8 << 20
_SPARE: Final = 100  # so many more may stand there before the oldest go, all at once
_TIME_BYTES: Final = 8


class Said(msgspec.Struct, array_like=True, frozen=True):
    """One message, as its provider would have had it. Bodies that are longer than `CHARS_MAX` are cut."""

    send: str
    channel: str
    address: str
    subject: str
    text: str
    html: str


def packed(message: Message) -> bytes:
    """What is kept of a message, as it travels from the dispatcher to the shard."""
    said = Said(
        message.send_id,
        message.channel,
        message.address,
        message.subject,
        message.text[:CHARS_MAX],
        message.html[:CHARS_MAX],
    )
    return msgspec.msgpack.encode(said)


def bounded(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes that fit into a frame: what sandboxes were given beyond `BATCH_BYTES_MAX` is left out."""
    kept, room = [], BATCH_BYTES_MAX
    for outcome in outcomes:
        room -= len(outcome.said)
        kept.append(outcome if room >= 0 else msgspec.structs.replace(outcome, said=b""))
    return kept


class SandboxLog:
    """Of one shard. Its records are named by profile, time and a number of the shard."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._count: int | None = None  # counted at the first need
        self._number = 0

    def keep(self, outcome: Outcome) -> None:
        """Write down what an outcome brings along; durable with the shard's next commit. Somebody who does not live
        here any more leaves nothing here."""
        shard = self._shard
        if not outcome.said or not isinstance(shard.record(outcome.profile), Profile):
            return
        now_ms = shard.clock.now_ms()
        if self._count is None:
            self._count = len(self._keys())
        self._number += 1
        key = keys.profile_key(outcome.profile) + now_ms.to_bytes(_TIME_BYTES) + self._number.to_bytes(4)
        shard.batch.put(FAMILY, key, codec.seal(outcome.said), outcome.profile)
        self._count += 1
        if self._count > KEPT_MAX + _SPARE:
            self._forget(now_ms)

    def newest(self, channel: str, limit: int, profile: str = "") -> list[dict[str, Any]]:
        """The newest messages first, of one channel where one is named, of one profile or of all."""
        found: list[dict[str, Any]] = []
        for key in reversed(self._keys(keys.profile_key(profile) if profile else b"")):
            record = self._shard.batch.get(FAMILY, key)
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
        return sorted(self._shard.batch.keys_under(FAMILY, prefix), key=lambda key: key[keys.PROFILE_BYTES :])

    def _forget(self, now_ms: int) -> None:
        known = self._keys()
        gone = list(_too_many(known, now_ms))
        for key in gone:
            self._shard.batch.put(FAMILY, key, None)
        self._count = len(known) - len(gone)


def _too_many(known: list[bytes], now_ms: int) -> Iterator[bytes]:
    for position, key in enumerate(known):
        if position < len(known) - KEPT_MAX or _at_ms(key) < now_ms - KEPT_MS:
            yield key


def _at_ms(key: bytes) -> int:
    return int.from_bytes(key[keys.PROFILE_BYTES : keys.PROFILE_BYTES + _TIME_BYTES])


def row(key: bytes, record: bytes) -> dict[str, Any]:
    """One message, as a reading or an export has it."""
    said = msgspec.msgpack.decode(codec.unseal(record, FAMILY), type=Said)
    return {"at": _at_ms(key), **{name: getattr(said, name) for name in Said.__struct_fields__}}
