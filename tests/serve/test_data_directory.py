"""The small files of a data directory: one that is damaged or missing is named, and nothing is guessed or changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import Corrupt, SegueError
from serve import orphans
from serve import settings as process_settings
from serve.auth import KeyRing
from serve.data_directory import DataDirectory

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
