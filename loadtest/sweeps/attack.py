"""Attacks the HTTP port with slow, huge, lying, many and idle clients at once, while honest ones ask and opt out.

It reports how the honest clients were answered and how long that took. `python -m loadtest.sweeps.attack --seconds 60`
plays it against a running engine, whose keys are in `SEGUE_WRITE_KEY` and `SEGUE_SERVER_KEY`; nothing but loopback is
ever attacked.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from loadtest.chaos.outcome import Figure, Outcome
from loadtest.locust.loopback import why_refused
from loadtest.processes.engine import EngineError, running_engine
from loadtest.sweeps.attackers import attack

DECISIONS_PER_S = 50
OPT_OUTS_PER_S = 5
LOOKS_PER_S = 5
PATIENCE_S = 30.0
SECONDS = 60

IDLE = 4_200


@dataclass
class Beside:
    """How one kind of request was answered while the attack went on."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    degraded: int = 0

    def slowest(self, share: float = 1.0) -> float:
        """Seconds within which this share of the requests was answered; 0 where there was none."""
        ordered = sorted(self.seconds)
        return ordered[max(0, round(share * len(ordered)) - 1)] if ordered else 0.0


@dataclass
class Report:
    """The answers to honest clients, by kind of request: `decision`, `opt-out`, `link`, `readyz`."""

    beside: dict[str, Beside] = field(default_factory=dict)

    def faults(self) -> list[str]:
        """A line for each status that is no 200, and for each kind of missing answer."""
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
    """Attack the engine at `url` for so many seconds and report how its honest clients were answered. `link` is the
    path of somebody's unsubscribe link. ValueError where `url` is not on loopback."""
    if (refused := why_refused(url)) is not None:
        raise ValueError(refused)
    # In a process of its own: it raises its limit of open files, and its work must not delay the clients measured here.
    attackers = multiprocessing.get_context("spawn").Process(target=attack, args=(url, write_key, seconds, idle))
    attackers.start()
    try:
        return asyncio.run(_honest(url, write_key, server_key, placement, purpose, seconds, link))
    finally:
        attackers.join(seconds + PATIENCE_S)
        attackers.kill()


async def _honest(
    url: str, write_key: str, server_key: str, placement: str, purpose: str, seconds: float, link: str | None
) -> Report:
    report, numbers = Report(), itertools.count()
    write, server = {"x-api-key": write_key}, {"x-api-key": server_key}
    # No limit of connections: a request that waited for a free one here would count as a slow answer.
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
    """Ask at this rate, whether or not the last request was answered: waiting would hide how slow the answers are."""

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
    for number in range(int(seconds / pause_s)):
        await asyncio.sleep(max(0.0, began + number * pause_s - time.perf_counter()))
        task = asyncio.create_task(once())
        asked.add(task)
        task.add_done_callback(asked.discard)
    await asyncio.gather(*asked)


def sweep(seconds: int, folder: Path) -> Outcome:
    """The same attack on an engine of its own, as a sweep of `make prove`."""
    keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
    made = Outcome()
    try:
        with running_engine(folder, os.environ | keys) as url:
            report = play(
                url,
                write_key=keys["SEGUE_WRITE_KEY"],
                server_key=keys["SEGUE_SERVER_KEY"],
                placement="home_hero",
                purpose="marketing",
                seconds=seconds,
            )
    except EngineError as error:
        made.faults.append(f"the sweep broke off: {error}")
        return made
    made.faults += report.faults()
    for what, each in report.beside.items():
        made.figures += [
            Figure(f"{what}: asked", each.statuses.total()),
            Figure(f"{what}: by default", each.degraded),
            *(Figure(f"{what}: {share:.0%} within", round(each.slowest(share), 2), "s") for share in (0.5, 0.99, 1.0)),
        ]
    return made


def main(arguments: list[str] | None = None) -> int:
    """Attack and print the report; 1 where anything but 200 was answered."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.sweeps.attack", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--seconds", type=float, default=SECONDS)
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
