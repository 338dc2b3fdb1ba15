"""A replica's own way in answers over its socket, is told apart from Serve's way, and leaves in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from engine.errors import NotReady
from serve.http.direct_socket import DirectSocket, socket_name
from serve.http.protocol import Receive, Response, Scope, Send, respond


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what path it was asked for."""
    await respond(send, Response(200, scope["path"].encode(), ()))


def with_direct_socket(folder: Path, visit: Callable[[DirectSocket, httpx.AsyncClient], Awaitable[None]]) -> None:
    """Opens a direct socket, lets `visit` use it, closes it."""

    async def run() -> None:
        socket = DirectSocket(application, folder, 1)
        socket.open()
        way = httpx.AsyncHTTPTransport(uds=str(folder / socket_name(0)))
        async with httpx.AsyncClient(transport=way, base_url="http://segue") as client:
            await visit(socket, client)
            await socket.close()

    asyncio.run(run())


def test_a_direct_socket_answers_haproxy_itself_and_hands_on_the_rest(tmp_path: Path):
    async def visit(socket: DirectSocket, client: httpx.AsyncClient) -> None:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        assert (await client.get("/v1/decide")).text == "/v1/decide"

    with_direct_socket(tmp_path, visit)
    assert not (tmp_path / socket_name(0)).exists()


def test_a_direct_socket_that_leaves_says_so_and_answers_until_haproxy_knows(tmp_path: Path):
    async def visit(socket: DirectSocket, client: httpx.AsyncClient) -> None:
        socket.is_draining = True
        assert (await client.get("/healthz")).status_code == 503
        assert (await client.get("/v1/decide")).status_code == 200

    with_direct_socket(tmp_path, visit)


def test_no_number_is_given_twice(tmp_path: Path):
    async def visit(socket: DirectSocket, client: httpx.AsyncClient) -> None:
        with pytest.raises(NotReady, match="every direct socket"):
            DirectSocket(application, tmp_path, 1)

    with_direct_socket(tmp_path, visit)


def test_head_and_body_of_an_answer_leave_together(tmp_path: Path):
    """Each write wakes HAProxy, which hands on what it has."""

    async def visit(socket: DirectSocket, client: httpx.AsyncClient) -> None:
        written: list[bytes] = []
        answered = asyncio.Event()

        class Wire(asyncio.Transport):
            def write(self, data: bytes) -> None:
                written.append(data)
                answered.set()

            def is_closing(self) -> bool:
                return False

            def close(self) -> None:
                pass

        await client.get("/healthz")  # it listens
        config = socket.server.config
        protocol = config.http_protocol_class(config, socket.server.server_state, {})
        protocol.connection_made(Wire())
        protocol.data_received(b"GET /v1/decide HTTP/1.1\r\nhost: segue\r\n\r\n")
        await answered.wait()
        assert [part.partition(b"\r\n\r\n")[2] for part in written] == [b"/v1/decide"]
        protocol.connection_lost(None)

    with_direct_socket(tmp_path, visit)
