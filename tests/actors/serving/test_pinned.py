"""A profile moves into a shard of its own and back while it is talked to: nothing is lost, nothing is told twice.

Real shards behind real sockets in one process, on the wall clock. A crash ends a server without a word; its store keeps
what was committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from support import matching
from support.things import PRICE_DROPS, fact
from support.world import ID_KEY, action, cart_journey, compiled, document

from actors.delivery.shard_link import ShardLink
from actors.platform.clock import WallClock
from actors.serving.shard_server import ShardServer
from actors.shard.matching import block_keys
from actors.shard.outbox import handing_out
from actors.shard.shard import Shard
from actors.storage import keys
from actors.storage.memory_store import MemoryStore
from actors.storage.store import Store
from actors.transport.messages.carried import Outcome
from actors.transport.messages.of_doors import Pin, Unpin
from actors.transport.placement import pin_socket, shard_of
from actors.transport.router import Router
from engine import codec
from engine.errors import Fenced, NotFound, TryAgain
from engine.events import history
from engine.identity.home import home_of
from engine.inputs import Erase, Event, Split
from engine.profile import Profile, Tombstone, TraitValue
from engine.recent_events import Happened
from engine.seeds import profile_id

CATALOG = compiled(
    document(
        actions=[action("cart_reminder")],
        journeys=[
            cart_journey(steps=[{"wait": {"for": "3s"}}, {"send": {"action": "cart_reminder", "channel": "email"}}])
        ],
        consent={
            "purposes": {
                "marketing": {"channels": ["email"], "default": True},
                "service": {"channels": [], "default": True},
            }
        },
        identity={"namespaces": {"user_id": {"unique": False}}},
    )
)
ADA = profile_id(ID_KEY, "user_id", "ada")
SHARDS = 2


class Killed(BaseException):
    """What ends a server."""


class Pins:
    """Processes of pinned profiles, in this process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.stores: dict[str, Store] = {}

    async def start(self, profile: str) -> None:
        if profile not in self.engine.running:
            store = self.stores.setdefault(profile, MemoryStore())
            shard = Shard(1000, store, CATALOG, WallClock(), own=profile)
            await self.engine.serve(profile, shard, pin_socket(self.engine.sockets, profile))

    async def end(self, profile: str) -> None:
        await self.engine.crash(profile)
        self.stores.pop(profile, None)


class Engine:
    """Two shards, and whatever profiles have one of their own."""

    def __init__(self, sockets: str) -> None:
        self.sockets = sockets
        self.paths = [f"{sockets}/shard-{number}" for number in range(SHARDS)]
        self.stores = [MemoryStore() for _ in range(SHARDS)]
        self.running: dict[str, tuple[asyncio.Task[None], ShardServer]] = {}
        self.pins = Pins(self)
        self.router = Router(self.paths)
        self._numbers = itertools.count()

    async def start(self, number: int) -> None:
        await self.serve(
            f"shard-{number}", Shard(number, self.stores[number], CATALOG, WallClock()), self.paths[number]
        )

    async def serve(self, name: str, shard: Shard, path: str) -> None:
        server = ShardServer(shard, path, self.paths, pins=self.pins)
        self.running[name] = asyncio.create_task(server.serve()), server
        await eventually(Path(path).exists)

    async def crash(self, name: str) -> None:
        """As by `kill -9`: no commit, no farewell."""
        task, server = self.running.pop(name, (None, None))
        if task is None:
            return
        task.cancel()
        for part in (server._migration, server._relay, server._sender, server._elsewhere):
            part.close()
        with contextlib.suppress(asyncio.CancelledError, Killed, Exception):
            await task
        await server._server.close()

    def home(self, profile: str) -> str:
        return f"shard-{shard_of(profile, SHARDS)}"

    def shard(self, name: str) -> Shard:
        return self.running[name][1].shard

    async def tell(self, user: str = "ada", name: str = "Product Viewed", kind: str = "track", **changes: Any) -> str:
        """One event, told until it is accepted, as a client does."""
        number = next(self._numbers)
        now_ms = WallClock().now_ms()
        event = Event(
            kind=kind,
            name=name,
            at_ms=now_ms,
            received_at_ms=now_ms,
            message_id=f"m{number}",
            user_id=user,
            **changes,
        )
        home = home_of(CATALOG, event)
        assert home is not None
        for _ in range(100):
            try:
                (status,) = await self.router.ingest([(home, event)])
            except TryAgain:
                await asyncio.sleep(0.05)
                continue
            assert status in ("accepted", "repeated")
            return event.message_id
        raise AssertionError("it is not taken")

    async def heard(self, profile: str = ADA) -> list[str]:
        """The message ids of all events, in order of arrival."""
        timeline = await self.router.read(profile, "timeline", 10_000)
        return [entry["messageId"] for entry in timeline["entries"] if entry["kind"] == "event"]

    async def state(self) -> tuple[bytes, list[bytes], list[bytes]]:
        """The canonical plaintext of Ada, her audit chain and her journal, wherever she is."""
        for name in (ADA, self.home(ADA)):
            if name in self.running and not self.shard(name).ownership.is_away(ADA):
                shard = self.shard(name)
                record = shard.record(ADA)
                assert isinstance(record, Profile)
                rows = [[record for _, record in shard.records(family, ADA)] for family in ("audit", "journal")]
                return codec.canonical(record), rows[0], rows[1]
        raise AssertionError("she lives nowhere")


