"""Whatever is acknowledged is on the disk: a power cut that leaves nothing but what was synced takes none of it back.

Real files on a disk that forgets the rest, at the moment at which each command, or the start, has said that it is done.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.disk import Disk
from support.world import CART, compiled

from actors.catalog_files.active_catalog import ActiveCatalog, document_in
from actors.maintenance import backup, manifest, restore
from actors.maintenance.reshard import Reshard
from actors.storage import inventory, key_copies, store_folders
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine import codec
from serve.http import auth
from serve.http.auth import KeyRing
from serve.process import settings as process_settings
from serve.process.data_directory import DataDirectory, engine_key_of, stopped

SHARDS = 2


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    watched, mask = Disk(monkeypatch, root), os.umask(0o077)
    yield watched
    watched.close()
    os.umask(mask)


def first_start(data: Path) -> None:
    """As `segue up` begins, on a directory that is not there yet."""
    directory = DataDirectory(process_settings.read(data=data, shards=SHARDS, environment={}))
    KeyRing.load_or_create(data / "keys.json", "wk_test", "sk_test")
    directory.rely_on("keys.json")
    directory.settle()
    ActiveCatalog(directory.catalog_path, directory.id_key).take(compiled(CART).document)
    directory.rely_on("catalog")
    for number in range(SHARDS):
        vault = FileVault(directory.vault_path, directory.engine_key, number)
        vault.new_key()
        vault.close()
        store = RocksStore(directory.shard_path(number))
        store.write({("meta", b"epoch"): codec.seal(codec.encoder.encode(1))})
        store.sync()
        store.close()
    directory.release()


def faults_of(data: Path) -> list[str]:
    """What the next start would say is missing."""
    return [str(fault) for fault in inventory.faults(data, inventory.read(data))]


def test_a_first_start_in_new_folders_is_there_after_a_power_cut(disk: Disk, tmp_path: Path):
    first_start(disk.root / "srv" / "segue" / "data")
    found = disk.cut(tmp_path / "found") / "srv" / "segue" / "data"
    assert faults_of(found) == []
    assert document_in(found / "catalog") == compiled(CART).document
    assert engine_key_of(found, None) == engine_key_of(disk.root / "srv" / "segue" / "data", None)


def test_a_data_directory_whose_first_start_was_killed_is_there_after_a_power_cut(disk: Disk, tmp_path: Path):
    data = disk.root / "data"
    data.mkdir()  # and killed
    first_start(data)
    assert faults_of(disk.cut(tmp_path / "found") / "data") == []


def test_the_store_of_a_pinned_profile_is_there_after_a_power_cut(disk: Disk, tmp_path: Path):
    data = disk.root / "data"
    first_start(data)
    RocksStore(data / "pin-someone").close()
    assert (disk.cut(tmp_path / "found") / "data" / "pin-someone").is_dir()


def test_a_key_that_was_shown_is_known_after_a_power_cut(disk: Disk, tmp_path: Path):
    data = disk.root / "data"
    first_start(data)
    auth.create(data / "keys.json", "shop", "write", None)
    found = disk.cut(tmp_path / "found") / "data"
    assert "shop" in {key.name for key in auth.known(found / "keys.json")}


def test_a_backup_and_its_keys_are_whole_after_a_power_cut(disk: Disk, tmp_path: Path):
    data = disk.root / "data"
    first_start(data)
    with stopped(data) as made:
        wanted = backup.order(data, disk.root / "copies" / "today", disk.root / "safe" / "keys")
        backup.of_stopped(wanted, made["shards"])
    found = disk.cut(tmp_path / "found")
    copied = manifest.read(found / "copies" / "today")
    assert list(manifest.faults_of(copied, found / "copies" / "today")) == []
    key_copies.check(found / "data", found / "safe" / "keys")
    assert {path.name for path in (found / "safe" / "keys").rglob("*") if path.is_file() and path.stat().st_size} == {
        "engine.key", "id.key", "keys.json", "keys-00000", "keys-00001",
    }  # fmt: skip


def test_what_was_restored_is_whole_after_a_power_cut(disk: Disk, tmp_path: Path):
    data = disk.root / "data"
    first_start(data)
    with stopped(data) as made:
        backup.of_stopped(backup.order(data, disk.root / "today", disk.root / "keys"), made["shards"])
    restore.restore(
        disk.root / "today", disk.root / "keys", disk.root / "new" / "data", lambda made: engine_key_of(made, None)
    )
    found = disk.cut(tmp_path / "found") / "new" / "data"
    assert faults_of(found) == []
    assert engine_key_of(found, None) == engine_key_of(data, None)


def test_another_number_of_shards_survives_a_power_cut_at_every_step(disk: Disk, tmp_path: Path):
    data = disk.root / "data"
    first_start(data)
    key = engine_key_of(data, None)
    steps = itertools.count()
    found: list[Path] = []

    def told(what: str, copied: int) -> None:
        found.append(disk.cut(tmp_path / f"found-{next(steps)}") / "data")

    Reshard(data, 3, FileVault(data / "vault", key), told).run()
    told("done", 0)
    shards = set()
    for at in found:
        store_folders.finish_switch(at)
        facts = inventory.read(at)
        shards.add(facts["shards"])
        assert [str(fault) for fault in inventory.faults(at, facts)] == []
    assert shards == {2, 3}
