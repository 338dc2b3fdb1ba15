"""The application behind the port. Paths for which a page load or a batch waits are plain ASGI, the rest is FastAPI's.

`hot_paths` says which function answers which hot path, `admitting` reads bodies, bounded, for all routes alike. Every
error becomes a problem here and nowhere else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import msgspec
from fastapi import FastAPI

from actors.cluster.host import settle_garbage
from actors.platform import logs
from actors.platform.clock import stopwatch
from actors.platform.meter import HTTP_SECONDS, Meter, NoMeter
from engine.errors import InvalidInput, Overloaded
from serve.application.admitting import admitted, mark_if_over_limit
from serve.application.hot_paths import HOT, alive, route_of
from serve.http import paths
from serve.http.admission import Admission
from serve.http.direct_socket import DirectSocket
from serve.http.gateway import Gateway, GatewayConfig
from serve.http.hostile_json import check_body
from serve.http.problems import problem
from serve.http.protocol import (
    BODY_S_MAX,
    Header,
    Headers,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    cors_headers,
    headers_of,
    preflight,
    replay,
    respond,
)
from serve.http.sending import Sending
from serve.openapi import application
from serve.routes.pages import ofrep

_YOUNG = 5_000  # objects between two collections: a closed connection is a cycle, and may hold a body
_LAST: Header = (b"connection", b"close")

log = logging.getLogger(__name__)


class App:
    """An ASGI callable that can be sent to a replica: it opens its gateway when the replica starts."""

    def __init__(self, config: GatewayConfig, make_meter: Callable[[], Meter] = NoMeter) -> None:
        self._config, self._make_meter = config, make_meter
        self._opened: tuple[Gateway, FastAPI] | None = None
        self._following: asyncio.Task[None] | None = None
        self._admission = Admission()
        self._direct_socket: DirectSocket | None = None
        self._names: set[str] = set()  # of all paths that exist

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request, or the lifespan of the replica."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await send({"type": "websocket.close"})  # no route takes one

    def open(self) -> tuple[Gateway, FastAPI]:
        """The gateway of this replica, and the routes that are not hot."""
        if self._opened is None:
            gateway = Gateway(self._config, self._make_meter())
            gateway.in_flight = lambda: self._admission.requests
            others = application.build(gateway)
            there_are = (*(path for _, path in HOT), *application.every_path(others))
            self._names = {paths.name(path.partition("/{")[0]) for path in there_are}
            self._opened = gateway, others
            self._following = asyncio.get_running_loop().create_task(self._follow(gateway))
            settle_garbage(_YOUNG)
        return self._opened

    async def _follow(self, gateway: Gateway) -> None:
        await asyncio.gather(gateway.follow(), self._admission.give_up_slow(BODY_S_MAX))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.open()
                if self._config.direct_sockets is not None:
                    folder, numbers = self._config.direct_sockets
                    self._direct_socket = DirectSocket(self, Path(folder), numbers)
                    self._direct_socket.open()
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._direct_socket is not None:
                    await self._direct_socket.close()
                if self._following is not None:
                    self._following.cancel()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s, headers = stopwatch(), headers_of(scope)
        request_id = paths.request_id(headers)
        is_bare = scope["method"] == "HEAD"
        if is_bare:
            scope = {**scope, "method": "GET"}
        sending = Sending(send, self._of_every_answer(scope, headers, request_id), is_bare=is_bare)
        try:
            response = await self._response(scope, headers, receive, sending, request_id)
            if response is not None and not sending.status:
                await respond(sending, response)
        except Exception:
            if not sending.is_gone:  # else the client has hung up, and the error is only that
                raise
        self._measure(scope, began_s, sending.status)

    def _of_every_answer(self, scope: Scope, headers: Headers, request_id: bytes) -> tuple[Header, ...]:
        extra: tuple[Header, ...] = ((b"x-request-id", request_id),)
        if self._direct_socket is not None and self._direct_socket.is_draining:
            extra += (_LAST,)
        if paths.is_for_pages(scope["path"], self._names):
            extra += cors_headers(self._config.origins, headers.get(b"origin", b""))
        return extra

    async def _response(
        self, scope: Scope, headers: Headers, receive: Receive, sending: Sending, request_id: bytes
    ) -> Response | None:
        """The answer that is still to be sent; None where FastAPI has sent one, or the client is gone. Every error
        becomes a problem here: no traceback reaches a user."""
        if scope["method"] == "OPTIONS" and paths.is_for_pages(scope["path"], self._names):
            return preflight(headers)
        try:
            gateway, others = self.open()
            response = await self._answered(gateway, scope, headers, receive, partial(others, send=sending))
        except Exception as error:  # the outermost loop of this shell
            if sending.is_gone:
                return None
            status, problem_headers, body = problem(error)
            if status == 500:
                about = {"request_id": request_id.decode("latin-1"), "path": paths.name(scope["path"])}
                logs.fault(log, "request_failed", error, **about)
            is_overload = isinstance(error, Overloaded)
            response = Response(status, body, tuple(problem_headers), is_faulty=status < 500 and not is_overload)
            if isinstance(error, InvalidInput) and paths.is_flag(scope["path"]):
                response = msgspec.structs.replace(ofrep.refusal(error, scope["path"]), is_faulty=True)
            is_refused = is_overload and scope["path"] in paths.BATCHES
        else:
            is_refused = False
        if is_refused:  # after the `except`, because the error would keep the body in memory
            await self._admission.hold_refused()
        elif response is not None and response.is_faulty:
            await self._admission.hold_faulty()
        return response

    async def _answered(
        self,
        gateway: Gateway,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        pass_on: Callable[..., Awaitable[None]],
    ) -> Response | None:
        """The answer of a hot route; None where `pass_on` has had FastAPI send one."""
        path = scope["path"]
        route = route_of(scope["method"], path)
        if route is alive:
            return await alive(gateway, Request(path, headers, b""))
        if path == paths.READY:  # for supervisors, so never refused; all who ask at once share one look
            await pass_on(scope, replay(Request(path, headers, b""), receive))
            return None
        request, in_flight, limit = await admitted(self._admission, gateway, path, headers, receive)
        if route is not None and paths.is_question(path) and not in_flight.has_room(limit):
            request.is_over_limit = True
            return await route(gateway, request)
        if in_flight is self._admission.keyless:  # the page of a link, or a path that does not exist
            await self._admission.hold_faulty()
        with in_flight.enter(limit, request.size):
            if route is not None:
                mark_if_over_limit(self._admission, gateway, request)
                return await route(gateway, request)
            if request.body and path.startswith("/v1/"):
                check_body(request.body)
            await pass_on(paths.for_others(scope), replay(request, receive))
            return None

    def _measure(self, scope: Scope, began_s: float, status: int) -> None:
        if self._opened is None or not status:
            return
        name = paths.known(scope["path"], self._names) or "other"
        self._opened[0].meter.observe(HTTP_SECONDS, stopwatch() - began_s, name, str(status))
