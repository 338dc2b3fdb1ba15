"""Offers an engine far more than it can take for a minute. Measures how much it still takes, how it refuses the rest,
and its memory.

`wrk` sends batches over far more connections than the best rate needs, and does not wait after a refusal; the offered
rate is what it reaches that way. Beside it, a slow client checks the answers themselves.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import httpx

from loadtest.bench import over_http
from loadtest.bench.figure import Figure
from loadtest.bench.over_http import BATCH, Load, Wrk
from loadtest.processes.engine import EngineError
from loadtest.processes.running import Running

SECONDS = 60
_BEST_CONNECTIONS, _BEST_S = 8, 6
_TIMES = 10
_CONNECTIONS_MAX = 640
_LOOK_S = 0.25
_SETTLE_S = 3.0  # for the last batches, whose answers wrk did not wait for


@dataclass
class Seen:
    """The answers to the slow client, and the memory of all processes at each look."""

    statuses: Counter[int] = field(default_factory=Counter)
    retry_after: set[str] = field(default_factory=set)
    memory_mb: list[float] = field(default_factory=list)
    alive_ms: list[float] = field(default_factory=list)


def measure(engine: Running, wrk: Wrk, keys: Mapping[str, str], *, seconds: int = SECONDS) -> Iterator[Figure]:
    """The figures; EngineError where something acknowledged is not there, or a refusal says no whole seconds."""
    best = wrk.ingest(_BEST_CONNECTIONS, _BEST_S)
    connections = _enough(wrk, best)
    before, began_s = over_http.events_taken(engine.url, keys["SEGUE_SERVER_KEY"]), time.monotonic()
    seen, stop = Seen(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(engine, keys["SEGUE_WRITE_KEY"], seen, stop))
    watcher.start()
    try:
        flood = wrk.ingest(connections, seconds, may_refuse=True)
    finally:
        stop.set()
        watcher.join()
    time.sleep(_SETTLE_S)
    after = over_http.events_taken(engine.url, keys["SEGUE_SERVER_KEY"])
    _check(before, after, flood, seen)
    durable_per_s = (after["accepted"] - before["accepted"]) / (time.monotonic() - began_s)
    yield from figures(best, flood, durable_per_s, seen)


def figures(best: Load, flood: Load, durable_per_s: float, seen: Seen) -> Iterator[Figure]:
    """Events that were kept and events that were offered beside the best rate, memory at the end beside that at the
    beginning, and how soon `GET /healthz` was answered."""
    whole_per_s = (flood.requests - flood.refused) / flood.requests * flood.per_s * BATCH
    third = max(1, len(seen.memory_mb) // 3)
    early, late = max(seen.memory_mb[:third]), max(seen.memory_mb[-third:])
    for what, per_s, target in (
        ("durable", durable_per_s, "≥ 0.8 ×"),
        ("in batches taken whole", whole_per_s, ""),
        ("offered", flood.per_s * BATCH, "10 ×"),
    ):
        yield Figure(f"overload: events/s {what}", per_s, "events/s", "best rate", best.per_s * BATCH, target=target)
    yield Figure("overload: memory (PSS), last third", late, "MB", "first third", early, target="flat")
    alive = sorted(seen.alive_ms)
    slow, middle = alive[len(alive) * 99 // 100], alive[len(alive) // 2]
    yield Figure("overload: p99 of GET /healthz", slow, "ms", "its median", middle)


def _enough(wrk: Wrk, best: Load) -> int:
    """The number of connections that offers ten times the best rate, found in short steps. It is bounded, because above
    some hundreds the generator takes the cores for itself."""
    connections = _BEST_CONNECTIONS * _TIMES
    while connections < _CONNECTIONS_MAX:
        if wrk.ingest(connections, 3, may_refuse=True).per_s >= _TIMES * best.per_s:
            break
        connections *= 2
    return min(connections, _CONNECTIONS_MAX)


def _watch(engine: Running, key: str, seen: Seen, stop: threading.Event) -> None:
    """The slow client: small batches of its own, and `GET /healthz`."""
    with httpx.Client(base_url=engine.url, trust_env=False, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        number = 0
        while not stop.wait(_LOOK_S):
            number += 1
            event = {"type": "track", "userId": "watcher", "event": "Looked", "messageId": f"watch-{time.time_ns()}"}
            answer = client.post("/v1/batch", json={"batch": [event]})
            seen.statuses[answer.status_code] += 1
            if answer.status_code == 429:
                seen.retry_after.add(answer.headers.get("retry-after", ""))
            began = time.perf_counter()
            client.get("/healthz")
            seen.alive_ms.append((time.perf_counter() - began) * 1000)
            if number % 4 == 1:
                seen.memory_mb.append(sum(engine.memory_mb().values()))


def _check(before: Mapping[str, int], after: Mapping[str, int], flood: Load, seen: Seen) -> None:
    taken = after["accepted"] - before["accepted"]
    acknowledged = (flood.requests - flood.refused) * BATCH
    if taken < acknowledged or after["rejected"] != before["rejected"]:
        raise EngineError(f"{acknowledged:,} events were acknowledged under overload, but the engine took {taken:,}")
    if set(seen.statuses) - {200, 429} or any(not said.isdigit() for said in seen.retry_after):
        raise EngineError(f"under overload clients were told {dict(seen.statuses)}, Retry-After {seen.retry_after}")
