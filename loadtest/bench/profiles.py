"""The figures of the profile runtime, each beside the same work done in a plain way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from loadtest.bench import million, runtime
from loadtest.bench.figure import Figure
from loadtest.bench.million import Opened
from loadtest.bench.runtime import BATCH, Measured
from loadtest.peers import two_ways
from loadtest.peers.two_ways import Actors
from loadtest.world.bench_customers import EVENTS

COUNT = 100_000
COUNT_FULL = 1_000_000
_SQLITE_S = 2.0
_STATE_AND_HISTORY = ("state", "history")
_BESIDE = ("journal", "audit", "seen", "keyring")


def measure(say: Callable[[str], None], folder: Path, *, count: int = COUNT) -> Iterator[Figure]:
    """Measure all of them. Everything is made in `folder` and stays there."""
    say("a plain Ray actor for each profile, and SQLite, for comparison")
    actors = two_ways.ray_actors()
    single = two_ways.sqlite_turns_per_s(folder / "single.sqlite", 1, _SQLITE_S)
    grouped = two_ways.sqlite_turns_per_s(folder / "grouped.sqlite", BATCH, _SQLITE_S)
    say("profiles: turns, memory, disk, timers")
    measured = runtime.measure(folder)
    yield from turns(measured, actors, single, grouped)
    yield from sizes(measured, actors)
    say(f"a shard with {count:,} profiles, and one with as many timers, killed and opened again")
    yield from restarts(
        count,
        million.after_kill("profiles", folder / "profiles", count),
        million.after_kill("timers", folder / "many-timers", count),
    )


def turns(measured: Measured, actors: Actors, single: float, grouped: float) -> Iterator[Figure]:
    """How long one turn takes, and how many a shard makes durable per second."""
    base = Figure("", 0.0, "µs", "call of a plain Ray actor", actors.turn_us)
    warm = "event without journey, warm"
    yield replace(base, name=f"{warm}: engine only", value=measured.engine_us, target="≤ 40 µs")
    yield replace(base, name=f"{warm}: with 1/100 commit", value=measured.committed_us, target="≤ 60 µs")
    yield replace(base, name="cold activation, disk to handled", value=measured.cold_us, target="≤ 150 µs")
    per_s = Figure(f"durable turns, one shard, batches of {BATCH}", measured.durable_per_s, "turns/s", "", 0.0)
    beside = (
        (f"SQLite, {BATCH} in a commit", grouped, "≥ 12,000"),
        ("SQLite, one in a commit", single, ""),
        ("plain Ray actors, nothing durable", actors.turns_per_s, ""),
    )
    for baseline, value, target in beside:
        yield replace(per_s, baseline=baseline, baseline_value=value, target=target)
    yield Figure(
        "due timers, a step of a journey each",
        measured.due_timers_per_s,
        "timers/s",
        f"SQLite, {BATCH} in a commit",
        grouped,
        "turns/s",
        "≥ 10,000",
    )


def sizes(measured: Measured, actors: Actors) -> Iterator[Figure]:
    """The size of one profile in memory and on disk."""
    base = Figure("", 0.0, "KB", "plain Ray actor", actors.memory_mb * 1000)
    yield replace(base, name="active profile, memory", value=measured.active_bytes / 1000, target="≤ 12 KB")
    yield replace(base, name="idle profile, memory", value=measured.idle_bytes / 1000, target="0")
    disk = measured.disk
    state = sum(disk[family] for family in _STATE_AND_HISTORY) / 1000
    named = f"idle profile of {EVENTS} events, disk"
    yield Figure(f"{named}: state and history", state, "KB", "", 0.0, target="≤ 1 KB")
    for family in _BESIDE:
        yield Figure(f"  {family}", disk[family] / 1000, "KB", "state and history", state)


def restarts(count: int, profiles: Opened, timers: Opened) -> Iterator[Figure]:
    """How soon a shard answers after a kill; the targets are for a million."""
    is_full = count >= COUNT_FULL
    ready = "≤ 3 s" if is_full else ""
    name = f"open after kill -9, {count:,}"
    yield Figure(f"{name} profiles", profiles.ready_s, "s", "", 0.0, target=ready)
    yield Figure(f"{name} timers", timers.ready_s, "s", "", 0.0, target=ready)
    yield Figure(f"{count:,} timers pending, memory", timers.memory_mb, "MB", "", 0.0, target="≤ 100 MB" * is_full)
