"""The event that starts an absorb is acknowledged when it is durable on both sides, however slow one is.

Two shard servers and a router over real sockets, in this process, because the running engine is too fast to be caught
between the two: on the way to the second shard stands a gate that lets the last message wait.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from support.running import write_catalog

from actors.catalog_files import config_files
from actors.platform.clock import WallClock
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from actors.transport.frame_client import FrameClient
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.carried import Message
from actors.transport.messages.of_shards import Deliver
from actors.transport.placement import shard_of
from actors.transport.router import Router
from engine import seeds
from engine.catalog.compiled import Catalog
from engine.inputs import Event, HandedOver

ID_KEY = b"a key for tests, 32 bytes long!!"
_message = msgspec.msgpack.Decoder(Message).decode


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with TemporaryDirectory(prefix="segue-", dir="/tmp") as folder:
        yield Path(folder)


def test_a_merge_is_acknowledged_only_when_the_other_side_points_to_the_survivor(
    tmp_path: Path, sockets: Path, shop_files: dict[str, str]
):
    catalog = dataclasses.replace(config_files.load(write_catalog(tmp_path, shop_files)), id_key=ID_KEY)
    asyncio.run(_absorb_through_a_gate(catalog, sockets))


async def _absorb_through_a_gate(catalog: Catalog, sockets: Path) -> None:
    paths = [str(sockets / "shard-0"), str(sockets / "shard-1")]
    gate = Gate(str(sockets / "gate"), paths[1])
    servers = [
        ShardServer(Shard(0, MemoryStore(), catalog, WallClock()), paths[0], [paths[0], gate.path]),
        ShardServer(Shard(1, MemoryStore(), catalog, WallClock()), paths[1], paths),
    ]
    running = [asyncio.create_task(server.serve()) for server in servers]
    await gate.server.start()
    router = Router(paths)
    user, user_home = _somebody_on(0, "user_id")
    visitor, visitor_home = _somebody_on(1, "anonymous_id")
    await router.ingest([(visitor_home, _event(anonymous_id=visitor))])
    linking = asyncio.create_task(router.ingest([(user_home, _event(user_id=user, anonymous_id=visitor))]))
    try:
        await asyncio.wait_for(gate.reached.wait(), 10)
        for _ in range(20):  # the survivor has it all, and answers; the other side does not know yet
            merges = (await router.read(user_home, "profile"))["merges"]
            assert [merge["origin"] for merge in merges] == [visitor_home]
            assert not linking.done(), "acknowledged before the other side was done"
        gate.opened.set()
        assert await asyncio.wait_for(linking, 10) == ["accepted"]
        assert (await router.read(visitor_home, "profile"))["profileId"] == user_home
    finally:
        gate.opened.set()
        for server in servers:
            server.close()
        await asyncio.gather(*running)
        await gate.server.close()


class Gate:
    """Stands before a shard and passes everything on; what says that an absorb is done waits until it is opened."""

    def __init__(self, path: str, behind: str) -> None:
        self.path = path
        self.server = FrameServer(path, self._receive, (Deliver,))
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self._behind = FrameClient(behind)
        self._tasks: set[asyncio.Task[None]] = set()

    def _receive(self, request: Deliver, reply: Reply) -> None:
        task = asyncio.create_task(self._pass(request, reply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass(self, request: Deliver, reply: Reply) -> None:
        if any(isinstance(_message(packed).told, HandedOver) for packed in request.messages):
            self.reached.set()
            await self.opened.wait()
        reply.send(await self._behind.call(request))


def _somebody_on(shard: int, namespace: str) -> tuple[str, str]:
    for number in range(100):
        home = seeds.profile_id(ID_KEY, namespace, f"p{number}")
        if shard_of(home, 2) == shard:
            return f"p{number}", home
    raise AssertionError("nobody lives there")


def _event(**who: Any) -> Event:
    now_ms = WallClock().now_ms()
    return Event(kind="track", name="Seen", at_ms=now_ms, received_at_ms=now_ms, **who)
