"""The port of a store, as shards need it. `actors.storage.store` and `actors.storage.memory_store` implement it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

Writes = Mapping[tuple[str, bytes], bytes | None]
Rows = Callable[[str], Iterator[tuple[bytes, bytes]]]  # all records of a family


class Store(Protocol):
    """Sorted bytes to bytes in named families."""

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record, None where there is none."""
        ...

    def scan(self, family: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix` and is not before `start`, in order."""
        ...

    def write(self, writes: Writes) -> None:
        """Apply all of `writes` or nothing; None deletes. StoreFailed where the disk takes no more."""
        ...

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        ...

    def compact(self) -> None:
        """Rewrite every file: overwritten and deleted records leave the disk."""
        ...

    def checkpoint(self, path: Path) -> None:
        """Copy everything written so far to a new folder, at one instant. NotReady where that cannot be written."""
        ...

    def check_there(self) -> None:
        """StoreFailed where a file that the store writes to or reads has lost its name meanwhile."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...
