"""The store's port over dictionaries, for simulation and tests. Its records end with the process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from actors.storage.keys import FAMILIES, PROFILE_BYTES
from actors.storage.store import Writes
from engine.errors import NotReady

_Groups = defaultdict[bytes, dict[bytes, bytes]]


class MemoryStore:
    """Records are grouped by profile, so a scan of one profile touches no other. Those of the families in `unread` are
    not kept."""

    def __init__(self, unread: Collection[str] = ()) -> None:
        self._families: dict[str, _Groups] = {name: defaultdict(dict) for name in FAMILIES}
        self._unread = frozenset(unread)

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record, None where there is none."""
        group = self._families[family].get(key[:PROFILE_BYTES])
        return group.get(key) if group else None

    def scan(self, family: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix` and is not before `start`, in order."""
        groups = self._families[family]
        if len(prefix) >= PROFILE_BYTES:
            found = groups.get(prefix[:PROFILE_BYTES], {})
            yield from sorted((key, value) for key, value in found.items() if key.startswith(prefix) and key >= start)
            return
        for head in sorted(head for head in groups if head.startswith(prefix) and head >= start[:PROFILE_BYTES]):
            yield from sorted((key, value) for key, value in groups[head].items() if key >= start)

    def write(self, writes: Writes) -> None:
        """Apply all of `writes`."""
        for (family, key), value in writes.items():
            if family in self._unread:
                continue
            group = self._families[family][key[:PROFILE_BYTES]]
            if value is not None:
                group[key] = value
            else:
                group.pop(key, None)
                if not group:
                    del self._families[family][key[:PROFILE_BYTES]]

    def sync(self) -> None:
        """Nothing to do."""

    def compact(self) -> None:
        """Nothing to do."""

    def checkpoint(self, path: Path) -> None:
        """There are no files."""
        raise NotReady("a store in memory cannot be copied")

    def check_there(self) -> None:
        """There are no files."""

    def close(self) -> None:
        """Nothing to do."""
