"""A store that is damaged is not opened: the file is named, and nothing is changed. A torn end after a kill is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.storage.store import RocksStore, inspect
from engine.errors import Corrupt

RECORDS = 3_000


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a table, a log and a manifest, as a kill has left it: a copy of what is there while it is open."""
    folder = tmp_path_factory.mktemp("killed")
    path = folder / "at first"
    for part in range(2):  # the second opening makes a table of the first one's log
        store = RocksStore(path)
        for number in range(part * 1_500, (part + 1) * 1_500):
            store.write({("state", _key(number)): os.urandom(200), ("timers", _key(number)): b"x"})
        store.sync()
        path = Path(shutil.copytree(path, folder / str(part) / "shard-000"))
        store.close()
    return path


def _key(number: int) -> bytes:
    return number.to_bytes(15)


def _flip(at: float) -> Callable[[bytes], bytes]:
    def change(whole: bytes) -> bytes:
        position = int(at * (len(whole) - 1))
        return whole[:position] + bytes([whole[position] ^ 0x40]) + whole[position + 1 :]

    return change


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda whole: whole[: int(share * len(whole))]


HARM = {"head": _flip(0.01), "middle": _flip(0.5), "tail": _flip(0.98), "cut": _cut(0.6), "empty": _cut(0)}
CASES = [(kind, harm) for kind in ("*.sst", "*.log", "MANIFEST-*", "CURRENT", "SYNCED") for harm in HARM]


def _contents(path: Path) -> dict[str, bytes]:
    """All of a store but RocksDB's diary."""
    return {file.name: file.read_bytes() for file in path.iterdir() if not file.name.startswith("LOG")}


@pytest.mark.parametrize(("kind", "harm"), [case for case in CASES if case != ("SYNCED", "empty")])
def test_a_damaged_file_is_named_and_nothing_is_changed(killed: Path, tmp_path: Path, kind: str, harm: str):
    path = Path(shutil.copytree(killed, tmp_path / "shard-000"))
    victim = max(path.glob(kind), key=lambda file: file.stat().st_size)
    victim.write_bytes(HARM[harm](victim.read_bytes()))
    before = _contents(path)
    with pytest.raises(Corrupt) as said:
        inspect(path)
    assert str(victim) in str(said.value) and "\n" not in str(said.value)
    assert _contents(path) == before


@pytest.mark.parametrize("kind", ["*.sst", "*.log", "MANIFEST-*", "CURRENT"])
def test_a_missing_file_is_noticed(killed: Path, tmp_path: Path, kind: str):
    path = Path(shutil.copytree(killed, tmp_path / "shard-000"))
    max(path.glob(kind), key=lambda file: file.stat().st_size).unlink()
    with pytest.raises(Corrupt):
        inspect(path)


def test_a_whole_store_opens_and_so_does_one_whose_last_record_is_torn(killed: Path, tmp_path: Path):
    path = Path(shutil.copytree(killed, tmp_path / "shard-000"))
    log = max(path.glob("*.log"), key=lambda file: file.stat().st_size)
    log.write_bytes(log.read_bytes() + b"\x12\x34\x56\x78\xff\x00\x01 the beginning of a record that was not synced")
    for each in (killed, path):
        inspect(each)
    store = RocksStore(path)
    assert sum(1 for _ in store.scan("state")) == RECORDS
    store.close()


def test_what_is_read_later_from_a_broken_block_is_an_error_and_not_the_end(killed: Path, tmp_path: Path):
    path = Path(shutil.copytree(killed, tmp_path / "shard-000"))
    (table,) = path.glob("*.sst") if len(list(path.glob("*.sst"))) == 1 else [max(path.glob("*.sst"), key=_size)]
    table.write_bytes(_flip(0.5)(table.read_bytes()))
    inspect(path, rows_max=0)  # a store that is too large to be read at each start
    store = RocksStore(path)
    try:
        with pytest.raises(Corrupt, match=table.name):
            list(store.scan("state"))
        with pytest.raises(Corrupt, match=table.name):
            for number in range(RECORDS):
                store.get("state", _key(number))
    finally:
        store.close()


def _size(file: Path) -> int:
    return file.stat().st_size
