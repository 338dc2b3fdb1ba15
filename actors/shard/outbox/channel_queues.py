"""The sends of an outbox that are due, in one queue per channel, so that a slow provider holds up nobody else's mail.

A send's key has its time and profile; its channel is in the profile. So entries are sorted into queues when they are
due and somebody asks. The number of entries that are sorted is bounded, per call and in all: each costs reading a
profile.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from actors.shard.outbox.due_index import DueIndex

_SORTED_AT_ONCE: Final = 256
_SORTED_MAX: Final = 5_000

ChannelOf = Callable[[bytes], str]


class ChannelQueues:
    """Queues over an index. A sorted entry is taken out of the index's order and stays pending there."""

    def __init__(self, index: DueIndex, channel_of: ChannelOf) -> None:
        self._index, self._channel_of = index, channel_of
        self._queues: defaultdict[str, list[bytes]] = defaultdict(list)

    def due(self, channel: str, now_ms: int, most: int) -> list[bytes]:
        """The earliest keys of a channel that are due; they stay pending. Where more entries are unsorted than one call
        sorts, the next call finds more."""
        found = self._pop(channel, most)
        for _ in range(_SORTED_AT_ONCE):
            if len(found) >= most or self.is_full or (key := self._index.take_out(now_ms)) is None:
                break
            its_channel = self._channel_of(key)
            if its_channel == channel and key not in found:  # one that was dropped and came back is there twice
                found.append(key)
            elif its_channel != channel:
                heapq.heappush(self._queues[its_channel], key)
        for key in found:
            heapq.heappush(self._queues[channel], key)
        return sorted(found)

    def _pop(self, channel: str, most: int) -> list[bytes]:
        queue = self._queues[channel]
        found: list[bytes] = []
        while queue and len(found) < most:
            key = heapq.heappop(queue)
            if key in self._index and key not in found[-1:]:
                found.append(key)
        return found

    def next_key(self, channel: str) -> bytes | None:
        """The first key of a channel's queue that is still pending."""
        queue = self._queues[channel]
        while queue and queue[0] not in self._index:
            heapq.heappop(queue)
        return queue[0] if queue else None

    @property
    def is_full(self) -> bool:
        """Whether no more is sorted until something has left the queues."""
        return self._size >= _SORTED_MAX

    def undo(self) -> None:
        """Give everything back to the index: the catalog has other channels now, or somebody asks for all channels at
        once."""
        for queue in self._queues.values():
            self._index.put_back(queue)
        self._queues.clear()

    @property
    def _size(self) -> int:
        return sum(map(len, self._queues.values()))
