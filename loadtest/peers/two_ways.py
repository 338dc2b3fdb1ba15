"""Does the same work in the two ways that come to mind first: a Ray actor for each profile, and rows in SQLite.

Both hold the state of a profile with 20 events, without encryption, and add one event to it. Neither does the rest of a
turn (journal, dedup, journeys, encryption), and the Ray actors lose everything when they die.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import ray

from engine import codec
from engine.profile import Profile
from engine.turn import handle
from loadtest.world import bench_customers

_ACTORS = 8
_ROUNDS = 40
_KEPT = bench_customers.EVENTS


@dataclass(frozen=True, slots=True)
class Actors:
    """A plain Ray actor for each profile."""

    turns_per_s: float
    turn_us: float
    memory_mb: float


class Customer:
    """One profile in memory, in a process of its own; it keeps nothing when that dies."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._catalog = bench_customers.catalog()
        self._profile = bench_customers.known_customer(self._catalog)

    def tell(self, number: int) -> int:
        """Handle one event; returns its number."""
        told = bench_customers.event(self._number, number)
        handle(self._profile, told, self._catalog, told.at_ms)
        return number

    def memory_bytes(self) -> int:
        """Memory that this process shares with no other."""
        return int(psutil.Process().memory_full_info().uss)


def ray_actors(seconds: int = 120) -> Actors:
    """Measure Ray actors, in a process of its own, because a Ray driver changes the process in which it ran."""
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "loadtest.peers.two_ways"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=seconds, check=True)
    return Actors(**json.loads(done.stdout.splitlines()[-1]))


def _in_ray() -> Actors:
    ray.init(num_cpus=_ACTORS, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    try:
        kind: Any = ray.remote(num_cpus=1)(Customer)
        actors = [kind.remote(number) for number in range(_ACTORS)]
        memory = ray.get([actor.memory_bytes.remote() for actor in actors])
        started = time.perf_counter()
        for number in range(_ROUNDS):
            ray.get(actors[0].tell.remote(_KEPT + number))
        turn_us = (time.perf_counter() - started) / _ROUNDS * 1e6
        started = time.perf_counter()
        ray.get([actor.tell.remote(_KEPT + _ROUNDS + number) for number in range(_ROUNDS) for actor in actors])
        turns_per_s = _ROUNDS * _ACTORS / (time.perf_counter() - started)
    finally:
        ray.shutdown()
    return Actors(turns_per_s, turn_us, sum(memory) / len(memory) / 1e6)


def sqlite_turns_per_s(path: Path, in_one_commit: int, seconds: float, customers: int = 1_000) -> float:
    """Read a profile, handle one event, write it back: SQLite in WAL mode with a sync at each commit."""
    compiled = bench_customers.catalog()
    record = codec.encode_record(bench_customers.known_customer(compiled))
    base = sqlite3.connect(path, isolation_level=None)  # transactions begin and end here, never by themselves
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=FULL")
    base.execute("CREATE TABLE profile (id TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID")
    base.execute("BEGIN")
    base.executemany("INSERT INTO profile VALUES (?, ?)", ((f"{number}", record) for number in range(customers)))
    base.execute("COMMIT")
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        base.execute("BEGIN")
        for number in range(done, done + in_one_commit):
            _turn(base, compiled, number % customers, _KEPT + number // customers)
        base.execute("COMMIT")
        done += in_one_commit
    base.close()
    return done / elapsed


def _turn(base: sqlite3.Connection, compiled: Any, customer: int, number: int) -> None:
    (record,) = base.execute("SELECT record FROM profile WHERE id = ?", (f"{customer}",)).fetchone()
    profile = codec.decode_record(record)
    assert isinstance(profile, Profile)
    told = bench_customers.event(customer, number)
    handle(profile, told, compiled, told.at_ms)
    base.execute("UPDATE profile SET record = ? WHERE id = ?", (codec.encode_record(profile), f"{customer}"))


if __name__ == "__main__":
    found = _in_ray()
    print(json.dumps({name: getattr(found, name) for name in Actors.__slots__}))
