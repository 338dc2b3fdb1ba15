"""One connection to each socket, however many parts of a process ask there; and requests that are asked again."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.platform.retry import Backoff
from actors.transport.clients import Clients
from actors.transport.frame_server import FrameServer, Reply
from actors.transport.messages.base import Ping, Pong
from engine.errors import InvalidInput, NotReady, Overloaded

SOON = Backoff(first_s=0.001, most_s=0.01, patience_s=20.0)


@pytest.fixture
def path() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="segue-", dir="/tmp") as folder:
        yield str(Path(folder) / "s")


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await story()

    asyncio.run(bounded())


async def listening(path: str, handler: Callable[[Any, Reply], None]) -> FrameServer:
    server = FrameServer(path, handler, (Ping,))
    await server.start()
    return server


def pong(request: Ping, reply: Reply) -> None:
    reply.send(Pong())


def test_all_who_ask_at_one_socket_share_one_connection(path: str):
    async def story() -> None:
        server, clients = await listening(path, pong), Clients()
        await asyncio.gather(*(clients.call(path, Ping()) for _ in range(20)))
        assert len(server.connections) == 1
        clients.close()
        await server.close()

    run(story)


def test_what_may_be_repeated_is_asked_until_somebody_is_there(path: str):
    async def story() -> None:
        clients = Clients()
        asking = asyncio.create_task(clients.call_until_there(path, Ping(), SOON))
        with pytest.raises(NotReady):
            await clients.call(path, Ping())
        server = await listening(path, pong)
        assert await asking == Pong()
        clients.close()
        await server.close()

    run(story)


def test_a_request_whose_connection_drops_is_asked_again_where_it_may_be_and_only_there(path: str):
    async def story() -> None:
        asked: list[Reply] = []
        came = asyncio.Event()

        def hold(request: Ping, reply: Reply) -> None:
            asked.append(reply)
            came.set()

        server, clients = await listening(path, hold), Clients()
        once = asyncio.create_task(clients.call(path, Ping()))
        again = asyncio.create_task(clients.call_until_there(path, Ping(), SOON))
        while len(asked) < 2:
            came.clear()
            await came.wait()
        await server.close()
        with pytest.raises(NotReady):
            await once
        server = await listening(path, pong)
        assert await again == Pong()
        clients.close()
        await server.close()

    run(story)


@pytest.mark.parametrize("fault", [InvalidInput("is wrong"), Overloaded(10)], ids=repr)
def test_what_the_other_end_refuses_is_not_asked_again(path: str, fault: Exception):
    async def story() -> None:
        asked = 0

        def refuse(request: Ping, reply: Reply) -> None:
            nonlocal asked
            asked += 1
            reply.fail(fault)

        server, clients = await listening(path, refuse), Clients()
        with pytest.raises(type(fault)):
            await clients.call_until_there(path, Ping(), SOON)
        assert asked == 1
        clients.close()
        await server.close()

    run(story)


def test_who_was_dropped_can_be_asked_anew(path: str):
    async def story() -> None:
        server, clients = await listening(path, lambda request, reply: None), Clients()
        asking = asyncio.create_task(clients.call(path, Ping()))
        while not server.in_flight:
            await asyncio.sleep(0)
        clients.drop(path)
        with pytest.raises(NotReady):
            await asking
        await server.close()
        server = await listening(path, pong)
        assert await clients.call(path, Ping()) == Pong()
        clients.close()
        await server.close()

    run(story)
