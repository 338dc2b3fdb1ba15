"""Frames over a Unix socket, both ends: who asks (`FrameClient`) and who is asked (`FrameServer`).

A frame is a 4-byte big-endian length, a version byte, and msgpack: a request `(id, op, payload)` or an answer
`(id, ok, payload)`. Payloads are opaque bytes; a failure's payload is `(code, message, field, args)`, which the client
raises as the `SegueError` that it was. Answers come in any order. Everything is bounded: a frame, the requests in
flight and their bytes, what waits for a slow reader. Nothing is retried here: only the caller knows if that is safe.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.platform import logs
from actors.transport.coalescing import CoalescingTransport
from engine.errors import BY_CODE, NotReady, Overloaded, SegueError, TooLarge, UsageError

VERSION: Final = 1
FRAME_BYTES_MAX: Final = 32 << 20  # a hand-over carries a whole past: some 300,000 events
PAYLOAD_BYTES_MAX: Final = FRAME_BYTES_MAX - 256  # leaves room for the id, the op and msgpack's heads
PATH_BYTES_MAX: Final = 100  # the kernel takes 107 (`docs/design/ray.md`)
BACKOFF_S_FIRST: Final = 0.02
BACKOFF_S_MAX: Final = 1.0
OVERLOADED_RETRY_MS: Final = 1000

_HEADER_BYTES: Final = 5
_NO_REQUEST: Final = 0  # the id of a last answer that only shows the other end our version

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_request: Final = msgspec.msgpack.Decoder(tuple[int, str, bytes]).decode
_decode_answer: Final = msgspec.msgpack.Decoder(tuple[int, bool, bytes | tuple[str, str, str, list[Any]]]).decode

log = logging.getLogger(__name__)


def _frame(content: tuple[int, str | bool, object]) -> bytes:
    body = _encode(content)
    return (len(body) + 1).to_bytes(4, "big") + bytes((VERSION,)) + body


def _failed(request_id: int, error: SegueError) -> bytes:
    try:
        return _frame((request_id, False, (error.code, error.message, error.field, error.args)))
    except (TypeError, ValueError, OverflowError):
        args = [_sendable(arg) for arg in error.args]
        return _frame((request_id, False, (error.code, _sendable(error.message), _sendable(error.field), args)))


def _sendable(value: Any) -> Any:
    """What of an error no frame can hold (half of a character, an object), as a text that one can."""
    if isinstance(value, list | tuple):
        return [_sendable(each) for each in value]
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    return str(value).encode(errors="replace").decode()


def _error(code: str, message: str, field: str, args: list[Any]) -> SegueError:
    """The error that the other end had; a plain `SegueError` where this end cannot make one of that code."""
    try:
        return BY_CODE[code](*args)
    except (KeyError, TypeError):
        return SegueError(message, field)


def _checked_path(path: str | Path) -> str:
    size = len(str(path).encode())
    if size > PATH_BYTES_MAX:
        raise UsageError(f"a socket path of {size} bytes is longer than {PATH_BYTES_MAX}: {path}")
    return str(path)


class _Connection(asyncio.Protocol):
    """What both ends share: cutting the stream into frames, and the set of open connections.

    An end adds `on_frame(body)`, which may raise `DecodeError`, and `broken(reason)`, after which nothing more is read.
    """

    def __init__(self, peers: set[_Connection]) -> None:
        self._peers = peers
        self._unread = bytearray()
        self.is_open = False

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = CoalescingTransport(transport)
        self.is_open = True
        self._peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._peers.discard(self)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        try:
            with memoryview(self._unread) as view:
                used = self._read_frames(view)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            self.broken(str(fault))
        else:
            del self._unread[:used]

    def _read_frames(self, view: memoryview) -> int:
        """Pass on every whole frame of `view`; the number of bytes used."""
        start, end = 0, len(view)
        while end - start >= _HEADER_BYTES and self.is_open:
            size, version = int.from_bytes(view[start : start + 4], "big"), view[start + 4]
            if not 0 < size <= FRAME_BYTES_MAX:
                raise msgspec.DecodeError(f"a frame of {size} bytes, at most {FRAME_BYTES_MAX} are allowed")
            if version != VERSION:
                raise msgspec.DecodeError(f"frames of version {version}, this end speaks version {VERSION}")
            if end - start < size + 4:
                break
            with view[start + _HEADER_BYTES : start + 4 + size] as body:
                self.on_frame(body)
            start += 4 + size
        return start

    def put(self, frame: bytes) -> None:
        """Send `frame`; nothing, when the other end is gone."""
        if self.is_open:
            self.transport.write(frame)

    def close(self) -> None:
        self.is_open = False
        self.transport.close()


class Reply:
    """The one answer to one request, given now or later, from the server's own loop. A second answer is ignored."""

    __slots__ = ("_bytes", "_id", "_server", "connection")

    def __init__(self, server: FrameServer, connection: _Connection, request_id: int, size: int) -> None:
        self._server: FrameServer | None = server
        self.connection, self._id, self._bytes = connection, request_id, size

    def send(self, payload: bytes) -> None:
        if len(payload) > PAYLOAD_BYTES_MAX:
            self.fail(TooLarge(f"an answer of {len(payload)} bytes, a frame holds {PAYLOAD_BYTES_MAX}"))
        else:
            self._answer(_frame((self._id, True, payload)))

    def fail(self, error: BaseException) -> None:
        """Answer with an error. What is not a `SegueError` is ours to look into, and tells the caller nothing."""
        if not isinstance(error, SegueError):
            logs.fault(log, "request_failed", error)
            error = SegueError("internal error")
        self._answer(_failed(self._id, error))

    def _answer(self, frame: bytes) -> None:
        if self._server is None:
            return
        self._server.in_flight -= 1
        self._server.bytes_in_flight -= self._bytes
        self._server = None
        self.connection.put(frame)


