"""What is due of an outbox, in a line for each channel, so that a slow provider holds up nobody else's mail.

The store knows a send's time and profile, not its channel; that stands in the profile. So entries are sorted into lines
when they are due and somebody asks, a bounded number at once and in all.
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


class Lines:
    """Over an index, whose keys it takes out of the index's sight but leaves pending."""

    def __init__(self, index: DueIndex, channel_of: ChannelOf) -> None:
        self._index, self._channel_of = index, channel_of
        self._lines: defaultdict[str, list[bytes]] = defaultdict(list)

    def due(self, channel: str, now_ms: int, most: int) -> list[bytes]:
        """The earliest keys of a channel that are due; they stay pending. Where there are more to be sorted than can be
        at once, the next call finds more."""
        found = self._pop(channel, most)
        for _ in range(_SORTED_AT_ONCE):
            if len(found) >= most or self.is_full or (key := self._index.take_out(now_ms)) is None:
                break
            its = self._channel_of(key)
            if its == channel and key not in found:  # one that was dropped and came back is there twice
                found.append(key)
            elif its != channel:
                heapq.heappush(self._lines[its], key)
        for key in found:
            heapq.heappush(self._lines[channel], key)
        return sorted(found)

    def _pop(self, channel: str, most: int) -> list[bytes]:
        line, found = self._lines[channel], []
        while line and len(found) < most:
            key = heapq.heappop(line)
            if key in self._index and key not in found[-1:]:
                found.append(key)
        return found

    def next_key(self, channel: str) -> bytes | None:
        """The first key of a channel's line that is still pending."""
        line = self._lines[channel]
        while line and line[0] not in self._index:
            heapq.heappop(line)
        return line[0] if line else None

    @property
    def is_full(self) -> bool:
        """Whether no more is sorted until something of it has left."""
        return self._size >= _SORTED_MAX

    def undo(self) -> None:
        """Give all of it back to the index: the channels are others now, or somebody asks for all of them at once."""
        for line in self._lines.values():
            self._index.put_back(line)
        self._lines.clear()

    @property
    def _size(self) -> int:
        return sum(map(len, self._lines.values()))
