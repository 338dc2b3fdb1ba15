"""A data directory of format 1, written by that version: everything is there afterwards, and nothing plain is left."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lz4.frame
import msgspec
import pytest
from support.world import HOUR, World

from actors.maintenance.upgrade import upgrade
from actors.maintenance.verify import verify
from actors.maintenance.verify_replay import verify_replay
from actors.shard.queries.queries import read
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.errors import Corrupt

GOLDEN = Path(__file__).parents[2] / "golden/format-1.msgpack.lz4"
OLD: dict[str, Any] = msgspec.msgpack.decode(lz4.frame.decompress(GOLDEN.read_bytes()))
WORDS = ("ada@example.com", "bob@example.com", "Product Viewed", "laptop")
KEY = b"k" * 32


def catalog() -> Catalog:
    return dataclasses.replace(compile_bytes(OLD["catalog"]), id_key=OLD["id_key"])


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Two stores as the old version left them."""
    made = []
    for number, families in enumerate(OLD["stores"]):
        made.append(tmp_path / f"shard-{number:03d}")
        store = RocksStore(made[-1])
        store.write({(family, key): value for family, rows in families.items() for key, value in rows})
        store.sync()
        store.close()
    return made


def run(folders: list[Path], vault: Path) -> None:
    for number, folder in enumerate(folders):
        store = RocksStore(folder)
        upgrade(store, FileVault(vault, KEY, number), catalog())
        store.close()


def words_in(folder: Path) -> set[str]:
    """Words that stand on the disk as they are."""
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return {word for word in WORDS if word.encode() in content}


def _pairs(was: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The identifiers of a profile, as an earlier version and as this one shows them."""
    yield from zip(was["identifiers"], now["identifiers"], strict=True)


def test_everything_is_there_afterwards_and_nothing_plain_is_left(folders: list[Path], tmp_path: Path):
    assert words_in(folders[0]) | words_in(folders[1]) == set(WORDS)
    vault = tmp_path / "vault"
    run(folders, vault)
    assert words_in(tmp_path) == set()
    assert verify(folders, FileVault(vault, KEY))[0] == []
    faults, rebuilt = verify_replay(folders, FileVault(vault, KEY), OLD["id_key"])
    assert (faults, rebuilt) == ([], 6)

    stores = [RocksStore(folder) for folder in folders]
    world = World(catalog(), stores=stores, vaults=[FileVault(vault, KEY, number) for number in range(2)])  # type: ignore[arg-type]
    for profile, said in OLD["said"].items():
        shard = world.engine.shard(profile)
        consents = [word | {"effective": True} for word in said["profile"]["consent"]]
        mails = [link["value"] for link in said["profile"]["identifiers"] if link["namespace"] == "email"]
        new = {"fatigue": {}, "promises": [], "awaiting": [], "consent": consents, "likely": [], "transitions": []}
        new["drawn"] = {"variants": [], "holdouts": []}
        new["zone"] = {"from": "unknown", "zones": []}
        new["addresses"] = {"email": mails[-1] if mails else None, "phone": None}
        found = read(shard, "profile", profile)
        links = [{name: link[name] for name in was} for was, link in _pairs(said["profile"], found)]
        assert found | {"identifiers": links} == said["profile"] | new
        assert read(shard, "timeline", profile, 10_000) == said["timeline"]
    world.now_ms = OLD["now_ms"]
    world.advance(2 * HOUR)
    bob = world.customer("bob@example.com").profile
    assert [past.origin for past in bob.ledger], "the absorb that was under way came to its end"
    assert "staged" in {event.properties.get("word") for event in bob.history}
    assert [len(windows.shard.scan("dead")) for windows in world.engine.windows].count(1) == 1
    for windows in world.engine.windows:
        windows.shard.close()


def test_a_second_run_goes_on_where_a_crash_ended_the_first(folders: list[Path], tmp_path: Path):
    class Crash(Exception):
        pass

    vault, writes = tmp_path / "vault", 0
    while True:
        store, left = RocksStore(folders[0]), writes
        whole = store.write

        def limited(batch: Any, whole: Any = whole) -> None:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            whole(batch)

        store.write = limited  # type: ignore[method-assign]
        try:
            upgrade(store, FileVault(vault, KEY, 0), catalog())
            break
        except Crash:
            writes += 1
        finally:
            store.close()
    assert writes >= 2
    run(folders[1:], tmp_path / "other")
    assert verify_replay(folders[:1], FileVault(vault, KEY), OLD["id_key"])[0] == []


def test_a_broken_record_of_the_old_format_is_refused(folders: list[Path], tmp_path: Path):
    store = RocksStore(folders[0])
    key, record = next(store.scan("state"))
    store.write({("state", key): record[:-3]})
    with pytest.raises(Corrupt):
        upgrade(store, FileVault(tmp_path / "vault", KEY, 0), catalog())
    store.close()
