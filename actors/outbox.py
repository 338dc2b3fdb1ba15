"""Sends that are decided and not settled: what the dispatcher may ask for, and what it has in its hands."""

from __future__ import annotations

import heapq
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
    """The entries of one shard, in memory; the store has them all. What waits is a heap by (time, profile, send), in
    which an entry that has changed since is skipped."""

    def __init__(self, entries: list[Waiting]) -> None:
        self._entries: dict[tuple[str, str], Waiting] = {}
        self._of: dict[str, set[str]] = {}
        self._waiting: list[tuple[int, str, str]] = []
        self._handed: dict[tuple[str, str], Waiting] = {}
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Waiting) -> None:
        """A new entry, or a new state of one."""
        name = entry.profile, entry.send
        self._entries[name] = entry
        self._of.setdefault(entry.profile, set()).add(entry.send)
        if entry.dispatcher:
            self._handed[name] = entry
        else:
            self._handed.pop(name, None)
            heapq.heappush(self._waiting, (entry.not_before_ms, *name))

    def drop(self, profile: str, send: str) -> None:
        """An entry that is settled."""
        if self._entries.pop((profile, send), None) is not None:
            self._handed.pop((profile, send), None)
            self._of[profile].discard(send)
            if not self._of[profile]:
                del self._of[profile]

    def of_profile(self, profile: str) -> list[Waiting]:
        """All entries of one profile."""
        return [self._entries[profile, send] for send in sorted(self._of.get(profile, ()))]

    def ready(self, now_ms: int, most: int | None = None, pull: str = "") -> list[Waiting]:
        """What may be handed over now, the longest waiting first, so that nobody is passed over when there is much.

        `pull` is the name of the dispatcher's pull: what an earlier try of the same one was given was lost on the way,
        so it was not handed over.
        """
        lost = [entry for entry in self._handed.values() if entry.dispatcher == pull]
        if lost:
            return lost[:most]
        found: dict[tuple[str, str], Waiting] = {}
        while len(found) != most and (first_ms := self.next_ms()) is not None and first_ms <= now_ms:
            _, *name = heapq.heappop(self._waiting)
            found[name[0], name[1]] = self._entries[name[0], name[1]]  # once, also where it was put twice
        for entry in found.values():  # until their turns have changed them, they wait
            heapq.heappush(self._waiting, (entry.not_before_ms, entry.profile, entry.send))
        return list(found.values())

    def next_ms(self) -> int | None:
        """When the next entry may be handed over."""
        while self._waiting and not self._is_current(*self._waiting[0]):
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def orphans(self, dispatcher: str) -> list[Waiting]:
        """What another dispatcher was handing over: nobody knows whether it left."""
        own = dispatcher + "."  # followed by the number of the pull
        return sorted(
            (e for e in self._handed.values() if e.dispatcher != dispatcher and not e.dispatcher.startswith(own)),
            key=lambda entry: (entry.profile, entry.send),
        )

    def _is_current(self, not_before_ms: int, profile: str, send: str) -> bool:
        entry = self._entries.get((profile, send))
        return entry is not None and not entry.dispatcher and entry.not_before_ms == not_before_ms
