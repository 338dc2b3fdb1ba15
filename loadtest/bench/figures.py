"""The figures of the benchmark, each beside a baseline of the same run, as a table and as JSON.

A figure alone says little on a machine that others use too: read the ratios. Every load goes to this machine, and
whatever was started is stopped, also after an error or Ctrl-C.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table

from loadtest.bench import engine_only, over_http, overload, profiles, redis_peer, resolution, rules
from loadtest.bench.figure import Figure
from loadtest.bench.over_http import Load, Wrk
from loadtest.processes.engine import EngineError
from loadtest.processes.running import Running, running
from loadtest.world import bench_catalog

Say = Callable[[str], None]

_ROUNDS = 2  # each load and its baseline take turns, so that what disturbs one disturbs the other
_CONNECTIONS = (1, 32)
_INGEST_CONNECTIONS = 8
_SECONDS = {1: 2, 8: 3, 32: 3}
_ENGINE_S = 1.5
_OVERLOAD_S = 15
_PACED, _PACE_MS = 10, 50


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run; `missing` says what could not be measured and why."""

    figures: tuple[Figure, ...]
    missing: tuple[str, ...] = ()


def measure(say: Say, ray_flags: Mapping[str, str], *, is_full: bool = False) -> Report:
    """Run everything, some four minutes. The no-op is started with `ray_flags`, those of `segue up`. With `is_full` it
    takes a million profiles and timers instead of a tenth, and a whole minute of overload."""
    say("decide and resolution, engine only")
    figures = [*engine_figures(), *resolution.figures()]
    missing = () if Wrk.is_there() else (over_http.WRK_MISSING,)
    with tempfile.TemporaryDirectory(prefix="segue-bench-", dir=disk()) as name:
        folder = Path(name)
        count = profiles.COUNT_FULL if is_full else profiles.COUNT
        figures += profiles.measure(say, folder, count=count)
        say("an empty Ray Serve, for comparison")
        with running(["{port}"], folder, ray_flags, module="loadtest.peers.no_op") as empty:
            empty_mb = empty.memory_mb()
        keys = {"SEGUE_WRITE_KEY": secrets.token_urlsafe(24), "SEGUE_SERVER_KEY": secrets.token_urlsafe(24)}
        config = bench_catalog.write(folder / "configs")
        arguments = ["up", "--config", str(config), "--data", str(folder / "data"), "--port", "{port}"]
        say("an engine from its start to ready")
        with running(arguments, folder, keys, module="serve") as engine:
            ready_mb = engine.memory_mb()
            if not missing:
                known = over_http.KNOWN_FULL if is_full else over_http.KNOWN
                ours, found = http_figures(say, engine, keys, folder, known)
                figures += found
                seconds = overload.SECONDS if is_full else _OVERLOAD_S
                say(f"ten times the load for {seconds} s")
                figures += overload.measure(engine, Wrk(engine.url, keys, folder), keys, seconds=seconds)
            figures.append(
                Figure("start-up to ready", engine.ready_s, "s", "empty Ray Serve", empty.ready_s, target="≤ 15 s")
            )
            figures += memory_figures(ready_mb, {} if missing else engine.memory_mb(), empty_mb)
        if not missing and redis_peer.is_there():
            say("the peer: FastAPI, uvicorn and Redis")
            (folder / "peer").mkdir()
            with redis_peer.peer(folder / "peer", keys, known) as peer:
                figures += peer_figures(ours, _alone(peer.decide, peer.ingest))
        elif not missing:
            missing = (redis_peer.MISSING,)
    return Report(tuple(figures), missing)


def engine_figures() -> Iterator[Figure]:
    """Decide as a function call on one core, by CPU time, and the same decisions in two other ways."""
    many = bench_catalog.ACTIONS
    for what, placement, actions, targets in (
        ("20 candidates", bench_catalog.PLACEMENTS[3], many, ("", "")),
        (f"{many} candidates", bench_catalog.EVERYWHERE, many, ("≤ 60 µs", "≤ 120 µs")),
        ("1,000 candidates", bench_catalog.EVERYWHERE, 1_000, ("≤ 200 µs", "")),
    ):
        turns, loop = engine_only.decide(placement, _ENGINE_S, actions)
        name = f"decide, engine only, {what}"
        base = Figure(name, 0.0, "µs", "loop of 1,000 additions", loop.median_us)
        yield replace(base, name=f"{name}: median", value=turns.median_us, target=targets[0])
        yield replace(base, name=f"{name}: p99", value=turns.p99_us, target=targets[1])
        if actions == many and placement == bench_catalog.EVERYWHERE:
            yield from _other_ways(name, turns.median_us)
    yield Figure("compile a catalog of 1,000 actions", engine_only.compile_s(1_000), "s", "", 0.0, target="≤ 1 s")


