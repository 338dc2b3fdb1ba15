"""Load over HTTP: `wrk` with our Lua scripts against a running engine, and the world that it finds there."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import shutil
import statistics
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any

import httpx

from actors.platform.clock import WallClock
from loadtest.processes.engine import EngineError
from loadtest.processes.running import environment
from loadtest.world import bench_catalog, shop_world
from loadtest.world.shop import PRODUCTS

WRK_MISSING = "wrk is not installed (Debian: wrk)"
BATCH = 100
CUSTOMERS = 1_000
KNOWN, KNOWN_FULL = 10_000, 100_000  # beside them
_VIEWS = 3
_DAYS = 3
_DAY_MS = 86_400_000
_IMPORT_BATCH = 500
_SCRIPTS = Path(__file__).with_name("wrk")
_MARK = "~"  # where `ingest.lua` makes a message id unique

_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}
_PERCENTILE = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m) *$", re.MULTILINE)
_TOTAL = re.compile(r"^\s+(\d+) requests in ", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.MULTILINE)
_ANSWERS = re.compile(r"^Answers: (\d+) empty, (\d+) degraded$", re.MULTILINE)
_REFUSED = re.compile(r"^\s+Non-2xx or 3xx responses: (\d+)$", re.MULTILINE)
_BROKEN = re.compile(r"^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Load:
    """The result of wrk. `refused` counts answers that were no success, `broken` connections that broke. Of decisions,
    `empty` showed nothing and `degraded` came too late."""

    requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    refused: int = 0
    broken: int = 0
    empty: int = 0
    degraded: int = 0


def parse(output: str) -> Load:
    """Read the output of `wrk --latency`; EngineError where it is something else."""
    total, rate = _TOTAL.search(output), _RATE.search(output)
    latency = {name: float(value) * _UNITS_MS[unit] for name, value, unit in _PERCENTILE.findall(output)}
    if total is None or rate is None or latency.keys() != {"50", "99"}:
        raise EngineError(f"wrk said something else than expected: {output.strip()[-200:]!r}")
    refused, broken, answers = _REFUSED.search(output), _BROKEN.search(output), _ANSWERS.search(output)
    return Load(
        int(total[1]),
        float(rate[1]),
        latency["50"],
        latency["99"],
        int(refused[1]) if refused else 0,
        sum(map(int, broken.groups())) if broken else 0,
        *(map(int, answers.groups()) if answers else ()),
    )


def mean(loads: Sequence[Load]) -> Load:
    """Several rounds as one: sums of counts, means of the rest."""
    return Load(
        sum(load.requests for load in loads),
        statistics.fmean(load.per_s for load in loads),
        statistics.fmean(load.p50_ms for load in loads),
        statistics.fmean(load.p99_ms for load in loads),
        sum(load.refused for load in loads),
        sum(load.broken for load in loads),
        sum(load.empty for load in loads),
        sum(load.degraded for load in loads),
    )


class Wrk:
    """Runs wrk against one engine. EngineError where any answer was no success."""

    def __init__(self, url: str, keys: Mapping[str, str], folder: Path) -> None:
        self._url, self._environment, self._folder = url, environment(keys), folder

    @staticmethod
    def is_there() -> bool:
        """Whether this machine has it."""
        return shutil.which("wrk") is not None

    def nothing(self, connections: int, seconds: int) -> Load:
        """The no-op of the same application."""
        return self._run("/healthz", connections, seconds)

    def preflight(self, connections: int, seconds: int) -> Load:
        """A no-op by the direct socket, the way of decisions."""
        return self._run("", connections, seconds, ["-s", str(_SCRIPTS / "preflight.lua")])

    def decide(self, connections: int, seconds: int, *, pace_ms: int | None = None) -> Load:
        """Decisions for known customers, as fast as they are answered, or each connection at a pace."""
        script = ["-s", str(_SCRIPTS / "decide.lua")]
        pace = {} if pace_ms is None else {"BENCH_PACE_MS": str(pace_ms)}
        return self._run("", connections, seconds, script, ["users", "placements"], extra=pace)

    def ingest(self, connections: int, seconds: int, *, may_refuse: bool = False) -> Load:
        """Batches of events that were never sent before; with `may_refuse` the engine may say no to some."""
        script = ["-s", str(_SCRIPTS / "ingest.lua")]
        words = [secrets.token_hex(4)]
        return self._run("", connections, seconds, script, ["batches"], words, may_refuse=may_refuse)

    def _run(
        self,
        path: str,
        connections: int,
        seconds: int,
        script: Sequence[str] = (),
        files: Sequence[str] = (),
        words: Sequence[str] = (),
        *,
        may_refuse: bool = False,
        extra: Mapping[str, str] = MappingProxyType({}),
    ) -> Load:
        patience = "30s" if may_refuse else "10s"  # answers to refused batches are delayed
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", patience, "--latency", *script]
        arguments = [str(self._folder / file) for file in files] + list(words)
        done = subprocess.run(
            [*command, self._url + path, *(["--", *arguments] if arguments else [])],
            env={**self._environment, **extra},
            capture_output=True,
            text=True,
            timeout=seconds + 30,
            check=False,
        )
        load = parse(done.stdout if done.returncode == 0 else done.stderr)
        failed = load.broken + (0 if may_refuse else load.refused)
        if failed:
            raise EngineError(f"{failed} of {load.requests} requests failed under load ({' '.join(command)})")
        return load


def populate(url: str, key: str, folder: Path, *, known: int = KNOWN, path: str = "/v1/import") -> int:
    """Send three days of the shop world and `known` customers with a short past, and write the files from which the
    scripts draw. Returns how many customers are known."""
    now_ms = WallClock().now_ms()
    past = list(shop_world.generate(customers=CUSTOMERS, days=_DAYS, start_ms=now_ms - _DAYS * _DAY_MS))
    shoppers = {event["userId"] for event in past if "userId" in event}
    users = sorted(shoppers | {f"known-{number}" for number in range(known)})
    everything = itertools.chain(past, _acquainted(users, shoppers, now_ms))
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        while batch := list(itertools.islice(everything, _IMPORT_BATCH)):
            _sent(client.post(path, json={"batch": batch}))
    (folder / "users").write_text("\n".join(users) + "\n", "utf-8")
    (folder / "placements").write_text("\n".join(bench_catalog.PLACEMENTS) + "\n", "utf-8")
    (folder / "batches").write_text("".join(f"{body}\n" for body in bodies(past)), "utf-8")
    return len(users)


def _acquainted(users: Sequence[str], shoppers: Collection[str], now_ms: int) -> Iterator[dict[str, Any]]:
    """Traits for all users, so that actions are eligible for them; a few views for those not of the shop world."""
    rng = Random("bench/known")
    for user in users:
        traits = {"country": "DE", "lifetime_value": rng.choice((150, 420, 900)), "tier": "gold", "staff": False}
        yield {"type": "identify", "userId": user, "messageId": f"i-{user}", "traits": traits | {"score_shoes": 0.2}}
        for number in range(0 if user in shoppers else _VIEWS):
            at = datetime.fromtimestamp(now_ms / 1000 - rng.randrange(3_600, 86_400), UTC).isoformat()
            product = rng.choice(PRODUCTS)
            seen = {"product_id": product.id, "category": product.category, "price": product.price_minor / 100}
            yield {
                "type": "track",
                "event": "Product Viewed",
                "userId": user,
                "messageId": f"v-{user}-{number}",
                "timestamp": at,
                "properties": seen,
            }


def bodies(past: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Batches of events that happen when they arrive: the events of `past` without times, and with message ids that the
    script makes unique."""
    usable = [event for event in past if event["type"] != "alias"]
    for start in range(0, len(usable) - BATCH + 1, BATCH):
        batch = []
        for number, event in enumerate(usable[start : start + BATCH]):
            timeless = {name: value for name, value in event.items() if name != "timestamp"}
            batch.append(timeless | {"messageId": f"{_MARK}{number}"})
        body = json.dumps({"batch": batch}, separators=(",", ":"))
        assert body.count(_MARK) == BATCH, "the mark stands in message ids alone"
        yield body


def events_taken(url: str, server_key: str) -> dict[str, int]:
    """How many events the engine says it accepted, recognised as repeats and rejected."""
    headers = {"Authorization": f"Bearer {server_key}"}
    answer = _sent(httpx.get(f"{url}/v1/status", headers=headers, trust_env=False, timeout=30))
    events: dict[str, int] = answer.json()["events"]
    return events


def _sent(answer: httpx.Response) -> httpx.Response:
    if answer.status_code != 200 or b'"rejected":[' in answer.content:
        raise EngineError(f"{answer.request.url.path} answered {answer.status_code}: {answer.text[:200]}")
    return answer
