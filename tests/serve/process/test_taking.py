"""What a directory holds takes effect in all shards before the next change of it does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from support.world import CART, ID_KEY, compiled

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.platform.clock import WallClock
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from serve.process import taking


def edited(number: int) -> dict[str, Any]:
    return {**CART, "policies.yaml": {"min_propensity": number / 100}}


def test_every_shard_goes_by_a_change_before_the_next_one_is_made(tmp_path: Path):
    active_catalog = ActiveCatalog(tmp_path / "catalog", ID_KEY)
    first = active_catalog.take(compiled(CART).document)
    paths = [str(tmp_path / f"s{number}") for number in range(2)]
    shards = [Shard(number, MemoryStore(), first, WallClock()) for number in range(2)]
    servers = [
        ShardServer(shard, path, paths, active_catalog=active_catalog)
        for shard, path in zip(shards, paths, strict=True)
    ]

    async def story() -> None:
        serving = [asyncio.create_task(server.serve()) for server in servers]
        changes = [taking.take(active_catalog, compiled(edited(number)).document, paths) for number in range(1, 4)]
        for made in await asyncio.gather(*changes):
            assert all(made.version in shard.catalogs for shard in shards)
        for server in servers:
            server.close()
        await asyncio.gather(*serving)

    asyncio.run(story())
