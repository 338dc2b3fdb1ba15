"""Frames over a Unix socket, as both ends know them: `FrameClient` asks, `FrameServer` answers.

A frame is a 4-byte big-endian length and that many bytes. The first frame of each end is its hello: the version of the
protocol that it speaks. It leaves with the first request or answer, so it costs no round trip. An end that receives
another version than its own names both and hangs up. Every other frame is msgpack: a request `(id, name of its type,
fields)`, or an answer `(id, fields, failure)`. Fields are the bytes of a `Request` or `Answer`
(`actors.transport.messages`). So a request that cannot be read fails alone, and one too many is refused unread. Answers
come in any order. Everything is bounded: a frame, the requests in flight, their bytes, and the answers that wait for a
slow reader.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from actors.transport.coalescing import CoalescingTransport
from engine import errors
from engine.errors import SegueError, UsageError

VERSION: Final = 5
FRAME_BYTES_MAX: Final = 32 << 20  # a hand-over carries a whole past: some 300,000 events
PAYLOAD_BYTES_MAX: Final = FRAME_BYTES_MAX - 256  # leaves room for the id, the type's name and msgpack's heads
PATH_BYTES_MAX: Final = 100  # the kernel takes 107 (`docs/design/ray.md`)
OVERLOADED_RETRY_MS: Final = 1000

NO_REQUEST: Final = 0  # the id of a server's last words: why it hangs up

# What msgspec raises for bytes that are no such value: of another shape, of no text, too deep.
Unreadable: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_LENGTH_BYTES: Final = 4
_MAGIC: Final = b"segue"
_WITHOUT_HELLO: Final = 1  # the version whose ends send requests and answers at once
# The version comes first. Version 1 had it there in every frame, so the same byte tells a peer of version 1 apart.
HELLO: Final = (1 + len(_MAGIC)).to_bytes(_LENGTH_BYTES, "big") + bytes((VERSION,)) + _MAGIC

encode: Final = msgspec.msgpack.Encoder().encode


class Failure(msgspec.Struct, array_like=True, gc=False):
    """An error on its way to the caller (`engine.errors`)."""

    code: str
    message: str
    field: str
    arguments: list[Any]

    def error(self) -> SegueError:
        """The error that the other end had; a plain `SegueError` where this end cannot make one of that code."""
        return errors.made_anew(self.code, self.arguments) or SegueError(self.message, self.field)


def frame(content: tuple[Any, ...]) -> bytes:
    """A request or an answer with its length before it."""
    body = encode(content)
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def failed(request_id: int, error: SegueError) -> bytes:
    """The frame of an answer that is an error."""
    failure = Failure(error.code, error.message, error.field, list(error.args))
    try:
        return frame((request_id, b"", failure))
    except (TypeError, ValueError, OverflowError):
        return frame((request_id, b"", Failure(*map(_sendable, msgspec.structs.astuple(failure)))))


def _sendable(value: Any) -> Any:
    """A part of an error in a form that a frame can hold: half of a character or an object becomes a text."""
    if isinstance(value, list | tuple):
        return [_sendable(each) for each in value]
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return value
    return str(value).encode(errors="replace").decode()


def checked_path(path: str | Path) -> str:
    """The path of a socket; UsageError where the kernel takes none so long."""
    size = len(str(path).encode())
    if size > PATH_BYTES_MAX:
        raise UsageError(f"a socket path of {size} bytes is longer than {PATH_BYTES_MAX}: {path}")
    return str(path)


class Connection(asyncio.Protocol):
    """The part that both ends share: the hello, cutting the stream into frames, and the set of open connections."""

    def __init__(self, peers: set[Connection]) -> None:
        self._peers = peers
        self._unread = bytearray()
        self._is_greeted = False
        self.is_open = False

    def on_frame(self, body: memoryview) -> None:
        """Take a frame that follows the hello; may raise `DecodeError`."""
        raise NotImplementedError

    def broken(self, reason: str) -> None:
        """The stream cannot be understood: nothing more is read."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the other end."""
        self.transport = CoalescingTransport(cast(asyncio.Transport, transport))  # uvloop's are none by their class
        self.is_open = True
        self._peers.add(self)
        self.put(HELLO)

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone, or was hung up on."""
        self.is_open = False
        self._peers.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take every whole frame out of what has come; the rest waits for more."""
        self._unread += data
        try:
            with memoryview(self._unread) as view:  # no copy; released before `del`, which a view would forbid
                used = self._read_frames(view)
        except Unreadable as fault:
            self.broken(str(fault))
        else:
            del self._unread[:used]

    def _read_frames(self, view: memoryview) -> int:
        """Pass on every whole frame of `view`; the number of bytes used."""
        start, end = 0, len(view)
        if not self._is_greeted:
            start = self._read_hello(view)
            if not start:
                return 0
        while end - start >= _LENGTH_BYTES and self.is_open:
            size = int.from_bytes(view[start : start + _LENGTH_BYTES], "big")
            if not 0 < size <= FRAME_BYTES_MAX:
                raise msgspec.DecodeError(f"a frame of {size} bytes, at most {FRAME_BYTES_MAX} are allowed")
            if end - start < _LENGTH_BYTES + size:
                break
            with view[start + _LENGTH_BYTES : start + _LENGTH_BYTES + size] as body:
                self.on_frame(body)
            start += _LENGTH_BYTES + size
        return start

    def _read_hello(self, view: memoryview) -> int:
        """The number of bytes of the hello; 0 where it is not complete yet."""
        if len(view) <= _LENGTH_BYTES:
            return 0
        version, magic = view[_LENGTH_BYTES], view[_LENGTH_BYTES + 1 : len(HELLO)]
        if magic != _MAGIC[: len(magic)] and version != _WITHOUT_HELLO:
            raise msgspec.DecodeError("the first frame is no hello")
        if version != VERSION and (len(magic) == len(_MAGIC) or version == _WITHOUT_HELLO):
            raise msgspec.DecodeError(
                f"the other end speaks version {version} of the protocol, this end version {VERSION}"
            )
        if len(view) < len(HELLO):
            return 0
        if view[: len(HELLO)] != HELLO:
            raise msgspec.DecodeError("the first frame is no hello")
        self._is_greeted = True
        return len(HELLO)

    def put(self, frame: bytes) -> None:
        """Send `frame`; does nothing where the other end is gone."""
        if self.is_open:
            self.transport.write(frame)

    def close(self) -> None:
        """Send what was put, then hang up."""
        self.is_open = False
        self.transport.close()
