"""The small files of a data directory: one that is damaged or missing is named, and nothing is guessed or changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from actors.storage import inventory
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine.errors import Corrupt, SegueError
from serve.http.auth import KeyRing
from serve.process import data_directory
from serve.process import settings as process_settings
from serve.process.data_directory import DataDirectory
from serve.process.ray_runtime import orphans

KEY = bytes(range(32))
FILES = ("engine.json", "id.key", "engine.key", "keys.json", "run.json")


def _open(data: Path, environment: dict[str, str] | None = None) -> DataDirectory:
    orphans.end(data)
    asked = process_settings.read(data=data, shards=2, environment=environment or {})
    directory = DataDirectory(asked)
    try:
        KeyRing.load_or_create(data / "keys.json")
    finally:
        directory.release()
    return directory


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A directory that an engine has written customers to."""
    data = tmp_path / "data"
    _open(data)
    orphans.mark(data, "/tmp/segue-of-nobody", 8000)
    (data / "shard-000").mkdir()
    (data / "vault").mkdir()
    (data / "vault" / "keys-00000").write_bytes(b"")
    return data


def _contents(data: Path) -> dict[str, bytes]:
    """All but the note that an engine runs here, which goes when its processes have been ended."""
    return {file.name: file.read_bytes() for file in data.iterdir() if file.is_file() and file.name != "run.json"}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["empty", "cut", "binary"])
def test_a_damaged_file_is_named_and_nothing_is_changed(used: Path, name: str, harm: str):
    whole = (used / name).read_bytes()
    harmed = {"empty": b"", "cut": whole[: len(whole) // 2], "binary": whole[:9] + b"\xff" + whole[10:]}
    (used / name).write_bytes(harmed[harm])
    before = _contents(used)
    with pytest.raises(SegueError, match=name):
        _open(used)
    assert _contents(used) == before


@pytest.mark.parametrize("name", ["id.key", "engine.key"])
def test_a_key_that_data_needs_is_not_made_anew(used: Path, name: str):
    (used / name).unlink()
    before = _contents(used)
    with pytest.raises(Corrupt, match=f"{name}: is missing"):
        _open(used)
    assert _contents(used) == before


def test_an_id_key_with_one_wrong_digit_is_not_taken_for_the_right_one(used: Path):
    right = _open(used).id_key
    text = (used / "id.key").read_text()
    (used / "id.key").write_text(("0" if text[0] != "0" else "1") + text[1:])
    with pytest.raises(Corrupt, match="id key"):
        _open(used)
    with pytest.raises(Corrupt, match="SEGUE_ID_KEY"):
        _open(used, {"SEGUE_ID_KEY": "a key that is long enough"})
    (used / "id.key").write_text(text)
    assert _open(used).id_key == right


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A directory of format 2, as that version left it: no inventory, and key slots that take their place as nonce."""
    data = tmp_path / "old"
    data.mkdir()
    (data / "engine.json").write_text('{"format": 2, "shards": 2, "clock": "wall", "vault_base": 0}')
    (data / "engine.key").write_text(KEY.hex())
    (data / "id.key").write_text("11" * 32)
    (data / "LOCK").touch()
    (data / "vault").mkdir()
    for number in range(2):
        RocksStore(data / f"shard-{number:03d}").close()
        slots = [
            AESGCM(KEY).encrypt(number.to_bytes(4) + slot.to_bytes(8), bytes([number, slot]) * 16, None)
            for slot in range(3)
        ]
        (data / "vault" / f"keys-{number:05d}").write_bytes(b"".join(slots))
    return data


def test_a_directory_of_before_there_was_an_inventory_starts_and_has_one_then(old: Path):
    vault = FileVault(old / "vault", KEY)
    locked = vault.lock(bytes.fromhex("000100000002"), b"\x02\x00somebody")
    vault.close()
    directory = _open(old)
    assert (directory.vault_base, directory.is_old) == (2, False)
    directory.settle()
    facts = inventory.read(old)
    assert facts["format"] == 3
    assert set(facts["stores"]) == {"shard-000", "shard-001"} and all(facts["stores"].values())
    assert set(facts["vault"]) == {f"keys-{number:05d}" for number in range(4)}
    vault = FileVault(old / "vault", KEY, 2, create=False)
    assert vault.unlock(locked) == b"\x02\x00somebody"
    assert vault.new_key() == bytes.fromhex("000200000000"), "no new key goes to an old file"
    vault.close()
    again = _open(old)
    assert again.vault_base == 2
    for name in ("shard-001", "vault/keys-00000", "vault/keys-00003"):
        (old / name).rename(old / "away")
        with pytest.raises(Corrupt, match=f"{name}: is missing"):
            _open(old)
        (old / "away").rename(old / name)
    _open(old)


@pytest.mark.parametrize("name", ["shard-001", "vault/keys-00001"])
def test_the_first_start_with_an_inventory_believes_no_directory_that_is_not_whole(old: Path, name: str):
    (old / name).rename(old.with_name("away"))
    before = _contents(old)
    with pytest.raises(Corrupt, match=f"{name}: is missing"):
        _open(old)
    assert _contents(old) == before


def test_engine_json_is_not_made_anew_where_anything_else_is_there(used: Path):
    (used / "engine.json").unlink()
    for _ in range(2):
        with pytest.raises(Corrupt, match=r"engine\.json: is missing, and .* is there"):
            _open(used)


def test_a_start_that_was_killed_before_anything_was_relied_on_is_made_again(tmp_path: Path):
    data = tmp_path / "data"
    _open(data)
    (data / "shard-000").mkdir()
    directory = _open(data)
    directory.settle()
    assert all(inventory.read(data)["stores"].values())
    (data / "shard-000").rename(data / "away")
    with pytest.raises(Corrupt, match="shard-000"):
        _open(data)


def test_two_stores_that_have_changed_places_are_noticed(tmp_path: Path):
    data = tmp_path / "data"
    _open(data).settle()
    for source, target in (("shard-000", "away"), ("shard-001", "shard-000"), ("away", "shard-001")):
        (data / source).rename(data / target)
    with pytest.raises(Corrupt, match="shard-000"):
        _open(data)


@pytest.mark.parametrize("name", ["id.key", "engine.key"])
def test_a_folder_in_the_place_of_a_key_is_named_and_not_made_anew(tmp_path: Path, name: str):
    (tmp_path / name).mkdir()
    with pytest.raises(Corrupt, match=rf"{name}: cannot be read"):
        data_directory._secret(tmp_path / name, is_known=True, needed_by="vault/keys-*")
