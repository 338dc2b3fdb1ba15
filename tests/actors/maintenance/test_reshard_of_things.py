"""Another number of shards: whoever is interested in a thing is told of it once, whatever was under way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.things import PRICE_DROPS, fact
from support.world import START_MS, Customer, World

from actors.maintenance.reshard import Reshard
from actors.maintenance.verify import verify
from actors.shard.things.pump import Pump
from actors.storage import store_folders
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault

ENGINE_KEY = bytes(range(32))
PEOPLE = 9


def opened(data: Path) -> World:
    engine = json.loads((data / "engine.json").read_text())
    numbers = range(engine["shards"])
    stores = [RocksStore(store_folders.shard_path(data, number)) for number in numbers]
    vaults = [FileVault(data / "vault", ENGINE_KEY, engine["vault_base"] + number) for number in numbers]
    return World(PRICE_DROPS, stores=stores, vaults=vaults)  # type: ignore[arg-type]


def pumps(world: World) -> list[Pump]:
    shards = [windows.shard for windows in world.engine.windows]
    return [Pump(shard, shard.tell_or_forward, shard.ownership.pinned, shard.ownership.has_left) for shard in shards]


@pytest.mark.parametrize("shards", [1, 3])
def test_a_fact_that_is_being_told_is_told_on(tmp_path: Path, shards: int):
    data = tmp_path / "data"
    data.mkdir()
    (data / "engine.json").write_text(json.dumps({"format": 2, "shards": 2, "clock": "replay", "vault_base": 0}))
    world = opened(data)
    for number in range(PEOPLE):
        Customer(world, f"p{number}", "").does("Product Viewed", product_id="sku-1")
    for windows in world.engine.windows:
        windows.shard.commit()
        windows.shard.facts.take(fact("sku-1", at_ms=START_MS), START_MS)
    told = pumps(world)[0].work(2)
    for windows in world.engine.windows:
        windows.shard.commit()
        windows.shard.close()
    work = Reshard(data, shards, FileVault(data / "vault", ENGINE_KEY), told=lambda what, done: None)
    assert work.run()["facts"] == 1
    paths = [store_folders.shard_path(data, number) for number in range(shards)]
    assert verify(paths, FileVault(data / "vault", ENGINE_KEY))[0] == []
    world = opened(data)
    for pump, windows in zip(pumps(world), world.engine.windows, strict=True):
        pump.work(100)
        windows.shard.commit()
    people = [Customer(world, f"p{number}", "") for number in range(PEOPLE)]
    assert [sum(run.journey == "price_drop" for run in who.profile.runs) for who in people] == [1] * PEOPLE
    rows = [windows.shard.facts.newest(5, world.now_ms) for windows in world.engine.windows]
    assert [len(each) for each in rows] == [1] * shards
    assert sum(row["told"] for each in rows for row in each) == PEOPLE and told == 2
    assert sum(windows.shard.facts.totals["told"] for windows in world.engine.windows) == PEOPLE
    for windows in world.engine.windows:
        windows.shard.close()