async def eventually(check: Callable[[], Any], deadline_s: float = 15.0) -> None:
    async with asyncio.timeout(deadline_s):
        while not check():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="segue-", dir="/tmp") as sockets:
        engine = Engine(sockets)
        for number in range(SHARDS):
            await engine.start(number)
        try:
            yield engine
        finally:
            for name in list(engine.running):
                await engine.crash(name)


def run(scenario: Callable[[Engine], Any]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60), running() as engine:
            await scenario(engine)

    asyncio.run(bounded())


def test_there_and_back_nothing_of_a_profile_changes():
    async def scenario(engine: Engine) -> None:
        await engine.tell(name="Product Added", properties={"cart_id": "c"})
        before = await engine.state()
        assert await engine.router.resettle(ADA, Pin) is True
        assert engine.shard(ADA).record(ADA) is not None
        assert engine.shard(engine.home(ADA)).record(ADA) is None
        assert await engine.state() == before
        assert await engine.router.resettle(ADA, Pin) is False
        assert [shard["profiles"] for shard in await engine.router.everywhere("status")][-1] == 1
        assert await engine.router.resettle(ADA, Unpin) is True
        assert await engine.state() == before
        assert ADA not in engine.running and ADA not in engine.pins.stores
        assert await engine.router.resettle(ADA, Unpin) is False
        assert sum(shard["profiles"] for shard in await engine.router.everywhere("status")) == 1

    run(scenario)


def test_the_blocking_index_moves_along(monkeypatch: pytest.MonkeyPatch):
    """It is at one place at a time, and whoever moves waits once more: what changed on the way is not missed."""
    monkeypatch.setattr(sys.modules[__name__], "CATALOG", compiled(matching.catalog()))

    def index(engine: Engine, name: str) -> tuple[set[bytes], dict[str, int]]:
        blocks = engine.shard(name).blocks
        rows = {key for key in blocks.all_rows() if key[:8] != block_keys.WAITING}
        return {key for key in rows if block_keys.profile_in(key) == ADA}, dict(blocks.counts)

    async def scenario(engine: Engine) -> None:
        await engine.tell(kind="identify", name="Identified", traits=matching.ADA)
        home = engine.home(ADA)
        await eventually(lambda: index(engine, home)[1] == {"indexed": 1, "waiting": 1})
        before, counts = index(engine, home)
        assert before
        await engine.router.resettle(ADA, Pin)
        assert index(engine, ADA) == (before, counts)
        assert index(engine, home) == (set(), {"indexed": 0, "waiting": 0})
        await engine.tell(kind="identify", name="Identified", traits=matching.BYRON)
        changed, _ = index(engine, ADA)
        assert changed != before
        await engine.router.resettle(ADA, Unpin)
        assert index(engine, home) == (changed, counts)

    run(scenario)


def test_a_stranger_cannot_be_pinned():
    async def scenario(engine: Engine) -> None:
        for how in (Pin, Unpin):
            with pytest.raises(NotFound):
                await engine.router.resettle(ADA, how)
        assert engine.pins.stores == {}

    run(scenario)


def test_events_keep_their_order_and_count_once_while_the_profile_moves():
    async def scenario(engine: Engine) -> None:
        told = [await engine.tell()]
        is_over = False

        async def talk() -> None:
            while not is_over:
                told.append(await engine.tell())

        async def talk_besides() -> None:
            while not is_over:
                others.append(await engine.tell())

        others: list[str] = []
        talking = [asyncio.create_task(talk()), asyncio.create_task(talk_besides())]
        for _ in range(8):
            await engine.router.resettle(ADA, Pin)
            await asyncio.sleep(0.02)
            await engine.router.resettle(ADA, Unpin)
        is_over = True
        await asyncio.gather(*talking)
        heard = await engine.heard()
        assert sorted(heard) == sorted(told + others)
        assert [name for name in heard if name in set(told)] == told
        assert len(told) > 20

    run(scenario)


