"""Which profiles are in memory: activated when something arrives, the least recently used passivated, bounded by
bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container

from engine.profile import Profile, Tombstone

Record = Profile | Tombstone

_NEW_BYTES = 2_000


class Activation:
    """A cache of records that are equal to the store, or are being changed by turns that are not committed yet."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._records: OrderedDict[str, Record] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._records)

    def get(self, profile: str) -> Record | None:
        """A record that is in memory."""
        found = self._records.get(profile)
        if found is not None:
            self._records.move_to_end(profile)
        return found

    def put(self, profile: str, record: Record, size: int = _NEW_BYTES) -> None:
        """Keep a record; `size` is what it takes encoded, history included."""
        self._records[profile] = record
        self._records.move_to_end(profile)
        self.resize(profile, size)

    def resize(self, profile: str, size: int) -> None:
        """A record has grown or shrunk."""
        self.bytes += size - self._sizes.get(profile, 0)
        self._sizes[profile] = size

    def drop(self, profile: str) -> None:
        """Forget a record; the store has it."""
        if self._records.pop(profile, None) is not None:
            self.bytes -= self._sizes.pop(profile)

    def passivate(self, busy: Container[str]) -> None:
        """Drop the least recently used records until the rest fits; none that is `busy`."""
        while self.bytes > self._bytes_max and self._records:
            oldest = next(iter(self._records))
            if oldest in busy:
                return
            self.drop(oldest)
