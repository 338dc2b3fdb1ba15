"""Sends that are decided and not settled: what the dispatcher may ask for, and what it has in its hands."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from actors import keys
from engine import codec


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry: not to be handed over before `not_before_ms`; `dispatcher` has it already where that is not empty."""

    profile: str
    send: str
    not_before_ms: int
    dispatcher: str

    @property
    def key(self) -> bytes:
        """Its key in the store."""
        return keys.outbox_key(self.profile, self.send)

    @property
    def record(self) -> bytes:
        """What stands under that key."""
        return codec.seal(msgspec.msgpack.encode([self.not_before_ms, self.dispatcher]))

    @classmethod
    def read(cls, key: bytes, record: bytes) -> Waiting:
        """The opposite of `key` and `record`."""
        not_before_ms, dispatcher = msgspec.msgpack.decode(codec.unseal(record, "outbox"))
        return cls(keys.profile_of(key), key[keys.PROFILE_BYTES :].hex(), not_before_ms, dispatcher)


class Outbox:
    """The entries of one shard, in memory; the store has them all."""

    def __init__(self, entries: list[Waiting]) -> None:
        self._entries = {(entry.profile, entry.send): entry for entry in entries}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Waiting) -> None:
        """A new entry, or a new state of one."""
        self._entries[entry.profile, entry.send] = entry

    def drop(self, profile: str, send: str) -> None:
        """An entry that is settled."""
        self._entries.pop((profile, send), None)

    def of_profile(self, profile: str) -> list[Waiting]:
        """All entries of one profile."""
        return [entry for entry in self._entries.values() if entry.profile == profile]

    def ready(self, now_ms: int, most: int | None = None, pull: str = "") -> list[Waiting]:
        """What may be handed over now, the longest waiting first, so that nobody is passed over when there is much.

        `pull` is the name of the dispatcher's pull: what an earlier try of the same one was given was lost on the way,
        so it was not handed over.
        """
        found = [
            entry
            for entry in self._entries.values()
            if entry.dispatcher in ("", pull) and entry.not_before_ms <= now_ms
        ]
        found.sort(key=lambda entry: (entry.not_before_ms, entry.profile, entry.send))
        return found[:most]

    def next_ms(self) -> int | None:
        """When the next entry may be handed over."""
        return min((entry.not_before_ms for entry in self._entries.values() if not entry.dispatcher), default=None)

    def orphans(self, dispatcher: str) -> list[Waiting]:
        """What another dispatcher was handing over: nobody knows whether it left."""
        own = dispatcher + "."  # followed by the number of the pull
        return sorted(
            (
                entry
                for entry in self._entries.values()
                if entry.dispatcher not in ("", dispatcher) and not entry.dispatcher.startswith(own)
            ),
            key=lambda entry: (entry.profile, entry.send),
        )
