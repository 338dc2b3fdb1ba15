"""Changes the number of shards of a stopped engine: every record is copied to the shard where its profile lives then.

The old stores are only read. They count until the new ones are complete and checked; then the new ones take their place
all at once (`actors.storage.store_folders`). A run can be killed at any moment: the next one goes on with the copying
from where it was durable.
"""

from __future__ import annotations

import contextlib
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from actors.maintenance import facts_everywhere
from actors.maintenance.manifest import meta
from actors.maintenance.record_placement import MOVED, Mover, digest_of
from actors.maintenance.verify import verify
from actors.platform import durable
from actors.storage import store_folders
from actors.storage.store import RocksStore
from actors.storage.vault import Vault
from engine import codec
from engine.errors import SegueError, UsageError

CHUNK_RECORDS = 5_000
_CHUNK_BYTES = 16 << 20
_ROOM = 1.2  # the disk space that the new stores may need, in sizes of the old ones
_POSITION = b"reshard"

Open = Callable[[Path], RocksStore]
Told = Callable[[str, int], None]  # the step that is being done, and the number of records copied


@dataclass(slots=True)
class Reshard:
    """One change of the number of shards. `run` raises UsageError, or SegueError where the check fails; then, as after
    any interruption, the old stores count and nothing of them has changed."""

    data: Path
    shards: int
    vault: Vault
    told: Told
    open: Open = RocksStore
    chunk_records: int = CHUNK_RECORDS
    copied: int = 0
    former: int = 0
    _totals: dict[str, int] = field(default_factory=dict)

    def run(self) -> dict[str, int]:
        """Do the whole change. Returns the number of records of each family, and no family where nothing was to be
        done."""
        store_folders.finish_switch(self.data)
        self.former = store_folders.read_engine(self.data)["shards"]
        if self.former == self.shards:  # nothing is to be done, or `finish_switch` has just done the rest
            return {}
        self._make_room()
        with _opened(self._old(), self.open) as sources:
            self._delete_outdated_copies(sources)
            with _opened(self._new(), self.open) as targets:
                self._copy(sources, targets)
                self._totals[facts_everywhere.FAMILY] = facts_everywhere.copy(sources, targets)
                self.told("checking", self.copied)
                self._compare(sources, targets)
                self._totals["profiles"] = sum(meta(store, "profiles", 0) for store in targets)
        faults, _ = verify(self._new(), self.vault)
        if faults:
            raise SegueError(f"the copy is not whole: {faults[0]}")
        durable.sync_folder(store_folders.growing_path(self.data, self.shards))
        store_folders.switch(self.data, self.shards, lambda: self.told("switching", self.copied))
        return self._totals

    def about(self) -> int:
        """Roughly how many records there are to copy."""
        store_folders.finish_switch(self.data)
        self.former = store_folders.read_engine(self.data)["shards"]
        with _opened(self._old(), self.open) as sources:
            return sum(store.about(family) for store in sources for family in MOVED)

    def _old(self) -> list[Path]:
        return [store_folders.shard_path(self.data, number) for number in range(self.former)]

    def _new(self) -> list[Path]:
        growing = store_folders.growing_path(self.data, self.shards)
        return [store_folders.shard_path(growing, number) for number in range(self.shards)]

    def _make_room(self) -> None:
        """Delete stores that were begun for yet another number of shards; UsageError where the disk is too small."""
        growing = store_folders.growing_path(self.data, self.shards)
        for other in self.data.glob("reshard-*"):
            if other != growing:
                durable.remove_folder(other)
        needed = _ROOM * sum(map(_bytes_of, self._old())) - sum(map(_bytes_of, self._new()))
        free = shutil.disk_usage(self.data).free
        if free < needed:
            raise UsageError(f"needs {needed / 1e6:,.0f} MB of disk, and {free / 1e6:,.0f} MB are free", "--data")
        durable.make_folder(growing)

    def _delete_outdated_copies(self, sources: Sequence[RocksStore]) -> None:
        """Delete copies that were made before the engine ran once more. Each start raises the epochs, so they differ
        then."""
        growing = store_folders.growing_path(self.data, self.shards)
        epochs, known = str([meta(store, "epoch", 0) for store in sources]), growing / "epochs"
        if not known.exists() or known.read_text() != epochs:
            durable.remove_folder(growing)
            durable.make_folder(growing)
            durable.write(known, epochs)

    # -- copying

    def _copy(self, sources: Sequence[RocksStore], targets: Sequence[RocksStore]) -> None:
        mover = Mover(len(sources), len(targets), self.vault)
        source, family, after, self.copied = meta(targets[0], "reshard", (0, 0, b"", 0))
        while source < len(sources):
            chunk = list(_next(sources[source], MOVED[family], after, self.chunk_records))
            if chunk:
                self._write(mover, source, MOVED[family], chunk, targets)
                after = chunk[-1][0]
                self.copied += len(chunk)
            elif family + 1 < len(MOVED):
                family, after = family + 1, b""
            else:
                source, family, after = source + 1, 0, b""
            if chunk or family == 0:
                self._reach(targets[0], (source, family, after, self.copied))
        for number, facts in enumerate(mover.facts(sources, targets)):
            targets[number].write({("meta", key): value for key, value in facts.items()})
            targets[number].sync()
            self.told("copying", self.copied)

    def _write(
        self, mover: Mover, source: int, family: str, chunk: list[tuple[bytes, bytes]], targets: Sequence[RocksStore]
    ) -> None:
        writes: defaultdict[int, dict[tuple[str, bytes], bytes | None]] = defaultdict(dict)
        for key, record in chunk:
            target, new_key = mover.place(source, family, key, record)
            writes[target][family, new_key] = record
        for target, of_target in writes.items():
            targets[target].write(of_target)
            targets[target].sync()  # before the position is noted: a power cut must not leave a gap behind it

    def _reach(self, store: RocksStore, position: tuple[int, int, bytes, int]) -> None:
        """Note durably how far copying has come. Records that are copied again after a kill overwrite themselves."""
        store.write({("meta", _POSITION): codec.seal(msgspec.msgpack.encode(position))})
        store.sync()
        self.told("copying", self.copied)

    def _compare(self, sources: Sequence[RocksStore], targets: Sequence[RocksStore]) -> None:
        """Compare the number and the digest of every family before and after; then drop the note of how far copying
        has come."""
        for family in MOVED:
            before, after = digest_of(sources, family), digest_of(targets, family)
            if before != after:
                raise SegueError(f"{family}: {before[0]} records before and {after[0]} after are not the same")
            self._totals[family] = before[0]
        targets[0].write({("meta", _POSITION): None})
        targets[0].sync()


def _next(store: RocksStore, family: str, after: bytes, most: int) -> Iterator[tuple[bytes, bytes]]:
    """The next records after a key, `most` of them or `_CHUNK_BYTES`."""
    size = 0
    for key, record in store.scan_from(family, after):
        if key != after:
            yield key, record
            most, size = most - 1, size + len(record)
        if most == 0 or size >= _CHUNK_BYTES:
            return


@contextlib.contextmanager
def _opened(paths: Sequence[Path], opening: Open) -> Iterator[list[RocksStore]]:
    stores: list[RocksStore] = []
    try:
        for path in paths:
            stores.append(opening(path))
        yield stores
    finally:
        for store in stores:
            store.close()


def _bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
