"""A replica's direct socket: HAProxy hands requests over a Unix socket that the replica itself opens.

Serve places the replica, watches it, replaces it and tells HAProxy about it. But Serve's own bookkeeping for a request
takes more processor time than all of Segue. So requests come here; Serve's way stays open for `GET /healthz`, and for
all requests while no direct socket is open (decision record 0016).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from actors.transport.coalescing import CoalescingTransport
from engine.errors import NotReady
from serve.http.protocol import Receive, Response, Scope, Send, respond

_BACKLOG = 4_096
_KEPT_ALIVE_S = 3_600  # longer than HAProxy keeps a connection that nobody uses: it decides
_FINISH_S = 4  # requests that have begun may take so long to end
_NOTICED_S = 1.0  # HAProxy looks twice, every 0.3 s
_ALIVE = Response(200, b'{"status":"alive"}')
_LEAVING = Response(503, b'{"status":"draining"}')


def socket_name(number: int | str) -> str:
    """The file name of one direct socket; of all of them for `*`."""
    return f"ingress-{number}.sock"


class DirectSocket:
    """One per replica. There are more numbers than replicas, so that a new one finds a number while the old one still
    has its own."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], folder: Path, numbers: int) -> None:
        self.is_draining = False
        self._app = app
        self._path, self._held = _claimed(folder, numbers)
        options: dict[str, Any] = {
            "interface": "asgi3",  # it would guess, and takes a method for ASGI 2
            "http": _Answers,
            "ws": "none",
            "lifespan": "off",  # Serve runs the application's, in which this socket is opened
            "log_config": None,
            "access_log": False,
            "proxy_headers": False,
            "server_header": False,
            "date_header": False,
            "timeout_keep_alive": _KEPT_ALIVE_S,
            "timeout_graceful_shutdown": _FINISH_S,
        }
        self.server = uvicorn.Server(uvicorn.Config(self._answer, **options))
        self._serving: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Listen, in the place of the replica that had this number before."""
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.bind(str(fresh))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
        fresh.rename(self._path)  # only when it listens, so that HAProxy never meets a socket that refuses
        self._serving = asyncio.get_running_loop().create_task(self.server.serve(sockets=[listening]))

    async def close(self) -> None:
        """Tell HAProxy first, and answer everything until it has noticed; then finish the requests that have begun."""
        self.is_draining = True
        await asyncio.sleep(_NOTICED_S)
        self._path.unlink(missing_ok=True)
        self.server.should_exit = True
        if self._serving is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._serving, _FINISH_S)
        self._held.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":  # HAProxy alone comes here for it
            await respond(send, _LEAVING if self.is_draining else _ALIVE)
        else:
            await self._app(scope, receive, send)


class _Answers(HttpToolsProtocol):
    """Sends head and body of an answer together, where uvicorn writes them one after the other."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(CoalescingTransport(transport))  # type: ignore[arg-type]


def _claimed(folder: Path, numbers: int) -> tuple[Path, IO[bytes]]:
    """A number that no living replica has; held until its process ends, however it ends."""
    for number in range(numbers):
        path = folder / socket_name(number)
        held = os.fdopen(os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600), "wb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.close()
            continue
        return path, held
    raise NotReady("every direct socket of this engine is taken")
