"""The asking end of a socket. It repeats no request: only the caller knows whether that is safe."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from actors.platform import logs
from actors.platform.retry import Backoff
from actors.transport.messages.base import Answer, Request, answer_of
from actors.transport.wire import (
    NO_REQUEST,
    OVERLOADED_RETRY_MS,
    PAYLOAD_BYTES_MAX,
    Connection,
    Failure,
    Unreadable,
    checked_path,
    encode,
    frame,
)
from engine.errors import NotReady, Overloaded, SegueError, TooLarge

DIALLING: Final = Backoff(first_s=0.02, most_s=1.0)  # between two attempts to connect

_decode_answer: Final = msgspec.msgpack.Decoder(tuple[int, bytes, Failure | None]).decode

A = TypeVar("A", bound=Answer)

log = logging.getLogger(__name__)


@cache
def _answers(request: type[Request[Any]]) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(answer_of(request))


class _ClientConnection(Connection):
    def __init__(self) -> None:
        super().__init__(set())
        self.pending: dict[int, asyncio.Future[bytes]] = {}
        self._ids = itertools.count(NO_REQUEST + 1)
        self._last_words = "the connection was lost; the request may have been handled or not"

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for future in self.pending.values():
            if not future.done():
                future.set_exception(NotReady(self._last_words))

    async def ask(self, name: str, fields: bytes) -> bytes:
        if not self.is_open:  # dropped between the dial and now
            raise NotReady(self._last_words)
        request_id = next(self._ids)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.pending[request_id] = future
        self.put(frame((request_id, name, fields)))
        try:
            return await future
        finally:
            del self.pending[request_id]

    def on_frame(self, body: memoryview) -> None:
        request_id, fields, failure = _decode_answer(body)
        if request_id == NO_REQUEST and failure is not None:
            self._last_words = failure.message
            return
        future = self.pending.get(request_id)
        if future is None or future.done():  # its caller gave up
            return
        if failure is None:
            future.set_result(fields)
        else:
            future.set_exception(failure.error())

    def broken(self, reason: str) -> None:
        logs.tell(log, logging.WARNING, "connection_given_up", reason=reason)
        self._last_words = f"the other end cannot be understood: {reason}"
        self.close()


class FrameClient:
    """Asks the server at `path`. Connects at the first call and again after a drop, ever more rarely while that
    fails."""

    def __init__(self, path: str | Path, *, max_in_flight: int = 4096) -> None:
        self.path = checked_path(path)
        self._max_in_flight = max_in_flight
        self._connection: _ClientConnection | None = None
        self._dialling: asyncio.Task[_ClientConnection] | None = None
        self._failures = 0
        self._next_dial_s = 0.0  # by the loop's clock

    async def call(self, request: Request[A]) -> A:
        """One request and its answer; raises the error that the handler raised.

        `NotReady`: no connection, or it dropped before the answer (then the request may have been handled).
        `Overloaded`, `TooLarge`: surely not handled. A plain `SegueError` where the answer cannot be read.
        """
        kind, fields = type(request), encode(request)
        if len(fields) > PAYLOAD_BYTES_MAX:
            raise TooLarge(f"a request of {len(fields)} bytes, a frame holds {PAYLOAD_BYTES_MAX}")
        connection = self._connection
        if connection is None or not connection.is_open:
            connection = await self._dial()
        if len(connection.pending) >= self._max_in_flight:
            raise Overloaded(OVERLOADED_RETRY_MS)
        answered = await connection.ask(kind.__name__, fields)
        try:
            answer: A = _answers(kind).decode(answered)
        except Unreadable as fault:
            raise SegueError(
                f"the answer to {kind.__name__} cannot be read: {fault}; the request may have been handled"
            ) from None
        return answer

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
            _, connection = await loop.create_unix_connection(_ClientConnection, self.path)
        except OSError as fault:
            self._failures += 1
            pause_s = DIALLING.pause_s(self._failures, random.random())
            self._next_dial_s = max(self._next_dial_s, loop.time() + pause_s)
            raise NotReady(f"nobody answers at the socket: {fault.strerror or fault}") from None
        finally:
            self._dialling = None
        self._connection, self._failures = connection, 0
        if self._next_dial_s == math.inf:  # the client was closed while it connected
            connection.close()
        return connection
