"""The door under attack: slow, huge, lying, many and idle clients at once, beside a page's decisions and opt-outs.

Says how those beside were answered and how long it took. `python -m loadtest.attack --seconds 60` plays it against a
running engine, whose keys are in `SEGUE_WRITE_KEY` and `SEGUE_SERVER_KEY`; nothing but loopback is ever attacked.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from loadtest.loopback import why_refused

DECISIONS_PER_S = 50
OPT_OUTS_PER_S = 5
LOOKS_PER_S = 5
PATIENCE_S = 30.0

_HUGE, _LYING, _SLOW, _MANY = 20, 60, 200, 40
IDLE = 4_200
_FILES_BESIDE = 1_000
_LULL_S = 0.05
_SPREAD_S = 0.001
_FULL = 4 << 20


@dataclass
class Beside:
    """How one kind of request was answered while the attack went on."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    degraded: int = 0

    def slowest(self, share: float = 1.0) -> float:
        """Seconds within which this share of them was answered; 0 where there was none."""
        ordered = sorted(self.seconds)
        return ordered[max(0, round(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass
class Report:
    """All of it, by what was asked: `decision`, `opt-out`, `link`, `readyz`."""

    beside: dict[str, Beside] = field(default_factory=dict)

    def faults(self) -> list[str]:
        """What must not be: an answer that is no 200, or none."""
        return [
            f"{count} × {what}: {status}"
            for what, each in self.beside.items()
            for status, count in each.statuses.items()
            if status != "200"
        ]

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{what:9} {len(each.seconds):5} answered {dict(each.statuses)}, {each.degraded} by default; "
            f"half within {each.slowest(0.5) * 1e3:.0f} ms, 99 % within {each.slowest(0.99) * 1e3:.0f} ms, "
            f"all within {each.slowest() * 1e3:.0f} ms"
            for what, each in self.beside.items()
        ]


def play(
    url: str,
    *,
    write_key: str,
    server_key: str,
    placement: str,
    purpose: str,
    seconds: float,
    link: str | None = None,
    idle: int = IDLE,
) -> Report:
    """Attack the engine at `url` for so long and report what its honest clients saw. `link` is the path of somebody's
    unsubscribe link. ValueError where that is not on loopback."""
    if (refused := why_refused(url)) is not None:
        raise ValueError(refused)
    over = multiprocessing.get_context("spawn").Process(target=_attack, args=(url, write_key, seconds, idle))
    over.start()
    try:
        return asyncio.run(_honest(url, write_key, server_key, placement, purpose, seconds, link))
    finally:
        over.join(seconds + PATIENCE_S)
        over.kill()


async def _honest(
    url: str, write_key: str, server_key: str, placement: str, purpose: str, seconds: float, link: str | None
) -> Report:
    report, numbers = Report(), itertools.count()
    write, server = {"x-api-key": write_key}, {"x-api-key": server_key}
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, timeout=PATIENCE_S, limits=httpx.Limits(max_connections=None)
    ) as client:

        async def decide() -> httpx.Response:
            body = {"placement": placement, "anonymousId": f"visitor-{next(numbers) % 500}"}
            return await client.post("/v1/decide", json=body, headers=write)

        async def opt_out() -> httpx.Response:
            body = {"purpose": purpose, "channel": "*", "granted": False, "source": "attack"}
            body |= {"identifiers": {"user_id": f"leaver-{next(numbers)}"}}
            return await client.post("/v1/consent", json=body, headers=server)

        async def click() -> httpx.Response:
            return await client.post(str(link), content=b"List-Unsubscribe=One-Click")

        async def look() -> httpx.Response:
            return await client.get("/readyz")

        kinds: list[tuple[str, Callable[[], Awaitable[httpx.Response]], float]] = [
            ("decision", decide, DECISIONS_PER_S),
            ("opt-out", opt_out, OPT_OUTS_PER_S),
            ("readyz", look, LOOKS_PER_S),
        ]
        if link is not None:
            kinds.append(("link", click, OPT_OUTS_PER_S))
        for name, _, _ in kinds:
            report.beside[name] = Beside()
        await asyncio.gather(*(_every(1 / rate, seconds, ask, report.beside[name]) for name, ask, rate in kinds))
    return report


async def _every(pause_s: float, seconds: float, ask: Callable[[], Awaitable[httpx.Response]], seen: Beside) -> None:
    """Ask at this rate, whether or not the last one was answered."""

    async def once() -> None:
        began = time.perf_counter()
        try:
            answer = await ask()
            status = str(answer.status_code)
            seen.degraded += b'"degraded":true' in answer.content
        except httpx.HTTPError as fault:
            status = type(fault).__name__
        seen.statuses[status] += 1
        seen.seconds.append(time.perf_counter() - began)

    began, asked = time.perf_counter(), set[asyncio.Task[None]]()
    while time.perf_counter() - began < seconds:
        task = asyncio.create_task(once())
        asked.add(task)
        task.add_done_callback(asked.discard)
        await asyncio.sleep(pause_s)
    await asyncio.gather(*asked)


# -- those who mean no good, in a process of their own


def _attack(url: str, write_key: str, seconds: float, idle: int) -> None:
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
    """More is announced than ever comes."""
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
    """Connections to one host; whoever is sent away comes back."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    async def hold(self, sent: bytes) -> None:
        """Send this and then nothing, for as long as the connection is open."""
        while True:
            async with self._connected() as (reader, writer):
                writer.write(sent)
                while not reader.at_eof():
                    await reader.read(65_536)

    async def drip(self, sent: bytes) -> None:
        """Send this and then a byte a second."""
        while True:
            async with self._connected() as (reader, writer):
                writer.write(sent)
                while not reader.at_eof():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(reader.read(65_536), 1.0)
                    writer.write(b" ")

    async def repeat(self, sent: bytes) -> None:
        """Ask the same again and again, as fast as it is answered."""
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


def main(arguments: list[str] | None = None) -> int:
    """Attack and print what was seen; 1 where anything but 200 was answered."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.attack", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--placement", default="home_hero")
    parser.add_argument("--purpose", default="marketing")
    parser.add_argument("--idle", type=int, default=IDLE)
    parser.add_argument("--json", help="write the figures to this file")
    given = parser.parse_args(arguments)
    report = play(
        given.url,
        write_key=os.environ.get("SEGUE_WRITE_KEY", ""),
        server_key=os.environ.get("SEGUE_SERVER_KEY", ""),
        placement=given.placement,
        purpose=given.purpose,
        seconds=given.seconds,
        idle=given.idle,
    )
    print("\n".join([*report.lines(), *report.faults()]))
    if given.json:
        figures = {
            what: {
                "statuses": each.statuses,
                "degraded": each.degraded,
                "max_s": each.slowest(),
                "p99_s": each.slowest(0.99),
            }
            for what, each in report.beside.items()
        }
        with open(given.json, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(figures, file, indent=2)
    return 1 if report.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
