"""Which profiles are in memory: activated when something arrives, passivated when idle, bounded by bytes.

A record leaves in one of two ways. While all records together exceed the bound, the least recently used one leaves. And
a sweep drops the records that were not used since the sweep before it. A mark in the order of use shows where the last
sweep ended. All records before the mark were not used since, so a sweep looks only at records that it drops.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from typing import Any

from engine import codec
from engine.profile import Profile, Tombstone

Record = Profile | Tombstone

_NEW_BYTES = 2_000  # assumed for a new profile, until its first commit encodes it
# Measured by tracemalloc, profiles with 1 to 64 recent events. An estimate, rather too high: names of properties are
# shared in memory. An event that was read is in memory twice, packed and as an object.
_RECORD_BYTES = 2_800  # an empty profile and its entries here
_TIMES_PLAIN = 4.7
_PACKED_EVENT_BYTES = 20
_READ_EVENT_BYTES = 240
_MARK = ""  # no profile has this id
_SWEPT_AT_ONCE = 1_000  # takes some 0.5 ms, which a request may have to wait for


def bytes_in_memory(record: Record, encoded: bytes) -> int:
    """An estimate of the memory that a record takes as objects, from its encoded form."""
    size, plain = _RECORD_BYTES, codec.plain_bytes(encoded)
    if isinstance(record, Profile):
        recent = record.history
        plain -= 0 if recent.is_read else recent.packed_bytes
        size += recent.packed_bytes + len(recent) * (_PACKED_EVENT_BYTES + recent.is_read * _READ_EVENT_BYTES)
    return int(size + _TIMES_PLAIN * plain)


class Activation:
    """A cache of records. Each is equal to the store, or was changed by turns that are not committed yet."""

    def __init__(self, bytes_max: int) -> None:
        self.counted: dict[str, tuple[str, ...]] = {}  # what each counts as (`actors.shard.figures.people`)
        self.standing: dict[str, Any] = {}  # where each one's runs stand (`actors.shard.standing.index`)
        self._bytes_max = bytes_max
        self._records: OrderedDict[str, Record | None] = OrderedDict({_MARK: None})  # the least recently used first
        self._sizes: dict[str, int] = {}
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def get(self, profile: str) -> Record | None:
        """A record that is in memory."""
        found = self._records.get(profile)
        if found is not None:
            self._records.move_to_end(profile)
        return found

    def put(self, profile: str, record: Record, size: int | None = None) -> None:
        """Keep a record of `size` bytes in memory; None where the size is known already, or will be at its commit."""
        self._records[profile] = record
        self._records.move_to_end(profile)
        self.resize(profile, self._sizes.get(profile, _NEW_BYTES) if size is None else size)

    def resize(self, profile: str, size: int) -> None:
        """A record has grown or shrunk."""
        self.bytes += size - self._sizes.get(profile, 0)
        self._sizes[profile] = size

    def drop(self, profile: str) -> None:
        """Forget a record; the store has it."""
        if self._records.pop(profile, None) is not None:
            self.bytes -= self._sizes.pop(profile)
            self.counted.pop(profile, None)
            self.standing.pop(profile, None)

    def clear(self) -> None:
        """Forget all records; the store has them."""
        for profile in list(self._sizes):
            self.drop(profile)

    def passivate(self, busy: Container[str]) -> None:
        """Drop the least recently used records until the rest fits; none that is `busy`."""
        while self.bytes > self._bytes_max and self._sizes:
            oldest = self._oldest()
            if oldest == _MARK:
                self._records.move_to_end(_MARK)
            elif oldest in busy:
                return
            else:
                self.drop(oldest)

    def sweep(self, busy: Container[str]) -> bool:
        """Drop some records that were not used since the last sweep. True when none is left: then the next sweep
        begins."""
        for _ in range(_SWEPT_AT_ONCE):
            oldest = self._oldest()
            if oldest == _MARK or oldest in busy:
                self._records.move_to_end(_MARK)
                return True
            self.drop(oldest)
        return False

    def _oldest(self) -> str:
        return next(iter(self._records))
