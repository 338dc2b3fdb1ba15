"""What an engine wrote to a disk once is read by every later version, and written as it was.

`tests/golden` holds the files of an engine of each format. `support.golden` says how they were made.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from functools import partial
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

GOLDEN = {name: golden.read(name) for name in golden.STORIES}
FIRST = GOLDEN[golden.FIRST]
DIGESTS: dict[str, dict[str, str]] = {
    name: json.loads(golden.digests_of(name).read_text("utf-8")) for name in golden.STORIES
}
FAMILIES = sorted((name, family) for name, each in GOLDEN.items() for family, rows in each.meaning.items() if rows)

CHANGED = """{name}: this version writes something else than versions that are in use.
- If nothing was meant to change on the disk, undo what changed it.
- If a field with a default was added at the end of a record, run
    PYTHONPATH=.:tests python -m support.golden digests
- If anything else changed, it is a new format: give it a number of its own, have the next start rewrite or read the
  old one (actors/maintenance/upgrade.py), keep the files in tests/golden for a test of that, and run
    PYTHONPATH=.:tests python -m support.golden make NAME"""
MISREAD = """{name}: this version reads something else than what was written. Engines in use have such files, so the
golden file stays as it is: read what it holds, or rewrite it at the next start (actors/maintenance/upgrade.py)."""


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """By history, a data directory that came back from the golden backup and its keys."""
    found: dict[str, Path] = {}
    for name, each in GOLDEN.items():
        folder = tmp_path_factory.mktemp(name)
        golden.unpack(each.files, folder)
        came = restore.restore(folder / "backup", folder / "keys", folder / "data", lambda data: ENGINE_KEY)
        assert came.faults == []
        found[name] = folder / "data"
    return found


@pytest.fixture(scope="module")
def rows(restored: Mapping[str, Path]) -> Mapping[str, Rows]:
    """Their records, unlocked."""
    return {name: golden.rows_of(data, partial(_vault, data)) for name, data in restored.items()}


def _vault(data: Path, number: int = 0) -> FileVault:
    return FileVault(data / "vault", ENGINE_KEY)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, dict[str, str]]:
    """What this version writes when it is told the same histories."""
    return {name: golden.written(each, tmp_path_factory.mktemp("written"))[0] for name, each in GOLDEN.items()}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """The small files of a data directory, as they were written once."""
    golden.unpack({n.removeprefix("small/"): c for n, c in FIRST.files.items() if n.startswith("small/")}, tmp_path)
    yield tmp_path


# -- what was written is read


@pytest.mark.parametrize(("name", "family"), FAMILIES)
def test_every_record_means_what_it_meant(name: str, family: str, rows: Mapping[str, Rows]):
    meant = GOLDEN[name].meaning[family]
    assert {key.hex() for key in rows[name][family]} == set(meant)
    for key, record in rows[name][family].items():
        found = golden.meaning_of(family, key, record)
        assert golden.is_within(meant[key.hex()], found), MISREAD.format(name=f"{family} {key.hex()}")


def test_there_is_a_record_of_every_kind_that_the_format_had():
    assert set(keys.FAMILIES) - {family for _, family in FAMILIES} == set()


@pytest.mark.parametrize("name", GOLDEN)
def test_a_restored_engine_goes_on_and_its_stores_and_journals_hold(name: str, restored: Mapping[str, Path]):
    data = restored[name]
    catalog = dataclasses.replace(compile_bytes(GOLDEN[name].catalog), id_key=ID_KEY)
    world = golden.opened(data, catalog, base=SHARDS)
    waiting = sum(len(windows.shard.timers) + len(windows.shard.outbox) for windows in world.engine.windows)
    assert waiting > 1
    world.advance(days=3)
    assert world.mailbox, "a reminder that waited has left"
    golden.closed(world)
    paths, vault = [shard_path(data, number) for number in range(SHARDS)], _vault(data)
    assert verify(paths, vault)[0] == []
    differing = verify_replay(paths, vault, ID_KEY)[0]
    if (
        name == golden.FIRST
    ):  # its version noted neither the source of a link nor by which identifier a profile was born
        differing = [line for line in differing if not line.endswith("its state is not what its journal says")]
    assert differing == []
    vault.close()


def test_the_active_catalog_is_read(small: Path):
    assert document_in(small / "catalog") == FIRST.catalog


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


def test_a_key_folder_is_known_as_that_of_its_engine(restored: Mapping[str, Path]):
    data = restored[golden.FIRST]
    key_copies.check(data, data.parent / "keys")
    names = {name.removeprefix("keys/") for name in FIRST.files if name.startswith("keys/")}
    assert names == {"engine.key", "id.key", "vault/keys-00000", "vault/keys-00001"}


# -- and written as it was


@pytest.mark.parametrize(("name", "what"), [(name, what) for name, each in DIGESTS.items() for what in sorted(each)])
def test_what_is_written_is_what_was_written(name: str, what: str, written: Mapping[str, dict[str, str]]):
    assert written[name].get(what) == DIGESTS[name][what], CHANGED.format(name=what)


@pytest.mark.parametrize("name", GOLDEN)
def test_every_format_that_is_written_has_a_digest(name: str, written: Mapping[str, dict[str, str]]):
    assert set(written[name]) == set(DIGESTS[name]), "run PYTHONPATH=.:tests python -m support.golden digests"
