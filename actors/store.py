"""Where a shard keeps its records: one small port, RocksDB behind it, and a store in memory for simulation and tests.

A batch is atomic over all column families. `write` puts it into the write-ahead log, `sync` makes all that was written
durable; they are two calls because RocksDB holds the interpreter's lock in a synced write, and not in `flush_wal`.
The only importer of rocksdict.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from rocksdict import (
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    Checkpoint,
    CompactOptions,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from actors.keys import FAMILIES, PROFILE_BYTES
from engine.errors import Corrupt, NotReady, UsageError

Writes = Mapping[tuple[str, bytes], bytes | None]

_CACHE_BYTES = 64 << 20
_MEMTABLE_BYTES = 32 << 20


class Store(Protocol):
    """Sorted bytes to bytes in named families."""

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record, None where there is none."""
        ...

    def scan(self, family: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix`, in order."""
        ...

    def count(self, family: str) -> int:
        """How many records a family has."""
        ...

    def write(self, writes: Writes) -> None:
        """Apply all of `writes` or nothing; None deletes. NotReady where the disk takes no more."""
        ...

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        ...

    def compact(self) -> None:
        """Rewrite every file: what was overwritten or deleted leaves the disk."""
        ...

    def checkpoint(self, path: Path) -> None:
        """Copy everything written so far to a new folder, at one instant. NotReady where that cannot be written."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...


class RocksStore:
    """One RocksDB per shard. RocksDB's own lock admits one process; the epoch tells its incarnations apart."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(path), _options(), column_families={name: _family_options() for name in FAMILIES})
        except Exception as error:  # rocksdict raises plain Exception for everything
            raise _opening_error(path, error) from error
        self._families = {name: self._db.get_column_family(name) for name in FAMILIES}
        self._handles = {name: self._db.get_column_family_handle(name) for name in FAMILIES}
        self._unsynced = WriteOptions()
        self._unsynced.sync = False

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record, None where there is none."""
        found: bytes | None = self._families[family].get(key)
        return found

    def scan(self, family: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix`, in order."""
        for key, value in self._families[family].items(from_key=prefix):
            if not key.startswith(prefix):
                return
            yield key, value

    def count(self, family: str) -> int:
        """How many records a family has."""
        return sum(1 for _ in self._families[family].keys())  # noqa: SIM118 (it is no dict)

    def write(self, writes: Writes) -> None:
        """Apply all of `writes` or nothing."""
        batch = WriteBatch(raw_mode=True)
        handles = self._handles
        for (family, key), value in writes.items():
            if value is None:
                batch.delete(key, handles[family])
            else:
                batch.put(key, value, handles[family])
        try:
            self._db.write(batch, self._unsynced)
        except Exception as error:
            raise NotReady(f"the disk takes no more: {error}") from error

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        try:
            self._db.flush_wal(True)
        except Exception as error:
            raise NotReady(f"the disk takes no more: {error}") from error

    def compact(self) -> None:
        """Rewrite every file; the log begins anew too, once all that it holds stands in a file."""
        every_level = CompactOptions()
        every_level.set_bottommost_level_compaction(BottommostLevelCompaction.force())
        for family in self._families.values():
            family.flush(True)
            family.compact_range(None, None, every_level)

    def checkpoint(self, path: Path) -> None:
        """Copy everything written so far: files as hard links where the file system allows that."""
        try:
            Checkpoint(self._db).create_checkpoint(str(path))
        except Exception as error:
            raise NotReady(f"no copy can be made at {path}: {error}") from error

    def close(self) -> None:
        """Release the store and its lock."""
        self._handles, self._families = {}, {}
        self._db.close()


class MemoryStore:
    """The same port over dictionaries. Records are grouped by profile, so a scan of one profile touches no other."""

    def __init__(self) -> None:
        self._families: dict[str, defaultdict[bytes, dict[bytes, bytes]]] = {
            name: defaultdict(dict) for name in FAMILIES
        }

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record, None where there is none."""
        group = self._families[family].get(key[:PROFILE_BYTES])
        return group.get(key) if group else None

    def scan(self, family: str, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix`, in order."""
        groups = self._families[family]
        if len(prefix) >= PROFILE_BYTES:
            found = groups.get(prefix[:PROFILE_BYTES], {})
            yield from sorted((key, value) for key, value in found.items() if key.startswith(prefix))
            return
        for head in sorted(groups):
            if head.startswith(prefix):
                yield from sorted(groups[head].items())

    def count(self, family: str) -> int:
        """How many records a family has."""
        return sum(map(len, self._families[family].values()))

    def write(self, writes: Writes) -> None:
        """Apply all of `writes`."""
        for (family, key), value in writes.items():
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

    def close(self) -> None:
        """Nothing to do."""


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(3)
    options.set_max_total_wal_size(256 << 20)  # bounds what a restart must read again
    return options


def _family_options() -> Options:
    """Bloom filters, because most look-ups are for a message id that was never seen; values are compressed already."""
    table = BlockBasedOptions()
    table.set_bloom_filter(10.0, False)
    table.set_block_cache(Cache(_CACHE_BYTES // len(FAMILIES)))
    options = Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_compression_type(DBCompressionType.none())
    return options


def _opening_error(path: Path, error: Exception) -> Exception:
    text = str(error)
    if "LOCK" in text or "lock hold" in text:
        return UsageError(f"another engine has {path} open")
    if "Permission denied" in text or isinstance(error, OSError):
        return UsageError(f"{path} cannot be written: {text}")
    return Corrupt(f"cannot be opened: {text}", str(path))
