"""What a shard has to do at a time: its timers, and the sends that wait. The store has all their keys, which begin with
the time; only those up to a horizon are in memory.

Everything that is due at or before the horizon is here. What comes beyond it only reaches the store, and is read in a
chunk when all that is nearer is done. So a million pending timers take no more memory than a few thousand. The count is
for those who ask; whether there is more to read does not hang on it.
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
    """`read` gives the pending keys from a key on, in order, those of the group at hand included; `count` is how many
    there are in all, and none before `since_ms` belongs here. A key that was dropped stays in the heap until its time
    and is skipped then."""

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
        """A new key, which is in the group's batch already."""
        self._count += 1
        if _due_ms(key) <= self._horizon_ms:
            self._pending.add(key)
            heapq.heappush(self._heap, key)
            if len(self._pending) > self._held_max:
                self._draw_in()

    def discard(self, key: bytes) -> None:
        """A key that is not pending any more."""
        self._count -= 1
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
        """The earliest key that is due at `now_ms`: it stays pending, but is for the caller to look after."""
        first_ms = self.next_ms()
        return heapq.heappop(self._heap) if first_ms is not None and first_ms <= now_ms else None

    def put_back(self, keys: Iterable[bytes]) -> None:
        """Look after these again, those that are pending still."""
        for key in keys:
            if key in self._pending:
                heapq.heappush(self._heap, key)

    def pop_due(self, now_ms: int) -> tuple[int, str] | None:
        """Of timers: the earliest (due time, profile) that is due at `now_ms`; its turn drops all of that profile's
        timers of that time."""
        due_ms = self.next_ms()
        if due_ms is None or due_ms > now_ms:
            return None
        _, profile, _, _ = keys.timer_parts(self._heap[0])
        return due_ms, profile

    def forget(self, due_ms: int, profile: str) -> list[bytes]:
        """Timers of one profile and time that its turn did not drop: they belong to nothing any more."""
        prefix = due_ms.to_bytes(8) + keys.profile_key(profile)
        stale = []
        while self._heap and self._heap[0].startswith(prefix):
            key = heapq.heappop(self._heap)
            if key in self._pending:
                self.discard(key)
                stale.append(key)
        return stale

    def _reach_out(self) -> bool:
        """Move the horizon past the next chunk; all keys of one instant come together. False where none is left."""
        if self._horizon_ms == _ENDLESS_MS:
            return False
        ahead = self._read((self._horizon_ms + 1).to_bytes(8))
        chunk = [key for _, key in zip(range(CHUNK), ahead, strict=False)]
        self._horizon_ms = _ENDLESS_MS
        if len(chunk) == CHUNK:
            self._horizon_ms = last_ms = _due_ms(chunk[-1])
            chunk += takewhile(lambda key: _due_ms(key) == last_ms, ahead)
        self._heap = chunk  # in order, and so a heap
        self._pending.update(chunk)  # what `due` looks at is not in the heap meanwhile
        return bool(chunk)

    def _draw_in(self) -> None:
        """Too much lies before the horizon by now: leave the later part to the store, but no instant in two parts."""
        nearest = sorted(self._pending)
        horizon_ms = _due_ms(nearest[CHUNK])
        self._heap = list(takewhile(lambda key: _due_ms(key) <= horizon_ms, nearest))
        self._pending, self._horizon_ms = set(self._heap), horizon_ms
        self._held_max = max(_HELD_MAX, 2 * len(self._heap))  # many at one instant are not sorted at each new one


def _due_ms(key: bytes) -> int:
    return int.from_bytes(key[:8])
