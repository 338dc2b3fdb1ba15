"""Whatever is acknowledged is on the disk: a power cut that leaves nothing but what was synced takes none of it back.

Real files on a disk that forgets the rest, at the moment at which each command, or the start, has said that it is done.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.disk import KEPT, Disk
from support.world import CART, compiled

from actors.catalog_files.active_catalog import ActiveCatalog, document_in
from actors.maintenance import backup, manifest, restore
from actors.maintenance.reshard import Reshard
from actors.platform.clock import WallClock
from actors.shard.shard import Shard
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


def start_again(data: Path) -> str:
    """As `segue up` begins on a directory that is there: everything is opened. Returns the catalog that counts."""
    directory = DataDirectory(process_settings.read(data=data, shards=SHARDS, environment={}))
    KeyRing.load_or_create(data / "keys.json")
    catalog = ActiveCatalog(directory.catalog_path, directory.id_key).read()
    for number in range(SHARDS):
        vault = FileVault(directory.vault_path, directory.engine_key, number)
        Shard(number, RocksStore(directory.shard_path(number), create=False), catalog, WallClock(), vault=vault).close()
        vault.close()
    directory.release()
    return catalog.version


def the_engine(data: Path) -> ActiveCatalog:
    return ActiveCatalog(data / "catalog", bytes.fromhex((data / "id.key").read_text()))


def test_a_new_catalog_is_the_old_or_the_new_one_whole_whenever_the_power_fails(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = disk.root / "data"
    first_start(data)
    active, newer = the_engine(data), compiled(CART | {"templates/plain.html": "<p>Good morning</p>"})
    older = active.read()
    with disk.cuts(tmp_path / "cuts", monkeypatch) as found:
        active.take(newer.document)
    assert len(found) > 20
    alike: dict[Any, str] = {}  # what is found alike starts alike
    versions = []
    for kept, folder in found:
        names = len(list((folder / "data").iterdir()))
        looks = ((folder / "data" / "catalog").read_bytes(), names)
        alike[looks] = alike.get(looks) or start_again(folder / "data")
        versions.append((kept, alike[looks]))
    assert {version for _, version in versions} == {older.version, newer.version}
    assert [version for _, version in versions[-3:]] == [newer.version] * 3, "what was answered stands"
    for kept in KEPT:
        of_this = [version for each, version in versions if each == kept]
        assert of_this == sorted(of_this, key=[older.version, newer.version].index), "there is no way back"


CHANGES: dict[str, Callable[[Path], object]] = {
    "engine.json": lambda data: inventory.write(data, inventory.read(data) | {"files": ["another"]}),
    "keys.json": lambda data: auth.create(data / "keys.json", "shop", "write", None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_small_file_is_the_old_or_the_new_one_whole_whenever_the_power_fails(
    name: str, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    data = disk.root / "data"
    first_start(data)
    old = (data / name).read_bytes()
    with disk.cuts(tmp_path / "cuts", monkeypatch) as found:
        CHANGES[name](data)
    new = (data / name).read_bytes()
    contents = [(folder / "data" / name).read_bytes() for _, folder in found]
    assert set(contents) == {old, new}
    assert contents[-len(KEPT) :] == [new] * len(KEPT), "what was answered stands"


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