def _other_ways(name: str, median_us: float) -> Iterator[Figure]:
    person = rules.person_of(bench_catalog.customer(), bench_catalog.CONTEXT)
    for way, measured in (("a loop in Python", rules.loop_us), ("JsonLogic", rules.library_us)):
        other_us = measured(person, bench_catalog.document(), bench_catalog.EVERYWHERE)
        if other_us is not None:
            yield Figure(f"{name}: median, beside {way}", median_us, "µs", f"{way}, eligibility alone", other_us)


def http_figures(
    say: Say, engine: Running, keys: Mapping[str, str], folder: Path, known: int
) -> tuple[dict[str, Load], list[Figure]]:
    """Decide and ingest under load, beside the no-op of the same application; also the loads to compare a peer with."""
    server_key = keys["SEGUE_SERVER_KEY"]
    loads: dict[str, Load] = {}
    figures: list[Figure] = []
    users = over_http.populate(engine.url, server_key, folder, known=known)
    say(f"decide over HTTP for {users:,} known customers")
    wrk = Wrk(engine.url, keys, folder)
    wrk.decide(_CONNECTIONS[-1], 1)  # what is compiled or cached at first use is not measured
    for connections in _CONNECTIONS:
        load, nothing = _taking_turns(connections, wrk.decide, wrk.nothing)
        loads[f"decide {connections}"] = load
        figures += decide_figures(connections, load, nothing)
    figures += direct_socket_figures(wrk, load)
    say("durable ingest")
    before = over_http.events_taken(engine.url, server_key)
    load, nothing = _taking_turns(_INGEST_CONNECTIONS, wrk.ingest, wrk.nothing)
    check_taken(before, over_http.events_taken(engine.url, server_key), load)
    loads["ingest"] = load
    figures += ingest_figures(load, nothing)
    say("durable ingest beside 200 decisions a second")
    figures += beside_figures(wrk, load)
    return loads, figures


def direct_socket_figures(wrk: Wrk, decide: Load) -> Iterator[Figure]:
    """Decisions beside a no-op by their own way, the direct socket, past Serve's bookkeeping; and the late ones."""
    connections = _CONNECTIONS[-1]
    nothing = wrk.preflight(connections, _SECONDS[connections])
    name = f"decide over HTTP, {connections} connections"
    beside = f"{name}, beside the direct socket's no-op"
    yield Figure(beside, decide.per_s, "requests/s", "OPTIONS /v1/decide", nothing.per_s)
    yield Figure(f"{name}: answered with the default", decide.degraded, "", "all", decide.requests)
    yield Figure(f"{name}: p99 by p50", decide.p99_ms, "ms", "its p50", decide.p50_ms, target="≤ 3 ×")


def beside_figures(wrk: Wrk, alone: Load) -> Iterator[Figure]:
    """Ingest as fast as it goes beside 200 decisions/s: the figures of both."""
    with ThreadPoolExecutor(1) as threads:
        deciding = threads.submit(wrk.decide, _PACED, _SECONDS[8] + 1, pace_ms=_PACE_MS)
        load = wrk.ingest(_INGEST_CONNECTIONS, _SECONDS[8])
        paced = deciding.result()
    name = "ingest beside 200 decisions/s"
    yield Figure(name, load.per_s * over_http.BATCH, "events/s", "alone", alone.per_s * over_http.BATCH)
    yield Figure(f"{name}: p99 of a decision", paced.p99_ms, "ms", "its p50", paced.p50_ms, target="≤ 50 ms")
    yield Figure(f"{name}: answered with the default", paced.degraded, "", "all", paced.requests)


def peer_figures(ours: Mapping[str, Load], peers: Mapping[str, Load]) -> Iterator[Figure]:
    """The same requests at FastAPI, uvicorn and a Redis that syncs every write, in the same minutes."""
    base = Figure("", 0.0, "requests/s", "FastAPI + Redis", 0.0)
    for what, name, target in (
        ("decide 1", "decide over HTTP, 1 connection, beside the peer", ""),
        ("decide 32", "decide over HTTP, 32 connections, beside the peer", "≥ 1.3 ×, aim 2 ×"),
    ):
        yield replace(base, name=name, value=ours[what].per_s, baseline_value=peers[what].per_s, target=target)
    events, others = (each["ingest"].per_s * over_http.BATCH for each in (ours, peers))
    name = "durable ingest, beside the peer, which only stores"
    yield replace(base, name=name, value=events, unit="events/s", baseline_value=others, target="aim 0.5 ×")


def _alone(decide: Callable[[int, int], Load], ingest: Callable[[int, int], Load]) -> dict[str, Load]:
    decide(_CONNECTIONS[-1], 1)
    loads = {
        f"decide {connections}": over_http.mean([decide(connections, _SECONDS[connections]) for _ in range(_ROUNDS)])
        for connections in _CONNECTIONS
    }
    return loads | {"ingest": over_http.mean([ingest(_INGEST_CONNECTIONS, _SECONDS[8]) for _ in range(_ROUNDS)])}


