"""The answering end of a socket: it takes requests, each with a `Reply` to be used when the work is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from actors.platform import logs
from actors.transport.messages.base import Answer, Request
from actors.transport.wire import (
    NO_REQUEST,
    OVERLOADED_RETRY_MS,
    PAYLOAD_BYTES_MAX,
    Connection,
    Unreadable,
    checked_path,
    encode,
    failed,
    frame,
)
from engine.errors import NotReady, Overloaded, SegueError, TooLarge

_NAME_CHARS_MAX: Final = 100  # of a name that is not known, in the answer

_decode_request: Final = msgspec.msgpack.Decoder(tuple[int, str, bytes]).decode

log = logging.getLogger(__name__)


class Reply:
    """The one answer to one request, given now or later, from the server's own loop. A second answer is ignored."""

    __slots__ = ("_bytes", "_id", "_server", "connection")

    def __init__(self, server: FrameServer, connection: Connection, request_id: int, size: int) -> None:
        self._server: FrameServer | None = server
        self.connection, self._id, self._bytes = connection, request_id, size

    def send(self, answer: Answer) -> None:
        """Answer now."""
        self._send(encode(answer))

    def prepared(self, answer: Answer) -> Callable[[], None]:
        """A function that sends `answer` later. It is encoded at once, because its contents may change until then."""
        return partial(self._send, encode(answer))

    def fail(self, error: BaseException) -> None:
        """Answer with an error. Any other than a `SegueError` is a fault of ours: it is logged, and the caller is told
        none of its details."""
        if not isinstance(error, SegueError):
            logs.fault(log, "request_failed", error)
            error = SegueError("internal error")
        self._put(failed(self._id, error))

    def _send(self, fields: bytes) -> None:
        if len(fields) > PAYLOAD_BYTES_MAX:
            self.fail(TooLarge(f"an answer of {len(fields)} bytes, a frame holds {PAYLOAD_BYTES_MAX}"))
        else:
            self._put(frame((self._id, fields, None)))

    def _put(self, frame: bytes) -> None:
        if self._server is None:
            return
        self._server.in_flight -= 1
        self._server.bytes_in_flight -= self._bytes
        self._server = None
        self.connection.put(frame)


Handler = Callable[[Any, Reply], None]


class _ServerConnection(Connection):
    def __init__(self, server: FrameServer) -> None:
        super().__init__(server.connections)
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._server.is_closed:  # the connection came while the server was closing: nobody would answer
            self.close()

    def on_frame(self, body: memoryview) -> None:
        self._server.accept(self, *_decode_request(body))

    def broken(self, reason: str) -> None:
        logs.tell(log, logging.WARNING, "connection_refused", reason=reason)
        self.put(failed(NO_REQUEST, NotReady(f"the connection was refused: {reason}")))
        self.close()

    # While a caller does not read its answers, its requests are not read either. So the answers that wait for it stay
    # bounded.
    def pause_writing(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()


class FrameServer:
    """Listens at `path` and passes every request to `handler(request, reply)`, which must not block. `requests` are the
    types that it takes.

    Each reply must be used once, when the work is done: until then the request counts as in flight.
    """

    def __init__(
        self,
        path: str | Path,
        handler: Handler,
        requests: Iterable[type[Request[Any]]],
        *,
        max_in_flight: int = 4096,
        max_bytes_in_flight: int = 64 << 20,
    ) -> None:
        self.path = checked_path(path)
        self.connections: set[Connection] = set()
        self.in_flight, self.bytes_in_flight, self.is_closed = 0, 0, False
        self._handler = handler
        self._decode = {each.__name__: msgspec.msgpack.Decoder(each).decode for each in requests}
        self._max_in_flight, self._max_bytes_in_flight = max_in_flight, max_bytes_in_flight
        self._server: asyncio.AbstractServer | None = None

    @property
    def requests(self) -> frozenset[str]:
        """The names of the types of request that are taken here."""
        return frozenset(self._decode)

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

    def accept(self, connection: Connection, request_id: int, name: str, fields: bytes) -> None:
        """Take one request in, or answer that too many are waiting. A request is always taken where no other waits,
        however large it is: refused, it could never be handled."""
        self.in_flight += 1
        self.bytes_in_flight += len(fields)
        reply = Reply(self, connection, request_id, len(fields))
        too_much = self.in_flight > 1 and self.bytes_in_flight > self._max_bytes_in_flight
        try:
            if too_much or self.in_flight > self._max_in_flight:
                raise Overloaded(OVERLOADED_RETRY_MS)
            self._handler(self._read(name, fields), reply)
        except Exception as error:  # the outermost loop of this shell: one bad request must not end the connection
            reply.fail(error)

    def _read(self, name: str, fields: bytes) -> Request[Any]:
        """SegueError where there is no such type of request here, or it has other fields."""
        decode = self._decode.get(name)
        if decode is None:
            raise SegueError(f"a request of type {name[:_NAME_CHARS_MAX]} is not taken here")
        try:
            request: Request[Any] = decode(fields)
        except Unreadable as fault:
            raise SegueError(f"a request of type {name} cannot be read: {fault}") from None
        return request
