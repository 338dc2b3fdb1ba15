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
from serve.admission import LOOKED_INTO, NEVER_SHED, SHEDDABLE, WITHOUT_KEY, Admission, House, Line, may_name
from serve.auth import shows_key
from serve.gateway import Gateway, GatewayConfig
from serve.hostile_json import check_body
from serve.http import (
    BODY_BYTES_MAX,
    BODY_S_MAX,
    SMALL_BODY_BYTES_MAX,
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
    read_request,
    replay,
    respond,
    with_headers,
)
from serve.lane import Lane
from serve.problems import problem
from serve.routes import consent, decide, ingest, ofrep
from serve.segment_format import NAMES_OF_KINDS

Route = Callable[[Gateway, Request], Awaitable[Response]]
_Passing = Callable[[Scope, Receive], Awaitable[None]]

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
_READY = "/readyz"
_LINKS = "/u/"
_WITH_KEYS = ("/v1/", ofrep.FLAGS)
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
        else:
            await send({"type": "websocket.close"})  # there is none here

    def open(self) -> tuple[Gateway, FastAPI]:
        """The gateway of this replica, and the routes that are not hot."""
        if self._opened is None:
            gateway = Gateway(self._config, self._make_meter())
            gateway.in_flight = lambda: self._admission.requests
            others = api.build(gateway)
            paths = (*(path for _, path in HOT), *(getattr(route, "path", "") for route in others.routes))
            self._names = {_name(path.partition("/{")[0]) for path in paths}
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
        if _is_flag(scope["path"]) or scope["path"] in _FROM_PAGES:
            origin = headers.get(b"origin", b"")
            if scope["method"] == "OPTIONS":
                await respond(send, preflight(self._config.origins, origin))
                return
            extra += cors_headers(self._config.origins, origin)
        gateway, others = self.open()
        is_refused = False
        try:
            pass_on = partial(others, send=with_headers(send, extra, partial(self._measure, gateway, scope, began_s)))
            response = await self._answered(gateway, scope, headers, receive, pass_on)
        except Exception as error:  # the outermost loop of this shell: no traceback reaches a user
            status, problem_headers, body = problem(error)
            if status == 500:
                about = {"request_id": request_id.decode("latin-1"), "path": _name(scope["path"])}
                logs.fault(log, "request_failed", error, **about)
            is_overload = isinstance(error, Overloaded)
            response = Response(status, body, tuple(problem_headers), is_faulty=status < 500 and not is_overload)
            is_refused = is_overload and scope["path"] in _BATCHES
        if is_refused:  # only here, because the error would keep the body
            await self._admission.hold_refused()
        elif response is not None and response.is_faulty:
            await self._admission.hold_faulty()
        if response is not None:
            await respond(send, response, extra)
            self._measure(gateway, scope, began_s, response.status)

    async def _answered(
        self,
        gateway: Gateway,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        pass_on: Callable[..., Awaitable[None]],
    ) -> Response | None:
        """The answer of a hot route; None where `pass_on` has had FastAPI send one."""
        method, path = scope["method"], scope["path"]
        route = HOT.get((method, path))
        if method == "POST" and _is_flag(path):
            route = ofrep.evaluate
        if route is alive:
            return await alive(gateway, Request(path, headers, b""))
        if path == _READY:  # a question of whoever watches, and one look for all who ask
            await pass_on(scope, replay(Request(path, headers, b"")))
            return None
        request, house, line = await self._let_in(gateway, scope, headers, receive)
        if route is not None and _is_question(path) and not house.has_room(line):
            request.is_looked_into = True
            return await route(gateway, request)
        if house is self._admission.keyless:  # a page, or nothing that there is
            await self._admission.hold_faulty()
        with house.enter(line, request.size):
            if route is not None:
                return await route(gateway, self._looked_into(gateway, request))
            if request.body and path.startswith("/v1/"):
                check_body(request.body)
            await pass_on(_for_others(scope), replay(request))
            return None

    async def _let_in(
        self, gateway: Gateway, scope: Scope, headers: Headers, receive: Receive
    ) -> tuple[Request, House, Line]:
        """The whole request, and the house and the line for it. Its key is looked at before its body.

        Raises Unauthorised, TooLarge, TooSlow; Overloaded where the house is full, before the body is read, unless
        the request is a question: there is always an answer to that.
        """
        inside, path = self._admission, scope["path"]
        is_keyed = _shows_key(gateway, path, headers)
        may_be_large = path in _BATCHES or (is_keyed and not _is_small(path))
        house, line = inside.keyed, NEVER_SHED
        if path in _BATCHES or _is_question(path):
            line = LOOKED_INTO
        elif not is_keyed:
            house, line = inside.keyless, WITHOUT_KEY
        if not _is_question(path):
            house.check(line)
        porch = inside.keyed_porch if is_keyed else inside.keyless_porch
        most = BODY_BYTES_MAX if may_be_large else SMALL_BODY_BYTES_MAX
        request = await read_request(path, headers, receive, porch, most)
        if not is_keyed and path in _BATCHES:
            gateway.caller(headers, request.body)
        return request, house, line

    def _measure(self, gateway: Gateway, scope: Scope, began_s: float, status: int) -> None:
        name = _name(scope["path"])
        if name not in self._names:
            name = next((page for page in ("/u", "/c") if name.startswith(f"{page}/")), "other")
        gateway.meter.observe(HTTP_SECONDS, stopwatch() - began_s, name, str(status))

    def _looked_into(self, gateway: Gateway, request: Request) -> Request:
        """Over the line of what may be shed, batches go on for what they hold besides (Overloaded where that is
        nothing), and questions for the default of their placement."""
        if self._admission.keyed.is_over(SHEDDABLE):
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


def _is_flag(path: str) -> bool:
    return path == ofrep.FLAGS or path.startswith(f"{ofrep.FLAGS}/")


def _is_question(path: str) -> bool:
    return path == "/v1/decide" or _is_flag(path)


def _is_small(path: str) -> bool:
    return _is_question(path) or path == "/v1/exposures"


def _shows_key(gateway: Gateway, path: str, headers: Headers) -> bool:
    """Whether a request may take room of those who have a key: it shows one, or is a link that we have signed.

    Raises Unauthorised for a key that is not known, and where there is none and the body cannot hold one.
    """
    if path.startswith(_LINKS):
        return consent.is_ours(gateway, path.removeprefix(_LINKS))
    if not path.startswith(_WITH_KEYS):
        return False
    if shows_key(headers) or _is_small(path):
        gateway.caller(headers)
        return True
    return False


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
