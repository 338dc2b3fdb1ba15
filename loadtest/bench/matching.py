"""New profiles are matched against many: time, memory, and how many planted second records are found.

Two shards serve their stores in processes of their own, as in the engine, and the rounds are its Ray tasks. The people
that are there already are written with their index and do not wait; the new ones come as events and do.
`python -m loadtest.bench.matching FOLDER NUMBER COUNT` is a shard.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

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
from loadtest.bench.figure import Figure
from loadtest.processes.engine import EngineError
from loadtest.world import bench_catalog
from loadtest.world.people import People, Person, second_records
from loadtest.world.shop_world import START_MS

SHARDS: Final = 2
NEW: Final = 10_000  # of which half are second records
_AT_ONCE, _TOLD_AT_ONCE = 500, 200
_LOOK_S = 0.2
_FILL_S = 1_800.0
_ENGINE_KEY = bytes(32)


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
        with _memory(shards) as peak:
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
    rows = [row for rows in await router.everywhere("reviews", ["candidate", 10 * NEW]) for row in rows]
    told = {frozenset((row["profile"], row["other"])) for row in rows}
    homes: dict[str, str] = {}
    for some in await router.everywhere("whereabouts", sorted({each for pair in true for each in pair})):
        homes |= some
    joined = {pair for pair in true if len({homes.get(each, each) for each in pair}) == 1}
    done.found, done.wrong = len((told | joined) & true), len(told - true)
    router.close()


@contextmanager
def _memory(shards: list[psutil.Process]) -> Iterator[dict[str, float]]:
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


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
