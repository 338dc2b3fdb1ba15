"""Looks twice a second whether the files that a shard writes to still exist. A process can go on writing to a file that
was deleted, and everything written there is lost with the process."""

from __future__ import annotations

from actors.storage.batch import Batch

_PAUSE_S = 0.5


class Lookout:
    """One per shard."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._next_s = 0.0

    def look(self, now_s: float) -> None:
        """Raises StoreFailed, which names the file, where one has gone. `now_s` is by the loop's clock."""
        if now_s >= self._next_s:
            self._next_s = now_s + _PAUSE_S
            self._batch.check_there()
