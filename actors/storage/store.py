"""The store of a shard's records: RocksDB behind one small port (`actors.storage.store_port`).

A batch is atomic over all column families. `write` puts it into the write-ahead log, `sync` makes all that was written
durable. They are two calls because RocksDB holds the interpreter's lock during a synced write, and not during
`flush_wal`. No other module imports rocksdict.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    BottommostLevelCompaction,
    Cache,
    Checkpoint,
    CompactOptions,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from actors.platform import durable, logs
from actors.storage.keys import FAMILIES
from actors.storage.store_errors import (
    WOUNDED,
    check_config,
    check_names,
    check_there_is_one,
    damage,
    gone,
    newest_log,
    opening_error,
    write_error,
)
from actors.storage.store_port import Rows as Rows
from actors.storage.store_port import Store as Store
from actors.storage.store_port import Writes as Writes
from actors.storage.synced_mark import FILE as SYNCED
from actors.storage.synced_mark import SyncedMark
from actors.storage.torn_end import check_identity, check_manifest
from engine.errors import Corrupt, InUse, NotReady

MARKED = b"marked"  # in `meta`, unsealed: this store has had a `SyncedMark`

_CACHE_BYTES = 64 << 20
_MEMTABLE_BYTES = 32 << 20
_MEMTABLES_BYTES = 128 << 20
INSPECTED_ROWS_MAX = 1_000_000  # at a start, which this makes about two seconds longer
_READ_AT_OPENING = ("meta", "timers", "outbox", "messages")

log = logging.getLogger(__name__)


class RocksStore:
    """One RocksDB per shard. RocksDB's own lock admits one process; the epoch tells its incarnations apart."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Without `create`, Corrupt where there is no store: a store that was lost must not come back empty."""
        self.path = path
        if not create:
            check_there_is_one(path)
        try:
            durable.make_folder(path)
            options = _options()
            options.set_disable_auto_compactions(path in WOUNDED)
            self._db = Rdict(str(path), options, column_families=_families(FAMILIES))
        except Exception as error:  # rocksdict raises plain Exception, whatever the fault is
            raise opening_error(path, error) from error
        try:
            self._mark = _mark_of(path, self._db)
        except BaseException:
            self._db.close()
            raise
        self._families = {name: self._db.get_column_family(name) for name in FAMILIES}
        self._handles = {name: self._db.get_column_family_handle(name) for name in FAMILIES}
        self._unsynced = WriteOptions()
        self._unsynced.sync = False
        self._is_closed = False

    def get(self, family: str, key: bytes) -> bytes | None:
        """One record, None where there is none."""
        try:
            found: bytes | None = self._families[family].get(key)
        except Exception as error:
            raise damage(self.path, error) from error
        return found

    def scan(self, family: str, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All records whose key starts with `prefix` and is not before `start`, in order."""
        return _rows(self.path, self._families[family], prefix, start)

    def scan_from(self, family: str, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        """All records from a key on, that of the key itself first where there is one."""
        yield from self._families[family].items(from_key=key)

    def about(self, family: str) -> int:
        """How many records a family has, roughly and at once."""
        return int(self._families[family].property_int_value("rocksdb.estimate-num-keys") or 0)

    def count(self, family: str) -> int:
        """How many records a family has."""
        return sum(1 for _ in self._families[family].keys())  # noqa: SIM118 (it is no dict)

    def sizes(self) -> dict[str, int]:
        """Bytes on disk by family, of the table files alone: `compact` first, so that everything is in one."""
        of = "rocksdb.live-sst-files-size"
        return {name: rows.property_int_value(of) or 0 for name, rows in self._families.items()}

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
            raise write_error(self.path, error) from error

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        try:
            sequence = self._db.latest_sequence_number()  # before the sync, so the mark is never ahead of it
            self._db.flush_wal(True)
        except Exception as error:
            raise write_error(self.path, error) from error
        self._mark.put(sequence)

    def compact(self) -> None:
        """Rewrite every file. The log begins anew too, once all its records are in a file."""
        every_level = CompactOptions()
        every_level.set_bottommost_level_compaction(BottommostLevelCompaction.force())
        for family in self._families.values():
            family.flush(True)
            family.compact_range(None, None, every_level)

    def checkpoint(self, path: Path) -> None:
        """Copy everything written so far: files as hard links where the file system allows that."""
        try:
            sequence = self._db.latest_sequence_number()
            Checkpoint(self._db).create_checkpoint(str(path))
        except Exception as error:
            raise NotReady(f"no copy can be made at {path}: {error}") from error
        SyncedMark(path).make(sequence)

    def check_there(self) -> None:
        """One look into the folder: the log, the tables and the mark that are in use must be in it."""
        check_names(self.path, [str(table["name"]) for table in self._db.live_files()])
        if not self._mark.is_there():
            raise gone(self.path / SYNCED)

    def close(self) -> None:
        """Release the store and its lock, on a full disk too: what was synced is in the log."""
        if self._is_closed:
            return
        self._is_closed = True
        # RocksDB gives up its lock with the last of these objects, and the traceback of a failed write may hold `self`.
        self._handles.clear()
        self._families.clear()
        database = self._db
        del self._db
        self._mark.close()
        try:
            database.close()
        except Exception as error:
            logs.tell(log, logging.WARNING, "store_closed_unflushed", path=str(self.path), reason=str(error))


def inspect(path: Path, rows_max: int = INSPECTED_ROWS_MAX, look: Callable[[Rows], None] | None = None) -> None:
    """Look for damage without changing anything: Corrupt names the file. All files that an opening needs are read, then
    up to `rows_max` records, those of the small families first. `look` is given a function that reads whole
    families."""
    check_there_is_one(path)
    check_config(path)
    check_manifest(path)
    try:
        options = _options()
        families = _families(Rdict.list_cf(str(path), options))
        database = Rdict(str(path), options, column_families=families, access_type=AccessType.read_only())
    except Exception as error:
        raise _told_by_table(path, opening_error(path, error)) from error
    try:
        check_identity(path)
        is_marked = "meta" in families and _is_marked(path, database)
        SyncedMark(path).check(database.latest_sequence_number(), newest_log(path), is_marked=is_marked)
        ordered = sorted(families, key=_READ_AT_OPENING.__contains__, reverse=True)
        rows = chain.from_iterable(_rows(path, database.get_column_family(name)) for name in ordered)
        for _ in islice(rows, rows_max):
            pass
        if look is not None:
            look(lambda name: _rows(path, database.get_column_family(name)) if name in families else iter(()))
    finally:
        database.close()


def open_when_free(path: Path, tries: int = 300, *, create: bool = False) -> RocksStore:
    """Open a store whose last process may not have ended quite yet; InUse where it does not end."""
    for _ in range(tries - 1):
        try:
            return RocksStore(path, create=create)
        except InUse:
            time.sleep(0.1)
    return RocksStore(path, create=create)


def _is_marked(path: Path, database: Rdict) -> bool:
    try:
        return database.get_column_family("meta").get(MARKED) is not None
    except Exception as error:
        raise damage(path, error) from error


def _told_by_table(path: Path, found: Exception) -> Exception:
    """The same error with the name of the damaged table. RocksDB blames the manifest where the properties of a table
    are damaged. So each table is offered to an empty store, which refuses the damaged one with the same words."""
    if not isinstance(found, Corrupt) or "properties" not in found.message:
        return found
    for table in sorted(path.glob("*.sst")):
        with tempfile.TemporaryDirectory() as folder:
            empty = Rdict(folder, Options(raw_mode=True))
            try:
                empty.ingest_external_file([str(table)])
            except Exception as error:
                if str(error).removeprefix("Corruption: ") in found.message:
                    return Corrupt(found.message, str(table))
            finally:
                empty.close()
    return found


def _mark_of(path: Path, database: Rdict) -> SyncedMark:
    """The mark of a store that has just been opened; it is made where there has never been one."""
    mark, is_marked, sequence = SyncedMark(path), _is_marked(path, database), database.latest_sequence_number()
    mark.check(sequence, newest_log(path), is_marked=is_marked)
    if not is_marked:
        mark.make(sequence)
        database.get_column_family("meta").put(MARKED, b"1")
    return mark


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(3)
    # A kill leaves a torn last record, which was not acknowledged. Anything else that is broken is damage.
    options.set_wal_recovery_mode(DBRecoveryMode.tolerate_corrupted_tail_records())
    options.set_max_total_wal_size(256 << 20)  # bounds what a restart must read again
    options.set_db_write_buffer_size(_MEMTABLES_BYTES)  # of all families together, which are many and mostly small
    return options


def _families(names: Iterable[str]) -> dict[str, Options]:
    """The options of each family. All share one cache. Values are compressed before they come here."""
    cache = Cache(_CACHE_BYTES)
    return {name: _family_options(name, cache) for name in names}


def _family_options(name: str, cache: Cache) -> Options:
    table = BlockBasedOptions()
    table.set_bloom_filter(10, False)
    table.set_block_cache(cache)
    options = Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(_MEMTABLE_BYTES)
    options.set_compression_type(DBCompressionType.none())
    if name == "seen":  # nearly every look-up is for an id that was never there: 1.1 µs instead of 3
        options.set_memtable_whole_key_filtering(True)
        options.set_memtable_prefix_bloom_ratio(0.02)
    return options


def _rows(path: Path, family: Rdict, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
    """Records in order. rocksdict's own `items` ends silently at a broken block; an iterator's status reports it."""
    rows = family.iter()
    rows.seek(max(prefix, start))
    while rows.valid():
        key = rows.key()
        if not key.startswith(prefix):
            return
        yield key, rows.value()
        rows.next()
    try:
        rows.status()
    except Exception as error:
        raise damage(path, error) from error