Handler = Callable[[str, bytes, Reply], None]


class _ServerConnection(_Connection):
    def __init__(self, server: FrameServer) -> None:
        super().__init__(server.connections)
        self._server = server

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self._server.is_closed:  # it came while the server was closing: nobody would answer
            self.close()

    def on_frame(self, body: memoryview) -> None:
        self._server.accept(self, *_decode_request(body))

    def broken(self, reason: str) -> None:
        logs.tell(log, logging.WARNING, "connection_refused", reason=reason)
        self.put(_failed(_NO_REQUEST, NotReady(f"the connection was refused: {reason}")))
        self.close()

    # A caller that does not read its answers is not read either, so what waits for it stays bounded.
    def pause_writing(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


class FrameServer:
    """Listens at `path` and passes every request to `handler(op, payload, reply)`, which must not block.

    Each reply must be used once, whenever its work is done: until then the request counts as in flight.
    """

    def __init__(
        self, path: str | Path, handler: Handler, *, max_in_flight: int = 4096, max_bytes_in_flight: int = 64 << 20
    ) -> None:
        self.path = _checked_path(path)
        self.connections: set[_Connection] = set()
        self.in_flight, self.bytes_in_flight, self.is_closed = 0, 0, False
        self._handler = handler
        self._max_in_flight, self._max_bytes_in_flight = max_in_flight, max_bytes_in_flight
        self._server: asyncio.AbstractServer | None = None

    async def start(self) -> None:
        """Listen; a socket file that an earlier process left behind is replaced."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _ServerConnection(self), self.path)

    async def close(self) -> None:
        """Stop listening and hang up on everyone; callers with requests in flight see `NotReady`."""
        self.is_closed = True
        if self._server is not None:
            self._server.close()
            for connection in tuple(self.connections):
                connection.close()
            await self._server.wait_closed()

    def accept(self, connection: _Connection, request_id: int, op: str, payload: bytes) -> None:
        """Take one request in, or answer that too many are waiting. Alone, even the largest is taken."""
        self.in_flight += 1
        self.bytes_in_flight += len(payload)
        reply = Reply(self, connection, request_id, len(payload))
        too_much = self.in_flight > 1 and self.bytes_in_flight > self._max_bytes_in_flight
        try:
            if too_much or self.in_flight > self._max_in_flight:
                raise Overloaded(OVERLOADED_RETRY_MS)
            self._handler(op, payload, reply)
        except Exception as error:  # the outermost loop of this shell: one bad request must not end the connection
            reply.fail(error)


class _ClientConnection(_Connection):
    def __init__(self) -> None:
        super().__init__(set())
        self.pending: dict[int, asyncio.Future[bytes]] = {}
        self._ids = itertools.count(_NO_REQUEST + 1)
        self._last_words = "the connection was lost; the request may have been handled or not"

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for future in self.pending.values():
            if not future.done():
                future.set_exception(NotReady(self._last_words))

    async def ask(self, op: str, payload: bytes) -> bytes:
        if not self.is_open:  # dropped between the dial and now
            raise NotReady(self._last_words)
        request_id = next(self._ids)
        future = self.pending[request_id] = asyncio.get_running_loop().create_future()
        self.put(_frame((request_id, op, payload)))
        try:
            return await future
        finally:
            del self.pending[request_id]

    def on_frame(self, body: memoryview) -> None:
        request_id, ok, payload = _decode_answer(body)
        if ok != isinstance(payload, bytes):
            raise msgspec.DecodeError("an answer that is neither a success nor a failure")
        future = self.pending.get(request_id)
        if future is None or future.done():  # its caller gave up
            return
        future.set_result(payload) if ok else future.set_exception(_error(*payload))

    def broken(self, reason: str) -> None:
        logs.tell(log, logging.WARNING, "connection_given_up", reason=reason)
        self._last_words = f"the other end cannot be understood: {reason}"
        self.close()


class FrameClient:
    """Asks the server at `path`. Dials at the first call and again after a drop, ever more rarely while that fails."""

    def __init__(self, path: str | Path, *, max_in_flight: int = 4096) -> None:
        self.path = _checked_path(path)
        self._max_in_flight = max_in_flight
        self._connection: _ClientConnection | None = None
        self._dialling: asyncio.Task[_ClientConnection] | None = None
        self._backoff_s = BACKOFF_S_FIRST
        self._next_dial_s = 0.0  # by the loop's clock

    async def call(self, op: str, payload: bytes) -> bytes:
        """One request and its answer; raises what the handler raised.

        `NotReady`: no connection, or it dropped before the answer (then the request may have been handled).
        `Overloaded`, `TooLarge`: surely not handled.
        """
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise TooLarge(f"a request of {len(payload)} bytes, a frame holds {PAYLOAD_BYTES_MAX}")
        connection = self._connection
        if connection is None or not connection.is_open:
            connection = await self._dial()
        if len(connection.pending) >= self._max_in_flight:
            raise Overloaded(OVERLOADED_RETRY_MS)
        return await connection.ask(op, payload)

    def close(self) -> None:
        """Hang up for good; pending calls fail with `NotReady`."""
        self._next_dial_s = math.inf
        if self._connection is not None:
            self._connection.close()

    async def _dial(self) -> _ClientConnection:
        if self._dialling is None:
            if asyncio.get_running_loop().time() < self._next_dial_s:
                raise NotReady("nobody answered at the socket a moment ago, or this client was closed")
            self._dialling = asyncio.create_task(self._connect())
        # Shielded: one caller that gives up must not take the connection from the others.
        return await asyncio.shield(self._dialling)

    async def _connect(self) -> _ClientConnection:
        loop = asyncio.get_running_loop()
        try:
            _, self._connection = await loop.create_unix_connection(_ClientConnection, self.path)
        except OSError as fault:
            self._next_dial_s = max(self._next_dial_s, loop.time() + self._backoff_s)
            self._backoff_s = min(2 * self._backoff_s, BACKOFF_S_MAX)
            raise NotReady(f"nobody answers at the socket: {fault.strerror or fault}") from None
        finally:
            self._dialling = None
        self._backoff_s = BACKOFF_S_FIRST
        if self._next_dial_s == math.inf:  # closed meanwhile
            self._connection.close()
        return self._connection
