"""New profiles are matched against many: time, memory, and how many planted second records are found.

Two shards serve their stores in processes of their own, as in the engine, and the rounds are its Ray tasks. The people
that are there already are written with their index and do not wait; the new ones come as events and do.
`python -m loadtest.bench.matching FOLDER NUMBER COUNT` is a shard.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import psutil

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.cluster.engine_plan import EnginePlan
from actors.cluster.matching import MatchingRounds
from actors.platform.clock import WallClock
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from actors.transport.placement import shard_of
from actors.transport.router import Router
from engine import codec
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.parts.of_identity import Link
from engine.profile import Profile, TraitValue
from engine.seeds import profile_id
from loadtest.bench.figures import Report, disk
from loadtest.bench.matching_figures import Matched, figures, peak_of
from loadtest.processes.engine import EngineError
from loadtest.world import bench_catalog
from loadtest.world.people import People, Person, second_records
from loadtest.world.shop_world import START_MS

SHARDS: Final = 2
COUNT, COUNT_FULL = 100_000, 1_000_000
NEW: Final = 10_000  # of which half are second records
_AT_ONCE, _TOLD_AT_ONCE = 500, 200
_HOPS = 4  # from a profile to the one that it lives on in
_ENGINE_KEY = bytes(32)


def catalog() -> Catalog:
    """The benchmark's catalog with matching."""
    document = bench_catalog.document() | {"identity.yaml": {"matching": {"enabled": True}}}
    return replace(compile_document(document), id_key=bench_catalog.ID_KEY)


def id_of(user: str) -> str:
    """The profile of a user id."""
    return profile_id(bench_catalog.ID_KEY, "user_id", user)


def _plan(folder: Path) -> EnginePlan:
    return EnginePlan(
        catalog=str(folder / "catalog"),
        id_key=bench_catalog.ID_KEY,
        stores=tuple(str(folder / f"store-{number}") for number in range(SHARDS)),
        vault=str(folder / "vault"),
        vault_base=0,
        engine_key=_ENGINE_KEY,
        sockets=str(folder),
        is_replay=False,
        public_url="",
    )


# -- a shard


def _profile_of(number: int, person: Person) -> Profile:
    user = f"person-{number}"
    made = Profile(id_of(user), clock_ms=START_MS, created_ms=START_MS, seq=1)
    made.identifiers = [Link("user_id", user, START_MS, START_MS), Link("email", person["email"], START_MS, START_MS)]
    made.traits = {name: TraitValue(value, START_MS) for name, value in person.items()}
    return made


def _fill(shard: Shard, number: int, count: int) -> None:
    if shard.profiles:  # filled by an earlier run
        return
    people, written = People(), 0
    for each in range(count):
        if shard_of(id_of(f"person-{each}"), SHARDS) != number:
            continue
        made = _profile_of(each, people.person(each))
        shard.batch.put("state", keys.profile_key(made.id), codec.encode_record(made), made.id)
        shard.blocks.follow(made.id, made, 0)
        shard.blocks.matched(made.id, 0)
        shard.profiles += 1
        written += 1
        if written % _AT_ONCE == 0:
            shard.commit(sync=False)
    shard.commit()


def serve(folder: Path, number: int, count: int) -> None:
    """Fill a shard with its part of `count` people, then serve it until stdin closes."""
    plan = _plan(folder)
    vault = FileVault(Path(plan.vault), _ENGINE_KEY, number)
    shard = Shard(number, RocksStore(Path(plan.stores[number])), catalog(), WallClock(plan.clock_file()), vault=vault)
    _fill(shard, number, count)

    async def until_closed() -> None:
        server = ShardServer(shard, plan.shard_sockets()[number], plan.shard_sockets())
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(server.close)), daemon=True
        ).start()
        loop.call_later(0.5, lambda: print("ready", flush=True))
        await server.serve()

    asyncio.run(until_closed())


