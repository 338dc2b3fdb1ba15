"""Pending timers of a shard by due time. The store has them all; this is what is looked at."""

from __future__ import annotations

import heapq

from actors import keys


class TimerIndex:
    """A heap of timer keys. A timer that was dropped stays in the heap until its time and is skipped then."""

    def __init__(self, pending: list[bytes]) -> None:
        self._heap = pending
        heapq.heapify(self._heap)
        self._pending = set(pending)

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, key: bytes) -> None:
        """A new timer."""
        self._pending.add(key)
        heapq.heappush(self._heap, key)

    def discard(self, key: bytes) -> None:
        """A timer that is not pending any more."""
        self._pending.discard(key)

    def next_ms(self) -> int | None:
        """When the next timer is due."""
        while self._heap and self._heap[0] not in self._pending:
            heapq.heappop(self._heap)
        return int.from_bytes(self._heap[0][:8]) if self._heap else None

    def pop_due(self, now_ms: int) -> tuple[int, str] | None:
        """The earliest (due time, profile) that is due at `now_ms`; its turn drops all of that profile's timers of
        that time."""
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
                self._pending.discard(key)
                stale.append(key)
        return stale
