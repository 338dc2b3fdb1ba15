"""A shard behind its socket, served in a thread of the test's process, on the wall clock."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from actors.platform.clock import WallClock
from actors.serving.shard_server import ShardServer
from actors.serving.shard_shell import ShardShell
from actors.shard.shard import Shard
from actors.storage.store import Store
from actors.transport.frame_client import FrameClient
from actors.transport.messages.base import Answer, Request
from actors.transport.messages.carried import EventResult, EventStatus
from actors.transport.messages.of_doors import Ingest, Read, Reading
from engine.catalog.compiled import Catalog
from engine.identity.home import home_of
from support.running import eventually
from support.world import Customer, World

A = TypeVar("A", bound=Answer)


class ServedShard:
    """A shard, served as in the cluster, but in this process. `make_store` is called again whenever the shard opens."""

    def __init__(self, catalog: Catalog, make_store: Callable[[], Store]) -> None:
        self.catalog = catalog
        self._make_store = make_store
        self._sockets = tempfile.mkdtemp(prefix="segue-", dir="/tmp")  # short: the path of a Unix socket is limited
        self.path = f"{self._sockets}/shard-0"
        self.shards: list[Shard] = []
        self._shell = ShardShell(self._make)
        self._loop = uvloop.new_event_loop()  # as in the cluster: asyncio's own may leave a caller hanging at a restart
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        eventually(self._listens)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as caller:
            return caller.connect_ex(self.path) == 0  # the file is there a moment before anybody listens

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._shell.serve())
        finally:  # however it ended, nobody may wait for an answer from now on
            self._loop.run_until_complete(asyncio.sleep(0))
            Path(self.path).unlink(missing_ok=True)

    def _make(self) -> ShardServer:
        store = self._make_store()
        try:
            self.shards.append(Shard(0, store, self.catalog, WallClock()))
        except BaseException:
            store.close()
            raise
        return ShardServer(self.shards[-1], self.path, [self.path])

    def customer(self, name: str) -> Customer:
        """Somebody whose events happen now."""
        world = World(self.catalog)
        world.now_ms = WallClock().now_ms()
        return Customer(world, name, "")

    def call(self, request: Request[A]) -> A:
        """One request, as anybody may make it; raises what the shard raised."""

        async def ask() -> A:
            return await FrameClient(self.path).call(request)

        return asyncio.run(ask())

    def read(self, what: Reading, profile: str = "", argument: Any = None) -> Any:
        """A reading of a profile, or of the shard."""
        return self.call(Read(what, profile, argument)).value

    def ingest(self, *events: Any) -> list[EventResult]:
        """The result of each event; all are durable on return."""
        return self.call(Ingest([(self.home(event), event) for event in events])).results

    def tell(self, event: Any) -> str:
        """An event that is accepted; the profile that it belongs to."""
        assert self.ingest(event) == [EventStatus.ACCEPTED]
        return self.home(event)

    def home(self, event: Any) -> str:
        """The profile that an event belongs to."""
        profile = home_of(self.catalog, event)
        assert profile is not None
        return profile

    def outcomes(self, profile: str) -> list[tuple[str, str]]:
        """(outcome, reason) of all that was written down about sends."""
        rows = self.read("timeline", profile, 100)
        return [(row["outcome"], row.get("reason", "")) for row in rows["entries"] if row["kind"] == "send"]

    def close(self) -> None:
        """End the thread and release the store."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._shell.close)
            self._thread.join(10)
            self._loop.close()
        shutil.rmtree(self._sockets, ignore_errors=True)
