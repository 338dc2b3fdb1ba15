"""The application behind the port. What a page load or a batch waits for is plain ASGI; FastAPI serves the rest.

One table says which function answers which hot path. Bodies are read here, bounded, for all routes alike; every error
becomes a problem here and nowhere else.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI

from actors import logs
from actors.clock import stopwatch
from actors.host import settle_garbage
from actors.meter import HTTP_SECONDS, Meter, NoMeter
from engine.errors import Overloaded
from engine.shedding import events_kept
from serve import api
from serve.admission import LOOKED_INTO, NEVER_SHED, SHEDDABLE, Admission, Line, may_name
from serve.gateway import Gateway, GatewayConfig
from serve.http import (
    Header,
    Headers,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    cors_headers,
    declared_size,
    headers_of,
    preflight,
    read_request,
    replay,
    respond,
    with_headers,
)
from serve.lane import Lane
from serve.problems import problem
from serve.routes import decide, ingest, ofrep
from serve.segment_format import NAMES_OF_KINDS

Route = Callable[[Gateway, Request], Awaitable[Response]]

_REQUEST_ID_MAX = 128
_YOUNG = 5_000  # a connection is a cycle, and may hold a body
_LAST: Header = (b"connection", b"close")
_ALIVE = Response(200, b'{"status":"alive"}')
_RUN = secrets.token_hex(8).encode()  # of this process; its requests are numbered
_numbers = itertools.count()


async def alive(gateway: Gateway, request: Request) -> Response:
    """The process answers. Does nothing else, so it is also the baseline that benchmarks compare with."""
    return _ALIVE


HOT: dict[tuple[str, str], Route] = {
    **{("POST", path): ingest.ingest for path in ingest.KIND_OF_PATH},
    ("POST", "/v1/decide"): decide.decide,
    ("POST", "/v1/exposures"): decide.expose,
    ("POST", "/v1/import"): ingest.import_history,
    ("GET", "/healthz"): alive,
}
_BATCHES = frozenset((*ingest.KIND_OF_PATH, "/v1/import"))
_FROM_PAGES = frozenset((*ingest.KIND_OF_PATH, "/v1/decide", "/v1/exposures"))

log = logging.getLogger(__name__)


class App:
    """An ASGI callable that can be sent to a replica: it opens its gateway when the replica starts."""

    def __init__(self, config: GatewayConfig, make_meter: Callable[[], Meter] = NoMeter) -> None:
        self._config, self._make_meter = config, make_meter
        self._opened: tuple[Gateway, FastAPI] | None = None
        self._following: asyncio.Task[None] | None = None
        self._admission = Admission()
        self._lane: Lane | None = None
        self._names: set[str] = set()  # the beginnings of paths that there are

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection's request, or the lifespan of the replica."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    def open(self) -> tuple[Gateway, FastAPI]:
        """The gateway of this replica, and the routes that are not hot."""
        if self._opened is None:
            gateway = Gateway(self._config, self._make_meter())
            gateway.in_flight = lambda: self._admission.requests
            others = api.build(gateway)
            paths = (*(path for _, path in HOT), *(getattr(route, "path", "") for route in others.routes))
            self._names = {_name(path.partition("/{")[0]) for path in paths}
            self._opened = gateway, others
            self._following = asyncio.get_running_loop().create_task(gateway.follow())
            settle_garbage(_YOUNG)
        return self._opened

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.open()
                if self._config.lanes is not None:
                    folder, numbers = self._config.lanes
                    self._lane = Lane(self, Path(folder), numbers)
                    self._lane.open()
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._lane is not None:
                    await self._lane.close()
                if self._following is not None:
                    self._following.cancel()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began_s, headers = stopwatch(), headers_of(scope)
        request_id = _request_id(headers)
        extra: tuple[Header, ...] = ((b"x-request-id", request_id),)
        if self._lane is not None and self._lane.is_draining:
            extra += (_LAST,)
        is_flag = scope["path"] == ofrep.FLAGS or scope["path"].startswith(f"{ofrep.FLAGS}/")
        if is_flag or scope["path"] in _FROM_PAGES:
            origin = headers.get(b"origin", b"")
            if scope["method"] == "OPTIONS":
                await respond(send, preflight(self._config.origins, origin))
                return
            extra += cors_headers(self._config.origins, origin)
        gateway, others = self.open()
        try:
            route = HOT.get((scope["method"], scope["path"]))
            if is_flag and scope["method"] == "POST":
                route = ofrep.evaluate
            if route is alive:
                response = await alive(gateway, Request(scope["path"], headers, b""))
            else:
                with self._admission.enter(self._line(scope), declared_size(headers)) as place:
                    request = await read_request(scope["path"], headers, receive, place.grow)
                    if route is None:
                        told = partial(self._measure, gateway, scope["path"], began_s)
                        await others(_for_others(scope), replay(request), with_headers(send, extra, told))
                        return
                    response = await route(gateway, self._looked_into(gateway, request))
        except Exception as error:  # the outermost loop of this shell: no traceback reaches a user
            status, headers, body = problem(error)
            if status == 500:
                about = {"request_id": request_id.decode("latin-1"), "path": _name(scope["path"])}
                logs.fault(log, "request_failed", error, **about)
            response = Response(status, body, tuple(headers))
            if isinstance(error, Overloaded) and scope["path"] in _BATCHES:
                await self._admission.hold_refused()
        await respond(send, response, extra)
        self._measure(gateway, scope["path"], began_s, response.status)

    def _measure(self, gateway: Gateway, path: str, began_s: float, status: int) -> None:
        name = _name(path)
        if name not in self._names:
            name = next((page for page in ("/u", "/c") if name.startswith(f"{page}/")), "other")
        gateway.meter.observe(HTTP_SECONDS, stopwatch() - began_s, name, str(status))

    def _line(self, scope: Scope) -> Line:
        """Up to where a request like this may fill the house."""
        return LOOKED_INTO if scope["path"] in _BATCHES or _is_question(scope["path"]) else NEVER_SHED

    def _looked_into(self, gateway: Gateway, request: Request) -> Request:
        """Over the line of what may be shed, batches go on for what they hold besides (Overloaded where that is
        nothing), and questions for the default of their placement."""
        if self._admission.is_over(SHEDDABLE):
            if request.path in _BATCHES:
                kept = events_kept(gateway.catalog)
                if kept.isdisjoint(NAMES_OF_KINDS) and not may_name(request.body, kept):
                    raise Overloaded
                request.is_looked_into = True
            elif _is_question(request.path):
                request.is_looked_into = True
        return request


def _name(path: str) -> str:
    """What a path is called in metrics: its first two words, for the rest may name a person."""
    return "/".join(path.split("/")[:3])


def _is_question(path: str) -> bool:
    return path == "/v1/decide" or path.startswith(ofrep.FLAGS)


def _request_id(headers: Headers) -> bytes:
    """The id by which a client knows its request, else a new one; what could not be a header value is not taken."""
    given = headers.get(b"x-request-id", b"")
    usable = 0 < len(given) <= _REQUEST_ID_MAX and given.isascii() and given.decode().isprintable()
    return given if usable else b"%s%016x" % (_RUN, next(_numbers))


def _for_others(scope: Scope) -> Scope:
    """A request as FastAPI should see it.

    The path stays percent-encoded, so that a name may hold `/timeline`; a body is JSON, whatever the client calls it.
    """
    raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    headers = [header for header in scope["headers"] if header[0] != b"content-type"]
    return scope | {
        "path": raw_path.partition(b"?")[0].decode("latin-1"),
        "headers": [*headers, (b"content-type", b"application/json")],
    }
