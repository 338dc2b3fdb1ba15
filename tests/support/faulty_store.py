"""A store that a power cut can hit: unsynced writes may be lost, and any operation may be the last.

All stores of one engine share a `Fuse`, so that one number names one moment of the whole engine. When it has blown,
nobody reads or writes any more, until `survivor` makes the store as it is after the next start.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.storage.memory_store import MemoryStore
from actors.storage.store import Writes


class PowerCut(BaseException):
    """The process ends here; nothing may catch it and go on."""


class Fuse:
    """Blows at the `at`-th operation (a write or a sync) from now: before it takes effect, or after. None: never."""

    def __init__(self, at: int | None = None, *, after: bool = False) -> None:
        self.operations = 0
        self.is_blown = False
        self._at = at
        self._after = after

    def check(self) -> None:
        """PowerCut if the fuse has blown."""
        if self.is_blown:
            raise PowerCut

    def before(self) -> None:
        """An operation begins."""
        self.check()
        self.operations += 1
        if self.operations == self._at and not self._after:
            self.blow()

    def after(self) -> None:
        """An operation has taken effect. If the power fails here, its caller never learns that."""
        if self.operations == self._at:
            self.blow()

    def blow(self) -> None:
        """Blow now."""
        self.is_blown = True
        raise PowerCut


class FaultyStore(MemoryStore):
    """A store in memory that knows what is synced. Its unsynced writes are a sequence, as in a write-ahead log."""

    def __init__(self, fuse: Fuse | None = None, synced: tuple[Writes, ...] = ()) -> None:
        super().__init__()
        self.fuse = fuse or Fuse()
        self._synced = list(synced)
        self._unsynced: list[Writes] = []
        for writes in synced:
            super().write(writes)

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record."""
        self.fuse.check()
        return super().get(family, key)

    def scan(self, family: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix` and is not before `start`, in order."""
        self.fuse.check()
        return super().scan(family, prefix, start)

    def write(self, writes: Writes) -> None:
        """Apply all of `writes`, or none."""
        self.fuse.before()
        super().write(writes)
        self._unsynced.append(dict(writes))
        self.fuse.after()

    def sync(self) -> None:
        """All writes so far survive from now on."""
        self.fuse.before()
        self._synced += self._unsynced
        self._unsynced.clear()
        self.fuse.after()

    @property
    def unsynced(self) -> int:
        """How many writes a power cut may take back."""
        return len(self._unsynced)

    def survivor(self, fuse: Fuse, *, kept: int = 0) -> FaultyStore:
        """The store after a crash that the first `kept` of the unsynced writes have survived."""
        return FaultyStore(fuse, (*self._synced, *self._unsynced[:kept]))
