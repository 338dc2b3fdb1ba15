"""A shard with many profiles, or many timers, is killed: how soon the next one answers, and the memory that it takes.

`python -m loadtest.bench.million profiles|timers|open FOLDER COUNT` is the process that is killed, or the next one. All
profiles are copies of one that had real turns, each under an id and a key of its own, because giving each one its own
turns would take hours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from actors.storage import keys
from engine import codec
from engine.profile import Profile
from loadtest.bench.runtime import Home
from loadtest.processes.engine import EngineError
from loadtest.world import bench_customers
from loadtest.world.shop_world import START_MS

_AT_ONCE = 1_000
_WAIT_S = 1_800
_LIVED = range(5_000)  # customers with turns after the load; their writes are in the store's log when the kill comes


@dataclass(frozen=True, slots=True)
class Opened:
    """The figures of the process after the kill."""

    ready_s: float
    memory_mb: float
    profiles: int
    timers: int


def load(home: Home, count: int) -> None:
    """`count` profiles with 20 events each, and some turns after them."""
    model = bench_customers.known_customer(home.shard.catalog)
    for start in range(0, count, _AT_ONCE):
        for number in range(start, min(start + _AT_ONCE, count)):
            model.id = bench_customers.name_of(number)
            home.shard.batch.put("state", keys.profile_key(model.id), codec.encode_record(model), model.id)
        home.shard.profiles = min(start + _AT_ONCE, count)
        home.shard.commit()
    home.tell(range(min(len(_LIVED), count)), bench_customers.EVENTS)


def timers(home: Home, count: int) -> None:
    """`count` timers over the next year, each of its own profile."""
    for start in range(0, count, _AT_ONCE):
        for number in range(start, min(start + _AT_ONCE, count)):
            due_ms = START_MS + number * 31_536  # a million of them fill 365 days
            key = keys.timer_key(due_ms, bench_customers.name_of(number), f"{number:024x}", 1)
            home.shard.batch.put("timers", key, codec.seal(b""))
            home.shard.timers.add(key)
        home.shard.commit()


def open_again(folder: Path) -> Opened:
    """Open the shard after the kill, and answer one question and one event."""
    process = psutil.Process()
    before, started = process.memory_info().rss, time.perf_counter()
    home = Home.at(folder)
    known = home.shard.record(bench_customers.name_of(0))
    home.tell(range(1), bench_customers.EVENTS + 1)
    ready_s = time.perf_counter() - started
    memory_mb = (process.memory_info().rss - before) / 1e6
    assert known is None or isinstance(known, Profile)
    opened = Opened(ready_s, memory_mb, home.shard.profiles, len(home.shard.timers))
    home.shard.close()
    return opened


def after_kill(kind: str, folder: Path, count: int) -> Opened:
    """Fill a shard in a process of its own, kill that with SIGKILL, and open the shard in the next."""
    pipe = subprocess.PIPE
    with subprocess.Popen(_command(kind, folder, count), stdin=pipe, stdout=pipe, text=True) as filling:
        assert filling.stdout is not None
        try:
            said = filling.stdout.readline()
        finally:
            filling.kill()
    if said != "durable\n":
        raise EngineError(f"the process that makes {count:,} {kind} ended before it was done")
    opening = subprocess.run(_command("open", folder, 0), stdout=pipe, text=True, timeout=_WAIT_S, check=True)
    return Opened(**json.loads(opening.stdout))


def _command(kind: str, folder: Path, count: int) -> list[str]:
    return [sys.executable, "-m", "loadtest.bench.million", kind, str(folder), str(count)]


def main(kind: str, folder: Path, count: int) -> None:
    """Fill and wait for the kill, or open and tell."""
    if kind == "open":
        opened = open_again(folder)
        print(json.dumps({name: getattr(opened, name) for name in Opened.__slots__}))
        return
    {"profiles": load, "timers": timers}[kind](Home.at(folder), count)
    print("durable", flush=True)
    sys.stdin.read()  # until the kill; it also ends where the parent has gone


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
