"""The outbox: sends that are decided and not settled. Some wait for a dispatcher, some are being handed over by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec

from actors.shard.outbox.channel_queues import ChannelQueues
from actors.shard.outbox.due_index import DueIndex, Read
from actors.storage import keys
from engine import codec

_READY_MOST = 64
HANDED_OVER = bytes(8)  # time 0 in a key: a dispatcher has this send


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry, which is not handed over before `at_ms`. Where a `dispatcher` has it already, `at_ms` is 0."""

    profile: str
    send: str
    at_ms: int
    dispatcher: str = ""

    @property
    def key(self) -> bytes:
        """Its key in the store."""
        return keys.outbox_key(self.at_ms, self.profile, self.send)

    @property
    def record(self) -> bytes:
        """The record under that key."""
        return codec.seal(msgspec.msgpack.encode(self.dispatcher))

    @classmethod
    def read(cls, key: bytes, record: bytes) -> Waiting:
        """An entry from its key and its record."""
        at_ms, profile, send = keys.outbox_parts(key)
        return cls(profile, send, at_ms, msgspec.msgpack.decode(codec.unseal(record, "outbox")))


ChannelOf = Callable[[str, str], str]


class Outbox:
    """The entries of one shard, in memory; the caller writes them to the store.

    All entries that a dispatcher has are here, and the near future of those that wait. `read` and `waiting` are as for
    `DueIndex`.
    `channel_of` gives the channel of a (profile, send), empty where nothing can be sent on it.
    """

    def __init__(
        self,
        read: Read,
        waiting: int,
        handed: Iterable[Waiting] = (),
        channel_of: ChannelOf = lambda profile, send: "",
    ) -> None:
        self._waiting = DueIndex(read, waiting, since_ms=1)
        self._queues = ChannelQueues(self._waiting, lambda key: channel_of(*keys.outbox_parts(key)[1:]))
        self._handed: dict[tuple[str, str], Waiting] = {(entry.profile, entry.send): entry for entry in handed}

    def __len__(self) -> int:
        return self.waiting + len(self._handed)

    @property
    def waiting(self) -> int:
        """How many entries no dispatcher has."""
        return len(self._waiting)

    def put(self, entry: Waiting) -> None:
        """A new entry, which is in the shard's batch already."""
        if entry.dispatcher:
            self._handed[entry.profile, entry.send] = entry
        else:
            self._waiting.add(entry.key)

    def drop(self, profile: str, send: str, at_ms: int) -> None:
        """An entry that is settled, or has another time now."""
        if at_ms:
            self._waiting.discard(keys.outbox_key(at_ms, profile, send))
        else:
            self._handed.pop((profile, send), None)

    def has_handed(self, profile: str) -> bool:
        """Whether a dispatcher has a send of this profile in its hands."""
        return any(owner == profile for owner, _ in self._handed)

    def ready(self, now_ms: int, most: int | None = None, pull: str = "", channel: str | None = None) -> list[Waiting]:
        """The sends that may be handed over now on a channel (None: on any). The one that waits longest comes first, so
        that nobody is passed over when there are many.

        `pull` is the name of the dispatcher's pull. If the same pull was answered before, the answer was lost on the
        way and nothing of it was handed over; so all of it is given again, or nobody would ever send it.
        """
        lost = [entry for entry in self._handed.values() if entry.dispatcher == pull]
        if lost:
            return lost
        if channel is None:
            self._queues.undo()
            due = self._waiting.due(now_ms, most)
        else:
            due = self._queues.due(channel, now_ms, most or _READY_MOST)
        found = (keys.outbox_parts(key) for key in due)
        return [Waiting(profile, send, at_ms) for at_ms, profile, send in found]

    def next_ms(self, channel: str | None = None) -> int | None:
        """When the next entry may be handed over. For a channel: the earliest entry that could be on it, since the
        channel of an entry is known only when it is sorted."""
        if channel is None:
            self._queues.undo()
            return self._waiting.next_ms()
        first = self._queues.next_key(channel)
        if first is not None:
            return keys.outbox_parts(first)[0]
        return None if self._queues.is_full else self._waiting.next_ms()

    def sort_anew(self) -> None:
        """The catalog has changed its channels."""
        self._queues.undo()

    def orphans(self, dispatcher: str) -> list[Waiting]:
        """The sends that any other dispatcher was handing over: nobody knows whether they left."""
        own = dispatcher + "."  # followed by the number of the pull
        return sorted(
            (e for e in self._handed.values() if e.dispatcher != dispatcher and not e.dispatcher.startswith(own)),
            key=lambda entry: (entry.profile, entry.send),
        )