def test_timers_fire_and_a_send_goes_out_once_in_the_new_place():
    async def scenario(engine: Engine) -> None:
        await engine.tell(
            name="Product Added",
            properties={"cart_id": "c"},
            traits={"email": "ada@shop.example"},
            identifiers=(("email", "ada@shop.example"),),
        )
        await engine.router.resettle(ADA, Pin)
        assert len(engine.shard(ADA).timers) == 1
        assert len(engine.shard(engine.home(ADA)).timers) == 0
        await eventually(lambda: len(engine.shard(ADA).outbox) == 1)
        await engine.router.resettle(ADA, Unpin)
        home = engine.shard(engine.home(ADA))
        assert len(home.outbox) == 1 and len(home.timers) == 0
        (entry,) = home.outbox.ready(WallClock().now_ms())
        assert handing_out.authorise(home, entry, "1.d.0") is not None

    run(scenario)


def counted_on_disk(shard: Shard) -> list[tuple[bytes, bytes]]:
    """What the store says about how many sends wait and how many timers run."""
    return [row for name in (b"outbox", b"timers") for row in shard.batch.committed("meta", name)]


def test_what_waits_is_counted_in_the_commit_that_brings_it():
    """A crash right after it finds the count that is true."""

    async def scenario(engine: Engine) -> None:
        await engine.tell(
            name="Product Added",
            properties={"cart_id": "c"},
            identifiers=(("email", "ada@shop.example"),),
        )
        home = engine.shard(engine.home(ADA))
        await eventually(lambda: len(home.outbox) == 1)
        await eventually(lambda: home.batch.is_synced)
        before = counted_on_disk(home)
        await engine.router.resettle(ADA, Pin)
        assert counted_on_disk(engine.shard(ADA)) == before
        await engine.crash(ADA)
        await engine.pins.start(ADA)
        assert engine.shard(ADA).outbox.waiting == 1
        await engine.router.resettle(ADA, Unpin)
        await engine.crash(engine.home(ADA))
        await engine.start(shard_of(ADA, SHARDS))
        home = engine.shard(engine.home(ADA))
        assert home.outbox.waiting == 1
        (entry,) = home.outbox.ready(WallClock().now_ms())
        assert handing_out.authorise(home, entry, "1.d.0") is not None
        home.commit()
        assert home.outbox.waiting == 0

    run(scenario)


def test_a_send_that_is_being_handed_over_is_not_given_out_again_in_the_new_place():
    async def scenario(engine: Engine) -> None:
        await engine.tell(
            name="Product Added",
            properties={"cart_id": "c"},
            identifiers=(("email", "ada@shop.example"),),
        )
        home, own = ShardLink(engine.paths[shard_of(ADA, SHARDS)]), ShardLink(pin_socket(engine.sockets, ADA))
        await home.enlist("1.d")
        await eventually(lambda: len(engine.shard(engine.home(ADA)).outbox) == 1)
        given = await home.pull("lane-0", 64)
        assert len(given) == 1
        await engine.router.resettle(ADA, Pin)
        await own.enlist("1.d")
        assert await own.pull("other-0", 64) == []
        await home.settle([Outcome(ADA, given[0]["send"], "sent")])
        timeline = await engine.router.read(ADA, "timeline", 100)
        assert [each["outcome"] for each in timeline["entries"] if each["kind"] == "send"][-1] == "sent"
        assert len(engine.shard(ADA).outbox) == 0
        with pytest.raises(Fenced):
            await ShardLink(pin_socket(engine.sockets, ADA)).enlist("1.late")

    run(scenario)


