"""The figures of a run of matching, and the memory that its processes take."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from loadtest.bench.figure import Figure

_LOOK_S = 0.2


@dataclass(slots=True)
class Matched:
    """The figures of a run. `found` of `planted` second records were linked, asked about or joined; `wrong` are other
    pairs that were."""

    count: int
    fill_s: float = 0.0
    ingest_s: float = 0.0
    match_s: float = 0.0
    profiles: int = 0
    pairs: int = 0
    planted: int = 0
    found: int = 0
    wrong: int = 0
    tasks_mb: float = 0.0
    tasks_cpu_s: float = 0.0
    shards_cpu_s: float = 0.0
    shards_mb: float = 0.0
    frequent: dict[str, int] = field(default_factory=dict)


@contextmanager
def peak_of(shards: list[psutil.Process]) -> Iterator[dict[str, float]]:
    """The most that all tasks, and all shards, take together at one moment, in MB, and the CPU that they use."""
    names = ("tasks", "shards", "tasks_cpu_s", "shards_cpu_s")
    peak, over = dict.fromkeys(names, 0.0), threading.Event()
    before_s = sum(map(_cpu_s, shards))

    def look() -> None:
        while not over.wait(_LOOK_S):
            peak["shards"] = max(peak["shards"], sum(map(_resident_mb, shards)))
            tasks = _tasks()
            peak["tasks"] = max(peak["tasks"], sum(map(_resident_mb, tasks)))
            peak["tasks_cpu_s"] = max(peak["tasks_cpu_s"], sum(map(_cpu_s, tasks)))
            peak["shards_cpu_s"] = sum(map(_cpu_s, shards)) - before_s

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield peak
    finally:
        over.set()
        looking.join()


def _tasks() -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if "ray::match_shard" in " ".join(_words_of(each))]


def _words_of(process: Any) -> list[str]:
    return process.info["cmdline"] or []


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def _cpu_s(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:2]))
    except psutil.Error:
        return 0.0


def figures(done: Matched) -> Iterator[Figure]:
    """The figures of a run, each beside what it is a part of."""
    against = f"{done.profiles:,} new profiles matched against {done.count:,}"
    target = "≤ 60 s" if done.count >= 1_000_000 else ""
    yield Figure(against, done.match_s, "s", "their ingest", done.ingest_s, target=target)
    cpu_s = done.tasks_cpu_s + done.shards_cpu_s
    yield Figure(f"{against}: CPU of tasks and shards", cpu_s, "s", "of the tasks", done.tasks_cpu_s)
    yield Figure(f"{against}: compared with each", done.pairs / max(done.profiles, 1), "profiles", "all", done.count)
    yield Figure(f"{against}: planted second records found", done.found, "", "planted", done.planted)
    yield Figure(f"{against}: other pairs told", done.wrong, "", "compared", done.pairs)
    yield Figure(f"{against}: memory of the tasks", done.tasks_mb, "MB", "the shards", done.shards_mb)
