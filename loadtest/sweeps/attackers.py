"""Hostile clients: slow, huge, lying, many and idle ones. Each connects again whenever it is cut off."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

_HUGE, _LYING, _SLOW, _MANY = 20, 60, 200, 40
_FILES_BESIDE = 1_000  # of the files that may be open: for the other attackers
_LULL_S = 0.05
_SPREAD_S = 0.001
_FULL = 4 << 20


def attack(url: str, write_key: str, seconds: float, idle: int) -> None:
    """Play slow, huge, lying, many and idle clients for so many seconds."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_all_at_once(url, write_key, seconds, min(idle, most - _FILES_BESIDE)))


async def _all_at_once(url: str, write_key: str, seconds: float, idle: int) -> None:
    where = urlsplit(url)
    line = _Line(where.hostname or "", where.port or 80)
    key = f"X-API-Key: {write_key}\r\n"
    lies, floods, slow, huge = _lies(key), _floods(key), _slow(key), _huge(key)
    clients = [line.hold(huge[number % len(huge)]) for number in range(_HUGE)]
    clients += [line.hold(lies[number % len(lies)]) for number in range(_LYING)]
    clients += [line.drip(slow[number % len(slow)]) for number in range(_SLOW)]
    clients += [line.repeat(floods[number % len(floods)]) for number in range(_MANY)]
    tasks = [asyncio.create_task(client) for client in clients]
    began = time.monotonic()
    for number in range(idle):
        tasks.append(asyncio.create_task(line.hold(b"" if number % 2 else _get("/healthz"))))
        await asyncio.sleep(_SPREAD_S)
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _post(path: str, length: int, more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: shop.example\r\n{more}Content-Length: {length}\r\n\r\n".encode()


def _whole(path: str, body: bytes, more: str = "") -> bytes:
    return _post(path, len(body), more) + body


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode()


def _huge(key: str) -> list[bytes]:
    return [_post("/u/x", 99_999_999_999), _post("/v1/batch", 99_999_999_999, key) + b"x" * 20_000]


def _lies(key: str) -> list[bytes]:
    """Requests that announce more bytes than ever come."""
    return [
        _post("/u/x", _FULL) + b"x" * 20_000,
        _post("/v1/batch", _FULL) + b"[" * 100_000,
        _post("/v1/batch", _FULL, key) + b" " * (_FULL - 1),  # all but the last byte
        _post("/v1/import", _FULL, "X-API-Key: nobody's\r\n") + b" " * 50_000,
        _post("/v1/decide", 200_000, key) + b" " * 199_999,
    ]


def _slow(key: str) -> list[bytes]:
    return [
        _post("/v1/decide", 100, key),
        b"POST /v1/decide HTTP/1.1\r\nHost: shop",
        _post("/v1/t", _FULL) + b" " * 20_000,
    ]


def _floods(key: str) -> list[bytes]:
    deep = b'{"userId":"a","placement":"x","context":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
    return [
        _whole("/u/x", b"List-Unsubscribe=One-Click"),
        _whole("/v1/batch", b'{"batch":[' + b",".join([b"{}"] * 2_000) + b"]}", key),
        _whole("/v1/decide", deep, key),
        _whole("/v1/track", b'{"userId":"a","event":"Seen"}', "X-API-Key: nobody's\r\n"),
        _whole("/v1/track", b'{"userId":"flood","event":"Seen"}', key),
        _get("/readyz"),
    ]


class _Line:
    """Connections to one host. A client that is cut off connects again."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def hold(self, sent: bytes) -> None:
        """Send these bytes, then nothing, for as long as the connection is open."""
        while True:
            async with self._connected() as (reader, writer):
                writer.write(sent)
                while not reader.at_eof():
                    await reader.read(65_536)

    async def drip(self, sent: bytes) -> None:
        """Send these bytes, then one more each second."""
        while True:
            async with self._connected() as (reader, writer):
                writer.write(sent)
                while not reader.at_eof():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(65_536), 1.0)
                    writer.write(b" ")

    async def repeat(self, sent: bytes) -> None:
        """Send the same request again and again, as fast as it is answered."""
        while True:
            async with self._connected() as (reader, writer):
                while not reader.at_eof():
                    writer.write(sent)
                    head = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                    sizes = [int(name.partition(b":")[2]) for name in head if name.startswith(b"content-length:")]
                    await reader.readexactly(sizes[0] if sizes else 0)
                    await asyncio.sleep(_LULL_S)

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        await asyncio.sleep(_LULL_S)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                yield reader, writer
            finally:
                writer.close()