@contextmanager
def _shards(folder: Path, count: int) -> Iterator[list[psutil.Process]]:
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "loadtest.bench.matching", str(folder), str(number), str(count)],
            stdin=pipe,
            stdout=pipe,
            text=True,
        )
        for number in range(SHARDS)
    ]
    try:
        for each in running:
            assert each.stdout is not None
            if each.stdout.readline() != "ready\n":
                raise EngineError("a shard of the benchmark ended before it was ready")
        yield [psutil.Process(each.pid) for each in running]
    finally:
        for each in running:
            if each.stdin is not None:
                each.stdin.close()
        for each in running:
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                each.kill()


# -- the run


def measure(folder: Path, count: int, new: int = NEW) -> Matched:
    """Fill, tell the new people, match them, and see who was found."""
    done, plan, people = Matched(count, planted=new // 2), _plan(folder), People()
    ActiveCatalog(plan.catalog, plan.id_key).put(catalog().document)
    started = time.perf_counter()
    with _shards(folder, count) as shards:
        done.fill_s = time.perf_counter() - started
        again = dict(enumerate(second_records(done.planted, count)))
        records = {
            f"new-{number}": people.again(again[number]) if number in again else people.person(count + number)
            for number in range(new)
        }
        MatchingRounds(plan, lambda *_, **__: None, nice=0).round()  # starts Ray, and finds nobody
        started = time.perf_counter()
        asyncio.run(_tell(plan, records))
        done.ingest_s = time.perf_counter() - started
        with peak_of(shards) as peak:
            _match(plan, done)
        done.tasks_mb, done.shards_mb = peak["tasks"], peak["shards"]
        done.tasks_cpu_s, done.shards_cpu_s = peak["tasks_cpu_s"], peak["shards_cpu_s"]
        asyncio.run(_judge(plan, done, again))
    return done


async def _tell(plan: EnginePlan, records: Mapping[str, Person]) -> None:
    router = Router(plan.shard_sockets())
    events = [(id_of(user), _identified(user, person)) for user, person in records.items()]
    for start in range(0, len(events), _TOLD_AT_ONCE):
        await router.ingest(events[start : start + _TOLD_AT_ONCE])
    router.close()


def _identified(user: str, person: Person) -> Event:
    return Event(
        kind="identify",
        name="Identified",
        at_ms=START_MS,
        received_at_ms=START_MS,
        source="server",
        message_id=user,
        user_id=user,
        traits=person,
        identifiers=(("email", person["email"]),),
    )


def _match(plan: EnginePlan, done: Matched) -> None:
    rounds = MatchingRounds(plan, lambda *_, **__: None, nice=0)
    started = time.perf_counter()
    while (report := rounds.round()).profiles:
        done.profiles += report.profiles
        done.pairs += report.pairs
        for name, blocks in report.frequent.items():
            done.frequent[name] = done.frequent.get(name, 0) + blocks
        done.match_s = time.perf_counter() - started  # the last round finds nobody


async def _judge(plan: EnginePlan, done: Matched, again: Mapping[int, int]) -> None:
    router = Router(plan.shard_sockets())
    true = {frozenset((id_of(f"new-{number}"), id_of(f"person-{other}"))) for number, other in again.items()}
    rows = [row for rows in await router.everywhere("reviews", ["", 10 * NEW]) for row in rows]
    told = {frozenset((row["profile"], row["other"])) for row in rows}
    homes = {each: each for pair in true for each in pair}
    for _ in range(_HOPS):
        places: dict[str, str] = {}
        for some in await router.everywhere("whereabouts", sorted(set(homes.values()))):
            places |= some
        homes = {each: places.get(home, home) for each, home in homes.items()}
    joined = {pair for pair in true if len({homes[each] for each in pair}) == 1}
    done.found, done.wrong = len((told | joined) & true), len(told - true)
    router.close()


def report(say: Callable[[str], None], *, is_full: bool = False) -> Report:
    """Match new people against a hundred thousand, or a million with `is_full`: minutes, most of them to make those."""
    count = COUNT_FULL if is_full else COUNT
    say(f"{NEW:,} new people matched against {count:,}")
    with tempfile.TemporaryDirectory(prefix="sm-", dir=disk()) as name:  # short: the shards' sockets are in it
        return Report(tuple(figures(measure(Path(name), count))))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
