"""Every route is read back, on both clocks: with a catalog and with customers that use every feature there is."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from support.every_feature import FILES, SERVER, WRITE, Story, happens, unused
from support.every_route import read_back
from support.running import eventually
from support.world import ID_KEY, START_MS, compiled

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery.dispatcher import Dispatcher
from actors.platform.clock import ReplayClock, WallClock
from actors.replay_clock.conductor import Conductor
from actors.replay_clock.windows import Windows
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from serve.application.app import App
from serve.http.auth import KeyRing
from serve.http.gateway import GatewayConfig

pytestmark = pytest.mark.slow

# Only an engine of several processes can do these; tests/system asks it.
ELSEWHERE = ("post /v1/backup", "get /metrics", "post /v1/profiles/{reference}/pin")


@contextmanager
def engine(folder: Path, clock: str) -> Iterator[str]:
    """A door, two shards and a dispatcher, in this process."""
    catalog = compiled(FILES)
    active_catalog = ActiveCatalog(folder / "catalog", ID_KEY)
    active_catalog.put(catalog.document)
    KeyRing.load_or_create(folder / "keys.json", WRITE, SERVER)
    paths, at = [str(folder / f"s{number}") for number in range(2)], str(folder / "d")
    is_replay = clock == "replay"
    servers = []
    for number, path in enumerate(paths):
        ticking = ReplayClock(START_MS) if is_replay else WallClock()
        shard = Shard(number, MemoryStore(), catalog, ticking)
        windows = Windows(shard, ticking) if isinstance(ticking, ReplayClock) else None
        servers.append(ShardServer(shard, path, paths, windows=windows, active_catalog=active_catalog))
    conductor = Conductor if is_replay else None
    dispatcher = Dispatcher(active_catalog, paths, at, public_url="http://shop", environ={}, conductor=conductor)
    config = GatewayConfig(active_catalog, tuple(paths), at, str(folder / "keys.json"), is_replay, ("*",), "0")
    listening = socket.create_server(("127.0.0.1", 0))
    web = uvicorn.Server(uvicorn.Config(App(config), log_level="error"))

    async def run() -> None:
        serving = [asyncio.create_task(part.serve()) for part in (*servers, dispatcher)]
        await web.serve(sockets=[listening])
        dispatcher.close()
        await serving[-1]
        for part in servers:
            part.close()
        await asyncio.gather(*serving)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        web.should_exit = True
        thread.join(20)


@pytest.mark.parametrize("clock", ["wall", "replay"])
def test_every_route_is_read_back_and_answers_as_the_document_says(clock: str, tmp_path: Path):
    with engine(tmp_path, clock) as url, httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        eventually(lambda: client.get("/readyz").status_code == 200)
        story = Story(client, clock)
        happens(story, eventually)
        assert unused(story) == set()
        found, unasked, undescribed = read_back(story, tmp_path, ELSEWHERE)
    assert found == [], "\n".join(found)
    assert unasked == set(), "a route that nobody reads back"
    assert undescribed == set(), "what it answers stands in no document"
