"""What an engine wrote to a disk once is read by every later version, and written as it was.

`tests/golden` holds the files of an engine of each format. `support.golden` says how they were made.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import golden
from support.golden import ENGINE_KEY, MADE, SERVER_KEY, SHARDS, SYNCED, WRITE_KEY, Rows
from support.world import ID_KEY

from actors.catalog_files.active_catalog import document_in
from actors.maintenance import manifest, restore
from actors.maintenance.verify import verify
from actors.maintenance.verify_replay import verify_replay
from actors.storage import inventory, key_copies, keys
from actors.storage.store_folders import shard_path
from actors.storage.synced_mark import SyncedMark
from actors.storage.vault import FileVault
from engine import codec
from engine.catalog.compile import compile_bytes
from engine.errors import Corrupt
from serve.http.auth import KeyRing

GOLDEN = golden.read()
DIGESTS: dict[str, str] = json.loads(golden.DIGESTS.read_text("utf-8"))
FAMILIES = sorted(family for family, rows in GOLDEN.meaning.items() if rows)

CHANGED = """{name}: this version writes something else than versions that are in use.
- If nothing was meant to change on the disk, undo what changed it.
- If a field with a default was added at the end of a record, run
    PYTHONPATH=.:tests python -m support.golden digests
- If anything else changed, it is a new format: give it a number of its own, have the next start rewrite or read the
  old one (actors/maintenance/upgrade.py), keep tests/golden/format-2.msgpack.lz4 for a test of that, and run
    PYTHONPATH=.:tests python -m support.golden make"""
MISREAD = """{name}: this version reads something else than what was written. Engines in use have such files, so the
golden file stays as it is: read what it holds, or rewrite it at the next start (actors/maintenance/upgrade.py)."""


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that came back from the golden backup and its keys."""
    folder = tmp_path_factory.mktemp("golden")
    golden.unpack(GOLDEN.files, folder)
    came = restore.restore(folder / "backup", folder / "keys", folder / "data", lambda data: ENGINE_KEY)
    assert came.faults == []
    return folder / "data"


@pytest.fixture(scope="module")
def rows(restored: Path) -> Rows:
    """Its records, unlocked."""
    return golden.rows_of(restored, lambda number: FileVault(restored / "vault", ENGINE_KEY))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What this version writes when it is told the same history."""
    return golden.written(GOLDEN, tmp_path_factory.mktemp("written"))[0]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """The small files of a data directory, as they were written once."""
    golden.unpack({n.removeprefix("small/"): c for n, c in GOLDEN.files.items() if n.startswith("small/")}, tmp_path)
    yield tmp_path


# -- what was written is read


@pytest.mark.parametrize("family", FAMILIES)
def test_every_record_means_what_it_meant(family: str, rows: Rows):
    meant = GOLDEN.meaning[family]
    assert {key.hex() for key in rows[family]} == set(meant)
    for key, record in rows[family].items():
        found = golden.meaning_of(family, key, record)
        assert golden.is_within(meant[key.hex()], found), MISREAD.format(name=f"{family} {key.hex()}")


def test_there_is_a_record_of_every_kind_that_the_format_had():
    assert set(keys.FAMILIES) - set(FAMILIES) == {"merges", "reviews", "blocks", "interests", "facts", "standing"}


def test_a_restored_engine_goes_on_and_its_stores_and_journals_hold(restored: Path):
    catalog = dataclasses.replace(compile_bytes(GOLDEN.catalog), id_key=ID_KEY)
    world = golden.opened(restored, catalog, base=SHARDS)
    waiting = sum(len(windows.shard.timers) + len(windows.shard.outbox) for windows in world.engine.windows)
    assert waiting > 1
    world.advance(days=3)
    assert world.mailbox, "a reminder that waited has left"
    golden.closed(world)
    paths, vault = [shard_path(restored, number) for number in range(SHARDS)], FileVault(restored / "vault", ENGINE_KEY)
    assert verify(paths, vault)[0] == []
    # That version noted neither the source of a link nor of which identifier a profile was born; a replay notes both.
    differing = verify_replay(paths, vault, ID_KEY)[0]
    assert [line for line in differing if not line.endswith("its state is not what its journal says")] == []
    vault.close()


def test_the_active_catalog_is_read(small: Path):
    assert document_in(small / "catalog") == GOLDEN.catalog


def test_the_inventory_is_read(small: Path):
    assert inventory.read(small) == MADE


def test_the_keys_of_clients_are_read(small: Path):
    known = KeyRing.read(small / "keys.json")
    assert known.identify({}, WRITE_KEY).kind == "write"
    assert known.identify({b"authorization": f"Bearer {SERVER_KEY}".encode()}).kind == "server"


def test_the_mark_of_what_was_synced_is_read(small: Path):
    mark = SyncedMark(small / "store")
    mark.check(SYNCED, small / "a.log", is_marked=True)
    with pytest.raises(Corrupt, match=str(SYNCED)):
        mark.check(SYNCED - 1, small / "a.log", is_marked=True)


def test_a_key_file_opens_what_was_locked_under_it(small: Path):
    vault = FileVault(small / "vault", ENGINE_KEY)
    assert codec.unseal(vault.unlock((small / "locked").read_bytes())) == b"a record of one person"
    assert (vault.slots(7), vault.broken(7)) == (16, [])
    vault.close()


def test_a_manifest_is_read_and_names_what_it_was_made_of(small: Path):
    found = manifest.read(small)
    assert (found.engine, found.format, list(found.files)) == (MADE, 1, ["shard-000/SYNCED"])


def test_a_key_folder_is_known_as_that_of_its_engine(restored: Path):
    key_copies.check(restored, restored.parent / "keys")
    names = {name.removeprefix("keys/") for name in GOLDEN.files if name.startswith("keys/")}
    assert names == {"engine.key", "id.key", "vault/keys-00000", "vault/keys-00001"}


# -- and written as it was


@pytest.mark.parametrize("name", sorted(DIGESTS))
def test_what_is_written_is_what_was_written(name: str, written: dict[str, str]):
    assert written.get(name) == DIGESTS[name], CHANGED.format(name=name)


def test_every_format_that_is_written_has_a_digest(written: dict[str, str]):
    assert set(written) == set(DIGESTS), "run PYTHONPATH=.:tests python -m support.golden digests"