def decide_figures(connections: int, load: Load, nothing: Load) -> Iterator[Figure]:
    """Requests/s, p50 and p99 of decisions beside the no-op's."""
    name = f"decide over HTTP, {connections} connection{'s' * (connections > 1)}"
    base = Figure(name, load.per_s, "requests/s", "GET /healthz", nothing.per_s)
    targets = {"requests/s": "≥ 0.6 ×"} if connections > 1 else {"p50": "≤ 3 ×"}
    yield replace(base, target=targets.get("requests/s", ""))
    for percentile, value, noop in (("p50", load.p50_ms, nothing.p50_ms), ("p99", load.p99_ms, nothing.p99_ms)):
        yield replace(
            base,
            name=f"{name}: {percentile}",
            value=value,
            unit="ms",
            baseline_value=noop,
            target=targets.get(percentile, ""),
        )


def ingest_figures(load: Load, nothing: Load) -> Iterator[Figure]:
    """Events/s, and how long one batch takes."""
    name = f"durable ingest, batches of {over_http.BATCH}, {_INGEST_CONNECTIONS} connections"
    events_per_s = load.per_s * over_http.BATCH
    yield Figure(name, events_per_s, "events/s", "GET /healthz", nothing.per_s, "requests/s", "≥ 15,000")
    yield Figure(f"{name}: p50 of a batch", load.p50_ms, "ms", "GET /healthz", nothing.p50_ms)


def memory_figures(
    ready: Mapping[str, float], loaded: Mapping[str, float], empty: Mapping[str, float]
) -> Iterator[Figure]:
    """PSS in all when ready, in all after the load (`loaded` is empty where there was none), by kind when ready."""
    beside = "empty Ray Serve"
    total = sum(ready.values())
    yield Figure("memory (PSS), all processes", total, "MB", beside, sum(empty.values()), target="≤ 1,500 MB")
    if loaded:
        yield Figure("memory (PSS), all, after the load", sum(loaded.values()), "MB", beside, sum(empty.values()))
    for kind, size in ready.items():
        yield Figure(f"  {kind}", size, "MB", beside, empty.get(kind, 0.0))


def check_taken(before: Mapping[str, int], after: Mapping[str, int], load: Load) -> None:
    """EngineError unless the engine took at least the acknowledged events, none as a repeat: else the figure is
    worthless."""
    taken = {name: after[name] - before[name] for name in ("accepted", "repeated", "rejected")}
    if taken["accepted"] < load.requests * over_http.BATCH or taken["repeated"] or taken["rejected"]:
        raise EngineError(f"{load.requests} batches were acknowledged, but the engine says {taken}")


def table(report: Report) -> Table:
    """The figures for people."""
    shown = Table(title="Segue, measured", title_justify="left", caption=_machine_line(), caption_justify="left")
    shown.add_column("figure")
    shown.add_column("measured", justify="right")
    shown.add_column("baseline")
    shown.add_column("in the same run", justify="right")
    shown.add_column("ratio", justify="right")
    shown.add_column("budget")
    for figure in report.figures:
        ratio = figure.ratio
        shown.add_row(
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            figure.baseline,
            f"{_number(figure.baseline_value)} {figure.baseline_unit or figure.unit}" if ratio is not None else "–",
            f"{ratio:.2f}" if ratio is not None else "–",
            figure.target,
        )
    return shown


def as_json(report: Report) -> str:
    """The figures for programs, and for comparing one run with another."""
    rows: list[dict[str, Any]] = [asdict(figure) | {"ratio": figure.ratio} for figure in report.figures]
    return json.dumps({"machine": machine(), "figures": rows, "missing": report.missing}, indent=2, ensure_ascii=False)


def machine() -> dict[str, Any]:
    """The facts about this machine on which the figures depend."""
    return {
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _machine_line() -> str:
    known = machine()
    return f"{known['cores']} cores, load {known['load_1min']}, {known['system']}, Python {known['python']}"


def _taking_turns(
    connections: int, load: Callable[[int, int], Load], nothing: Callable[[int, int], Load]
) -> tuple[Load, Load]:
    seconds = _SECONDS[connections]
    rounds: Sequence[tuple[Load, Load]] = [
        (nothing(connections, seconds), load(connections, seconds)) for _ in range(_ROUNDS)
    ]
    return over_http.mean([done for _, done in rounds]), over_http.mean([noop for noop, _ in rounds])


def disk() -> str | None:
    """Where to measure. Not /tmp, which is memory on many machines: there a sync would cost nothing."""
    return "/var/tmp" if Path("/var/tmp").is_dir() else None


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"
