"""The HTTP application on a real socket, with one shard behind it, in this process: no Ray, no HAProxy."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.platform.clock import ReplayClock, WallClock
from actors.replay_clock.windows import Windows
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from serve.application.app import App
from serve.http.auth import KeyRing
from serve.http.gateway import GatewayConfig
from support.promised import Promised
from support.world import CART, ID_KEY, compiled

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"


@contextmanager
def served(folder: Path, files: dict[str, Any], write: str, server: str) -> Iterator[str]:
    """The application with one shard behind it, on a free port."""
    catalog, path = compiled(files), str(folder / "shard")
    active_catalog = ActiveCatalog(folder / "catalog", ID_KEY)
    active_catalog.put(catalog.document)
    KeyRing.load_or_create(folder / "keys.json", write, server)
    config = GatewayConfig(active_catalog, (path,), str(folder / "none"), str(folder / "keys.json"), False, ("*",), "0")
    app = Promised(App(config))
    listening = socket.create_server(("127.0.0.1", 0))
    web = uvicorn.Server(uvicorn.Config(app, log_level="error", interface="asgi3"))
    shard = ShardServer(Shard(0, MemoryStore(), catalog, WallClock()), path, [path], active_catalog=active_catalog)

    async def run() -> None:
        serving = asyncio.create_task(shard.serve())
        await web.serve(sockets=[listening])
        shard.close()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        for _ in range(3_000):
            try:
                if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                threading.Event().wait(0.01)
        yield url
    finally:
        web.should_exit = True
        thread.join(20)
    assert not app.faults, "\n".join(app.faults)


@asynccontextmanager
async def door(
    folder: Path,
    files: dict[str, Any] = CART,
    *,
    deadline_s: float = 0.0,
    replay: ReplayClock | None = None,
    is_promised: bool = True,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application itself, with one shard behind it and no socket before it. With `replay` the engine
    is on that clock. Answers are held against the OpenAPI document. A test that makes the application answer what no
    route answers by itself turns that off with `is_promised`."""
    catalog, path = compiled(files), str(folder / "shard")
    active_catalog = ActiveCatalog(folder / "catalog", ID_KEY)
    active_catalog.put(catalog.document)
    shard = Shard(0, MemoryStore(), catalog, replay or WallClock())
    windows = None if replay is None else Windows(shard, replay)
    server = ShardServer(shard, path, [path], windows=windows, active_catalog=active_catalog)
    serving = asyncio.create_task(server.serve())
    while not (folder / "shard").exists():
        await asyncio.sleep(0)
    KeyRing.load_or_create(folder / "keys.json", WRITE, SERVER)
    config = GatewayConfig(
        active_catalog,
        (path,),
        str(folder / "none"),
        str(folder / "keys.json"),
        replay is not None,
        ("*",),
        "0",
        deadline_s=deadline_s,
    )
    headers = {"x-api-key": SERVER, "origin": "https://shop.example"}
    app = Promised(App(config))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://door", headers=headers) as client:
        yield client
    server.close()
    await serving
    assert not (is_promised and app.faults), "\n".join(app.faults)


def tell(story: Coroutine[Any, Any, None], deadline_s: float = 20) -> None:
    """Play a story to its end."""
    asyncio.run(asyncio.wait_for(story, deadline_s))