@pytest.mark.parametrize("how", ["pin", "unpin"])
@pytest.mark.parametrize("step", ["register", "leave", "begin", "take", "arrive", "left", "unregister"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_at_any_step_of_a_move_loses_nothing(how: str, step: str, when: str, monkeypatch: pytest.MonkeyPatch):
    """The shard in which the step happens dies right before it, or right after it is durable."""
    if (how, step) in (("pin", "unregister"), ("unpin", "register")):
        pytest.skip("no step of this move")

    async def scenario(engine: Engine) -> None:
        await engine.tell(name="Product Added", properties={"cart_id": "c"})
        if how == "unpin":
            await engine.router.resettle(ADA, Pin)
        told = [*(await engine.heard()), await engine.tell()]
        at_home = (step in ("register", "leave", "left", "unregister")) == (how == "pin")
        victim = engine.home(ADA) if at_home or step == "unregister" else ADA
        dead = asyncio.Event()
        ownership = engine.shard(victim).ownership if victim in engine.running else None

        from actors.shard import ownership as room

        real = getattr(room.Ownership, step)

        def fatal(self: Any, *args: Any) -> Any:
            if dead.is_set() or (ownership is not None and self is not ownership):
                return real(self, *args)
            if when == "after":
                real(self, *args)
                self._state.commit()
            dead.set()
            raise Killed

        monkeypatch.setattr(room.Ownership, step, fatal)
        moving = asyncio.create_task(engine.router.resettle(ADA, {"pin": Pin, "unpin": Unpin}[how]))
        await asyncio.wait_for(dead.wait(), 10)
        await engine.crash(victim)
        if victim == ADA:
            await engine.pins.start(ADA)
        else:
            await engine.start(shard_of(ADA, SHARDS))
        told += [await engine.tell() for _ in range(3)]
        with contextlib.suppress(Exception):
            await moving
        await eventually_settled(engine)
        assert await engine.heard() == told
        places = [name for name in engine.running if name in (ADA, engine.home(ADA))]
        living = [name for name in places if engine.shard(name).record(ADA) is not None]
        assert len(living) == 1

    run(scenario)


async def eventually_settled(engine: Engine) -> None:
    """Nobody is on the way any more."""

    def is_settled() -> bool:
        return not any(server.shard.ownership.leaving() for _, server in engine.running.values())

    await eventually(is_settled)


def test_messages_reach_a_pinned_profile_and_leave_it():
    async def scenario(engine: Engine) -> None:
        await engine.tell(anonymous_id="")
        await engine.router.resettle(ADA, Pin)
        visitor = await engine.tell(user="", anonymous_id="a1")
        login = await engine.tell(anonymous_id="a1")  # she absorbs the visitor
        assert visitor in await engine.heard() and login in await engine.heard()
        assert visitor in await engine.heard(profile_id(ID_KEY, "anonymous_id", "a1"))

    run(scenario)


@pytest.mark.parametrize("ending", ["absorbed", "erased"])
def test_a_profile_that_ends_gives_up_its_process(ending: str):
    async def scenario(engine: Engine) -> None:
        await engine.tell("countess")  # the older one stays
        await engine.tell()
        await engine.router.resettle(ADA, Pin)
        if ending == "absorbed":
            await engine.tell(user="countess", kind="alias", name="Aliased", previous_id="ada")
        else:
            await engine.router.tell(ADA, Erase())
        await eventually(lambda: ADA not in engine.running)
        await eventually(lambda: not engine.shard(engine.home(ADA)).ownership.pins)
        last = await engine.tell()
        assert last in await engine.heard()
        assert len(await engine.heard()) == (4 if ending == "absorbed" else 1)

    run(scenario)


def test_a_pinned_profile_comes_back_after_a_crash_of_everything():
    async def scenario(engine: Engine) -> None:
        told = [await engine.tell()]
        await engine.router.resettle(ADA, Pin)
        told.append(await engine.tell())
        for name in list(engine.running):
            await engine.crash(name)
        for number in range(SHARDS):
            await engine.start(number)
        for profile in engine.shard(engine.home(ADA)).ownership.pinned():
            await engine.pins.start(profile)
        told.append(await engine.tell())
        assert await engine.heard() == told

    run(scenario)


def user(name: str) -> str:
    """The id of a user's profile."""
    return profile_id(ID_KEY, "user_id", name)


def made_huge(engine: Engine, profile: str, *, traits: int, pages: int) -> None:
    """Somebody of before there were bounds: 31 KB a trait, 24 KB a page, of what LZ4 makes nothing smaller."""
    shard, noise = engine.shard(engine.home(profile)), random.Random(61)
    record = shard.record(profile)
    assert isinstance(record, Profile)
    record.traits = {f"t{number}": TraitValue(noise.randbytes(31_000), 1) for number in range(traits)}
    for number in range(1, pages + 1):
        page = [Happened(number, number, "Looked", {"at": noise.randbytes(24_000)})]
        shard.batch.put("history", keys.page_key(profile, number), codec.encode_page(page), profile)
    record.pages = record.spilled = pages
    record.tallied = history.counters_of(CATALOG).name
    shard.changed(profile)
    shard.commit()


def test_a_huge_past_moves_to_another_shard_and_keeps_nobody_waiting():
    async def scenario(engine: Engine) -> None:
        bob = next(name for name in map(str, range(99)) if engine.home(user(name)) != engine.home(ADA))
        await engine.tell(bob)
        await engine.tell("ada")
        made_huge(engine, ADA, traits=700, pages=600)
        await engine.tell(bob, kind="alias", name="Aliased", previous_id="ada")
        await engine.tell("cleo", anonymous_id="phone", name="Page Viewed")
        await engine.tell("dora", kind="alias", name="Aliased", previous_id="cleo")
        here, there = engine.shard(engine.home(user(bob))), engine.shard(engine.home(ADA))
        await eventually(lambda: isinstance(there.record(ADA), Tombstone), 45)
        found = here.record(user(bob))
        assert isinstance(found, Profile) and len(codec.canonical(found)) < 300_000, "it is within its bounds"
        assert found.spilled == 600 == len(here.older(user(bob)))
        await eventually(lambda: not here.messages and not there.messages)
        assert isinstance(engine.shard(engine.home(user("dora"))).record(user("dora")), Tombstone)
        assert here.dead.all() == there.dead.all() == []

    run(scenario)


def test_a_huge_profile_is_pinned():
    async def scenario(engine: Engine) -> None:
        await engine.tell()
        made_huge(engine, ADA, traits=1_200, pages=100)
        before = await engine.state()
        assert await engine.router.resettle(ADA, Pin) is True
        assert await engine.state() == before

    run(scenario)


@pytest.mark.parametrize("is_pinned", [False, True], ids=["at home", "pinned"])
def test_after_a_split_routers_forget_the_way_that_they_have_learned(is_pinned: bool):
    async def scenario(engine: Engine) -> None:
        bob = profile_id(ID_KEY, "user_id", "bob")
        for user in ("ada", "bob"):
            await engine.tell(user)
        await engine.tell("ada", "Aliased", "alias", previous_id="bob")
        together = [await engine.tell("bob"), await engine.tell("ada")]
        survivor = (await engine.router.read(bob, "profile"))["profileId"]
        other = ({ADA, bob} - {survivor}).pop()
        if is_pinned:
            await engine.router.resettle(survivor, Pin)
        (merge,) = (await engine.router.read(survivor, "profile"))["merges"]
        done = await engine.router.tell(other, Split(merge_id=merge["mergeId"]))
        assert done["profileId"] == survivor and done["other"] == other
        after = [await engine.tell("bob"), await engine.tell("ada")]
        heard = {profile: await engine.heard(profile) for profile in (bob, ADA)}
        assert [together[0] in heard[bob], after[0] in heard[bob]] == [True, True]
        assert [together[1] in heard[ADA], after[1] in heard[ADA]] == [True, True]
        assert not set(heard[bob]) & set(heard[ADA])
        await engine.router.tell(bob, Erase())
        assert await engine.heard(ADA) == heard[ADA]

    run(scenario)


# -- facts about things


async def looks(engine: Engine, user: str = "ada") -> None:
    await engine.tell(user, properties={"product_id": "sku-1"})


async def drops(engine: Engine, name: str) -> None:
    now_ms = WallClock().now_ms()
    assert await engine.router.take_facts([fact("sku-1", name=name, at_ms=now_ms)], now_ms) == [True]


def told_of_drops(engine: Engine) -> int:
    for name in (ADA, engine.home(ADA)):
        if name in engine.running and not engine.shard(name).ownership.is_away(ADA):
            record = engine.shard(name).record(ADA)
            assert isinstance(record, Profile)
            return sum(run.journey == "price_drop" for run in record.runs)
    return -1


def test_a_fact_reaches_a_pinned_profile_by_its_home(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules[__name__], "CATALOG", compiled(PRICE_DROPS))

    async def scenario(engine: Engine) -> None:
        await looks(engine)
        await looks(engine, "bob")
        await engine.router.resettle(ADA, Pin)
        await drops(engine, "m-1")
        await eventually(lambda: told_of_drops(engine) == 1)
        home = engine.shard(engine.home(ADA))
        await eventually(lambda: not home.facts.late and not len(home.facts))
        assert await engine.router.resettle(ADA, Unpin) is True
        await drops(engine, "m-2")
        await eventually(lambda: told_of_drops(engine) == 2)
        assert not home.facts.late

    run(scenario)


def test_who_moves_while_a_fact_is_told_hears_it_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules[__name__], "CATALOG", compiled(PRICE_DROPS))

    async def scenario(engine: Engine) -> None:
        await looks(engine)
        for number in range(6):
            move = Pin if number % 2 == 0 else Unpin
            moving = asyncio.create_task(engine.router.resettle(ADA, move))
            await drops(engine, f"m-{number}")
            await moving
        await eventually(lambda: told_of_drops(engine) == 6)
        home = engine.shard(engine.home(ADA))
        await eventually(lambda: not home.facts.late and not len(home.facts))
        assert told_of_drops(engine) == 6

    run(scenario)
