"""An index over a shard's work by due time: its timers, or the sends that wait.

The store has all their keys, which begin with the time. Only the keys up to a horizon are in memory; later ones are
read in chunks, when all earlier ones are done. So a million pending timers take no more memory than a few thousand. The
count is only shown: whether there is more to read does not depend on it.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

from actors.storage import keys

CHUNK = 5_000
_HELD_MAX = 4 * CHUNK
_ENDLESS_MS = 1 << 63  # after every key: there is none beyond it

Read = Callable[[bytes], Iterator[bytes]]


class DueIndex:
    """`read` gives the pending keys from a key on, in order, uncommitted ones included. `count` is their number. It may
    be wrong: it is mended as soon as all keys are in memory. Keys of times before `since_ms` are no part of this index.

    `_pending` holds the pending keys up to the horizon, `_heap` orders them. A key that is discarded stays in the heap
    until it comes first, and is skipped then: to search the heap for it would cost more.
    """

    def __init__(self, read: Read, count: int, since_ms: int = 0) -> None:
        self._read = read
        self._count = count
        self._heap: list[bytes] = []
        self._pending: set[bytes] = set()
        self._horizon_ms = since_ms - 1
        self._held_max = _HELD_MAX

    def __len__(self) -> int:
        return self._count

    def add(self, key: bytes) -> None:
        """A new key, which is in the shard's batch already."""
        self._count += 1
        if _due_ms(key) <= self._horizon_ms:
            self._pending.add(key)
            heapq.heappush(self._heap, key)
            if len(self._pending) > self._held_max:
                self._draw_in()

    def discard(self, key: bytes) -> None:
        """A key that is not pending any more."""
        self._count = max(0, self._count - 1)
        self._pending.discard(key)

    def next_ms(self) -> int | None:
        """When the next one is due."""
        while True:
            while self._heap and self._heap[0] not in self._pending:
                heapq.heappop(self._heap)
            if self._heap:
                return _due_ms(self._heap[0])
            if not self._reach_out():
                return None

    def due(self, now_ms: int, most: int | None = None) -> list[bytes]:
        """The earliest keys that are due at `now_ms`; they stay pending."""
        found: list[bytes] = []
        while len(found) != most and (first_ms := self.next_ms()) is not None and first_ms <= now_ms:
            key = heapq.heappop(self._heap)
            if not found or key != found[-1]:  # one that was dropped and came back is in the heap twice
                found.append(key)
        for key in found:
            heapq.heappush(self._heap, key)
        return found

    def __contains__(self, key: bytes) -> bool:
        """Whether a key that was taken out is pending still."""
        return key in self._pending

    def take_out(self, now_ms: int) -> bytes | None:
        """The earliest key that is due at `now_ms`. It stays pending, but leaves the order: the caller keeps it."""
        first_ms = self.next_ms()
        return heapq.heappop(self._heap) if first_ms is not None and first_ms <= now_ms else None

    def put_back(self, keys: Iterable[bytes]) -> None:
        """Take keys that were taken out back into the order, as far as they are still pending."""
        for key in keys:
            if key in self._pending:
                heapq.heappush(self._heap, key)

    def pop_due(self, now_ms: int) -> tuple[int, str] | None:
        """Of timers: the earliest (due time, profile) that is due at `now_ms`. One turn is for all of that profile's
        timers of that time, and drops them."""
        due_ms = self.next_ms()
        if due_ms is None or due_ms > now_ms:
            return None
        _, profile, _, _ = keys.timer_parts(self._heap[0])
        return due_ms, profile

    def forget(self, due_ms: int, profile: str) -> list[bytes]:
        """Discard and return the timers of one profile and time that its turn has not dropped: no run has them."""
        prefix = due_ms.to_bytes(8) + keys.profile_key(profile)
        stale = []
        while self._heap and self._heap[0].startswith(prefix):
            key = heapq.heappop(self._heap)
            if key in self._pending:
                self.discard(key)
                stale.append(key)
        return stale

    def _reach_out(self) -> bool:
        """Read the next chunk, and move the horizon to its end. All keys of one instant come together. False where none
        is left."""
        if self._horizon_ms == _ENDLESS_MS:
            return False
        ahead = self._read((self._horizon_ms + 1).to_bytes(8))
        chunk = [key for _, key in zip(range(CHUNK), ahead, strict=False)]
        self._horizon_ms = _ENDLESS_MS
        if len(chunk) == CHUNK:
            self._horizon_ms = last_ms = _due_ms(chunk[-1])
            chunk += takewhile(lambda key: _due_ms(key) == last_ms, ahead)
        self._heap = chunk  # in order, and so a heap
        self._pending.update(chunk)  # added: what `due` has taken off the heap for a moment is still pending
        if self._horizon_ms == _ENDLESS_MS:  # all of them are in memory: a count that the store has wrong is mended
            self._count = len(self._pending)
        return bool(chunk)

    def _draw_in(self) -> None:
        """Too many keys are in memory: move the horizon back, and leave the later ones to the store. All keys of one
        instant stay together."""
        nearest = sorted(self._pending)
        horizon_ms = _due_ms(nearest[CHUNK])
        self._heap = list(takewhile(lambda key: _due_ms(key) <= horizon_ms, nearest))
        self._pending, self._horizon_ms = set(self._heap), horizon_ms
        self._held_max = max(_HELD_MAX, 2 * len(self._heap))  # else many keys of one instant are sorted at each `add`


def _due_ms(key: bytes) -> int:
    return int.from_bytes(key[:8])
