"""The profile runtime without anything around it: one shard on RocksDB, with a key per profile, as in the engine.

Single turns are measured in CPU time, so other processes on the core do not count. Turns per second are in wall time,
syncs included, because a customer waits for those, too.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from time import thread_time_ns

from actors.platform.clock import ReplayClock
from actors.shard.activation import Activation
from actors.shard.shard import Shard
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine import codec
from engine.profile import Profile
from engine.turn import handle
from loadtest.world.bench_customers import EVENTS, HOUR_MS, carted, catalog, event, known_customer, name_of
from loadtest.world.shop_world import START_MS

BATCH = 100
_ENGINE_KEY = bytes(32)
_CACHE_BYTES = 256 << 20


@dataclass
class Home:
    """A shard and the store under it."""

    folder: Path
    clock: ReplayClock
    store: RocksStore
    shard: Shard

    @classmethod
    def at(cls, folder: Path) -> Home:
        """Open the shard in `folder`."""
        clock = ReplayClock(START_MS)
        store = RocksStore(folder / "shard")
        vault = FileVault(folder / "vault", _ENGINE_KEY, 0)
        return cls(folder, clock, store, Shard(0, store, catalog(), clock, vault=vault))

    def tell(self, customers: range, number: int) -> None:
        """Tell each customer one event, in batches with one sync each."""
        self.clock.move_to(START_MS + number * HOUR_MS)
        for start in range(customers.start, customers.stop, BATCH):
            for customer in range(start, min(start + BATCH, customers.stop)):
                self.shard.tell(name_of(customer), event(customer, number))
            self.shard.commit()

    def live(self, customers: int) -> None:
        """Tell so many customers twenty events each."""
        for number in range(EVENTS):
            self.tell(range(customers), number)

    def passivate(self) -> None:
        """Remove all profiles from memory."""
        self.shard.cache = Activation(_CACHE_BYTES)


def engine_turn_us(turns: int) -> float:
    """The median time of a function call that handles an event without a journey, on a profile with 20 events."""
    compiled = catalog()
    encoded = codec.encode_record(known_customer(compiled))
    taken = []
    for number in range(turns):
        profile = codec.decode_record(encoded)
        assert isinstance(profile, Profile)
        told = event(0, EVENTS + number)
        started = thread_time_ns()
        handle(profile, told, compiled, told.at_ms)
        taken.append(thread_time_ns() - started)
    return statistics.median(taken) / 1000


def committed_turn_us(home: Home, rounds: int) -> float:
    """The median time of such a turn in the shard on active profiles, with its part of a commit of a hundred turns."""
    taken = []
    for number in range(EVENTS, EVENTS + rounds):
        started = thread_time_ns()
        home.tell(range(BATCH), number)
        taken.append((thread_time_ns() - started) / BATCH)
    return statistics.median(taken) / 1000


def cold_turn_us(home: Home, customers: int) -> float:
    """The median time from a record on disk to a handled event; every profile is idle before."""
    home.passivate()
    taken = []
    for customer in range(customers):
        told = event(customer, 10_000)  # a number that no other figure uses, because a repeat would be no turn
        started = thread_time_ns()
        home.shard.tell(name_of(customer), told)
        taken.append(thread_time_ns() - started)
    home.shard.commit()
    return statistics.median(taken) / 1000


def durable_turns_per_s(home: Home, customers: int, seconds: float) -> float:
    """Turns that are on disk, one after the other in batches of 100, over more customers than one batch has."""
    done, number, started = 0, 20_000, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        home.tell(range(customers), number)
        done, number = done + customers, number + 1
    return done / elapsed


def active_and_idle_bytes(home: Home, customers: int) -> tuple[float, float]:
    """The bytes that Python holds for each active profile with 20 events, and for each that is idle again."""
    home.passivate()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for customer in range(customers):
            home.shard.record(name_of(customer))
        active = tracemalloc.get_traced_memory()[0]
        home.passivate()
        idle = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return (active - before) / customers, max(0.0, idle - before) / customers


def disk_bytes(home: Home, customers: int) -> dict[str, float]:
    """The bytes of each column family for one profile, after everything was written to files."""
    home.store.compact()
    return {family: size / customers for family, size in home.store.sizes().items()}


def due_timers_per_s(folder: Path, customers: int) -> float:
    """Timers of waiting journeys that fire when their time comes: a step each, durable in batches of 100."""
    home = Home.at(folder)
    for customer in range(customers):
        home.shard.tell(name_of(customer), carted(customer))
    home.shard.commit()
    due = len(home.shard.timers)
    home.clock.move_to(START_MS + 2 * HOUR_MS)
    started = time.perf_counter()
    fired = 0
    while home.shard.fire_timers(home.clock.now_ms()):
        fired += 1
        if fired % BATCH == 0:
            home.shard.commit()
    home.shard.commit()
    taken = time.perf_counter() - started
    home.shard.close()
    assert fired >= due >= customers, "every customer waits"
    return fired / taken


@dataclass(frozen=True, slots=True)
class Measured:
    """The runtime's figures, as they were measured."""

    engine_us: float
    committed_us: float
    cold_us: float
    durable_per_s: float
    active_bytes: float
    idle_bytes: float
    disk: dict[str, float]
    due_timers_per_s: float


def measure(folder: Path, *, customers: int = 2_000, rounds: int = 30, seconds: float = 3.0) -> Measured:
    """All of it on a store that is made for it."""
    home = Home.at(folder / "runtime")
    home.live(customers)
    disk = disk_bytes(home, customers)  # first: the other figures add events
    active, idle = active_and_idle_bytes(home, customers)
    measured = Measured(
        engine_us=engine_turn_us(100 * rounds),
        committed_us=committed_turn_us(home, rounds),
        cold_us=cold_turn_us(home, customers),
        durable_per_s=durable_turns_per_s(home, min(customers, 1_000), seconds),
        active_bytes=active,
        idle_bytes=idle,
        disk=disk,
        due_timers_per_s=due_timers_per_s(folder / "timers", customers),
    )
    home.shard.close()
    return measured
