"""The little of HTTP that the hot routes need: bounded bodies, gzip, JSON answers, CORS, over plain ASGI."""

from __future__ import annotations

import asyncio
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from engine.errors import InvalidInput, TooSlow
from serve.http.admission import ArrivingBodies, ArrivingBody
from serve.http.unpacking import too_large, unpacked

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]
Headers = Mapping[bytes, bytes]

BODY_BYTES_MAX: Final = 4 << 20
SMALL_BODY_BYTES_MAX: Final = 256 << 10  # where no batch is expected
BODY_S_MAX: Final = 30.0
_LENGTH_DIGITS_MAX: Final = 18  # longer is no size, and Python's `int` refuses thousands of digits
_JSON: Final[Header] = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Request:
    """A request whose body has been read and, where it was gzip, unpacked."""

    path: str
    headers: Headers
    body: bytes
    size: int = 0  # bytes that it takes, packed and unpacked
    # It came in over the limit for requests that may be shed. A batch then goes on for its events that are never shed,
    # a question for the default of its placement.
    is_over_limit: bool = False


class Response(msgspec.Struct, frozen=True):
    """A whole answer."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (_JSON,)
    is_faulty: bool = False  # the client sent something wrong; where many do, such answers are delayed


_READ_FROM_PAGES: Final = (
    *(b"authorization", b"content-encoding", b"content-type", b"if-none-match"),
    *(b"x-api-key", b"x-request-id", b"x-retry-count"),
)
_ASKED_NAMES_MAX, _ASKED_BYTES_MAX = 64, 2048
_HEADER_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")  # a token of RFC 9110, as browsers write one here


def preflight(headers: Headers) -> Response:
    """The answer to a CORS preflight: which headers a page may send. They are those that are read here, and all others
    that it asks for, such as those of tracing, because nothing is made of them. The answer is good for two hours, the
    most that Chromium takes. Whether the page's origin may call at all, `cors_headers` says."""
    asked = headers.get(b"access-control-request-headers", b"")
    names = [name.strip().lower() for name in asked[:_ASKED_BYTES_MAX].split(b",")[:_ASKED_NAMES_MAX]]
    more = (name for name in dict.fromkeys(names) if name not in _READ_FROM_PAGES and _HEADER_NAME.fullmatch(name))
    allowed = (
        (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
        (b"access-control-allow-headers", b", ".join((*_READ_FROM_PAGES, *more))),
        (b"access-control-max-age", b"7200"),
    )
    return Response(204, b"", allowed)


def ok(value: Any) -> Response:
    """200 with JSON."""
    return Response(200, _encode(value))


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers of a request by their lower-case names; of several of one name the first."""
    return dict(reversed(scope["headers"]))


def declared_size(headers: Headers) -> int:
    """How many bytes of body a request says it has; 0 where it does not say."""
    said = headers.get(b"content-length", b"")
    if len(said) > _LENGTH_DIGITS_MAX:
        return sys.maxsize
    return int(said) if said.isdigit() else 0


async def read_request(
    path: str, headers: Headers, receive: Receive, arriving: ArrivingBodies, bytes_max: int = BODY_BYTES_MAX
) -> Request:
    """The whole request.

    Raises TooLarge as soon as its header says, or its body shows, that it is over `bytes_max`, packed or unpacked.
    Raises TooSlow when the body takes longer than half a minute, or than `arriving` has room for it.
    """
    if declared_size(headers) > bytes_max:
        raise too_large(bytes_max)
    request = Request(path, headers, await _arrived(receive, arriving, bytes_max))
    request.size = len(request.body)
    if encoding := headers.get(b"content-encoding"):
        request.body = unpacked(request.body, encoding, bytes_max)
        request.size += len(request.body)
    request.body = request.body.removeprefix(BOM_UTF8)  # RFC 8259, 8.1: a reader may ignore it
    return request


async def _arrived(receive: Receive, arriving: ArrivingBodies, bytes_max: int) -> bytes:
    """The whole body. A timer for each request would cost more than all of this; so `arriving` cancels the task when
    the body takes too long, as `asyncio.timeout` would."""
    task = asyncio.current_task()
    assert task is not None
    arrival = arriving.enter(task.cancel, asyncio.get_running_loop().time())
    try:
        with arrival:
            return await _whole(receive, arrival, bytes_max)
    except asyncio.CancelledError:
        if not arrival.is_given_up or task.uncancel() > 0:  # somebody else has cancelled the task, too
            raise
        raise TooSlow(f"was not there after {BODY_S_MAX:g} s, or while others needed its room", "body") from None


async def _whole(receive: Receive, arrival: ArrivingBody, bytes_max: int) -> bytes:
    message = await receive()
    body = message.get("body", b"")
    chunks, size = [body], len(body)
    while True:
        if size > bytes_max:
            raise too_large(bytes_max)
        if message["type"] == "http.disconnect":
            raise InvalidInput("the client hung up before its request was complete")
        if not message.get("more_body", False):
            return body if len(chunks) == 1 else b"".join(chunks)
        arrival.grow(size)
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])


def replay(request: Request, receive: Receive) -> Receive:
    """A `receive` for FastAPI, which wants to read the body itself: first the body that was read already, then whatever
    the client says after it, which is at most that it is gone."""
    messages = [{"type": "http.request", "body": request.body, "more_body": False}]

    async def receiving() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return receiving


async def respond(send: Send, response: Response, extra: tuple[Header, ...] = ()) -> None:
    """Send an answer."""
    length = (b"content-length", str(len(response.body)).encode())
    await send(
        {"type": "http.response.start", "status": response.status, "headers": [*response.headers, length, *extra]}
    )
    await send({"type": "http.response.body", "body": response.body})


def cors_headers(origins: tuple[str, ...], origin: bytes) -> tuple[Header, ...]:
    """The headers that let a page of `origin` read the answer; none for a page that may not, or for no page at all."""
    if not origin:
        return ()
    exposed = (b"access-control-expose-headers", b"etag, retry-after, x-request-id")
    if "*" in origins:
        return ((b"access-control-allow-origin", b"*"), exposed)
    if origin.decode("latin-1") in origins:
        return ((b"access-control-allow-origin", origin), exposed, (b"vary", b"origin"))
    return ()
