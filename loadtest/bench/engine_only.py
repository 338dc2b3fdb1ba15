"""Decide without anything around it: the time of one turn on one core, beside a loop that only measures the machine.

The time is CPU time, so other processes on the core do not count. The loop takes turns with the decisions, so a slow
moment of the machine slows both.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, replace
from time import thread_time_ns

from engine import codec
from engine.catalog.compile import compile_document
from engine.decide import placement_plan
from engine.inputs import Decide
from engine.profile import Profile
from engine.turn import handle
from loadtest.world import bench_catalog
from loadtest.world.shop_world import START_MS

_WARM_UP = 30  # first samples that are left out
_SAMPLES_MIN = 200  # fewer would have no 99th percentile to speak of
_SAMPLES_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Turns:
    """How long single turns took."""

    median_us: float
    p99_us: float

    @classmethod
    def of(cls, taken_ns: list[int]) -> Turns:
        """The middle and the slow end of some samples."""
        taken_ns.sort()
        return cls(statistics.median(taken_ns) / 1000, taken_ns[len(taken_ns) * 99 // 100] / 1000)


def decide(placement: str, seconds: float, actions: int = bench_catalog.ACTIONS) -> tuple[Turns, Turns]:
    """First decisions at `placement` (each takes a place under the caps), and a loop of 1,000 additions beside them."""
    catalog = replace(compile_document(bench_catalog.document(actions)), id_key=bench_catalog.ID_KEY)
    asked = Decide(placement=placement, channel="web", context=bench_catalog.CONTEXT)
    customer = bench_catalog.customer()
    encoded, history = codec.encode_record(customer), customer.history
    turns: list[int] = []
    loops: list[int] = []
    end = thread_time_ns() + int(seconds * 1e9)
    while len(turns) < _SAMPLES_MAX and (len(turns) < _SAMPLES_MIN or thread_time_ns() < end):
        profile = codec.decode_record(encoded)
        assert isinstance(profile, Profile)
        profile.history = history
        started = thread_time_ns()
        handle(profile, asked, catalog, START_MS)
        between = thread_time_ns()
        _loop()
        loops.append(thread_time_ns() - between)
        turns.append(between - started)
    return Turns.of(turns[_WARM_UP:]), Turns.of(loops[_WARM_UP:])


def compile_s(actions: int) -> float:
    """How long a catalog of so many actions takes from plain data to the first decision, in seconds of CPU."""
    document = bench_catalog.document(actions)
    started = thread_time_ns()
    placement_plan.of_placement(compile_document(document), "web", bench_catalog.EVERYWHERE)
    return (thread_time_ns() - started) / 1e9


def loop_us(rounds: int = _SAMPLES_MIN) -> float:
    """The median time of a loop of 1,000 additions."""
    taken = []
    for _ in range(rounds):
        started = thread_time_ns()
        _loop()
        taken.append(thread_time_ns() - started)
    return Turns.of(taken[_WARM_UP:]).median_us


def _loop() -> int:
    total = 0
    for number in range(1_000):
        total += number
    return total
