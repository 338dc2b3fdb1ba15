"""The blocking index moves along to another number of shards: nobody is matched anew for that, and nobody is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.matching import ADA, BYRON, CLOSE, Guest, catalog, guest, match, person
from support.world import World

from actors.maintenance.reshard import Reshard
from actors.shard.matching import block_keys
from actors.storage import store_folders
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from actors.transport.placement import shard_of

ENGINE_KEY = bytes(range(32))


def opened(data: Path) -> World:
    engine = json.loads((data / "engine.json").read_text())
    numbers = range(engine["shards"])
    stores: list[Any] = [RocksStore(store_folders.shard_path(data, number)) for number in numbers]
    vaults: list[Any] = [FileVault(data / "vault", ENGINE_KEY, engine["vault_base"] + number) for number in numbers]
    return World(catalog(), stores=stores, vaults=vaults)


def closed(world: World) -> None:
    for windows in world.engine.windows:
        windows.shard.commit()
        windows.shard.close()


def index(world: World) -> set[bytes]:
    """The keys of the whole index; each lies at the shard of its profile."""
    found = set()
    for number, windows in enumerate(world.engine.windows):
        for key in windows.shard.blocks.all_rows():
            assert shard_of(block_keys.profile_in(key), len(world.engine.windows)) == number
            found.add(key)
    return found


def counts(world: World) -> dict[str, int]:
    shards = [windows.shard for windows in world.engine.windows]
    assert not any(shard.rebuilding.is_busy for shard in shards), "it is not made anew"
    return {name: sum(shard.blocks.counts[name] for shard in shards) for name in ("indexed", "waiting")}


@pytest.mark.parametrize("ways", [(1,), (3, 2), (5,)], ids=str)
def test_the_index_is_the_same_on_another_number_of_shards(tmp_path: Path, ways: tuple[int, ...]):
    data = tmp_path / "data"
    data.mkdir()
    (data / "engine.json").write_text(json.dumps({"format": 2, "shards": 2, "clock": "replay", "vault_base": 0}))
    world = opened(data)
    for number in range(8):
        person(world, f"p{number}", BYRON | {"birthday": f"19{number}1-03-04"})
    person(world, "ada", ADA)
    match(world)
    guest(world, "a.l", CLOSE)  # waits
    world.settle()
    before, known = index(world), counts(world)
    assert known == {"indexed": 10, "waiting": 1}
    closed(world)

    for shards in ways:
        Reshard(data, shards, FileVault(data / "vault", ENGINE_KEY), told=lambda what, done: None).run()

    now_ms, world = world.now_ms, opened(data)
    world.now_ms = now_ms
    assert (index(world), counts(world)) == (before, known)
    assert match(world).profiles == 1, "whoever was matched is not matched again"
    assert [link.profile for link in world.customer("ada").profile.likely] == [Guest(world, "a.l").id]
    closed(world)
