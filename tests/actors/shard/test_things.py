"""Telling a fact about a thing, some at a time: a crash loses and repeats nobody; whoever moves meanwhile is told."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.any_order import AnyOrder
from support.faulty_store import FaultyStore, Fuse, PowerCut
from support.things import PRICE_DROPS, fact
from support.world import DAY, START_MS, Customer, World, compiled

from actors.maintenance.verify import check
from actors.platform.clock import ReplayClock
from actors.shard.shard import Shard
from actors.shard.things import facts as kept
from actors.shard.things.pump import Pump
from actors.storage.memory_store import MemoryStore
from engine.errors import Overloaded
from engine.identity.home import home_of
from engine.inputs import Erase
from engine.profile import Profile, Tombstone

PEOPLE = 7
CATALOG = compiled(PRICE_DROPS)


def pump_of(shard: Shard) -> Pump:
    return Pump(shard, shard.tell_or_forward, shard.ownership.pinned, shard.ownership.has_left)


def opened(store: FaultyStore) -> Shard:
    clock = ReplayClock()
    clock.move_to(START_MS)
    return Shard(0, store, CATALOG, clock)


def told(shard: Shard) -> list[int]:
    """How often each of those who looked was told."""
    found = []
    for name in shard.all_profiles():
        record = shard.record(name)
        if isinstance(record, Profile) and record.interests:
            found.append(sum(run.journey == "price_drop" for run in record.runs))
    return found


@pytest.fixture(scope="module")
def looked() -> FaultyStore:
    """A store of people who looked at a product, and of others; then its price drops."""
    store = FaultyStore()
    shard = opened(store)
    world = World(CATALOG)
    for number in range(PEOPLE):
        for product in ("sku-1", "sku-2")[: 1 + number % 2]:
            event = Customer(world, f"p{number}", "").event("Product Viewed", product_id=product)
            shard.tell(str(home_of(CATALOG, event)), event)
    shard.facts.take(fact("sku-1"), START_MS)
    shard.commit()
    return store


@pytest.mark.parametrize("kept_of", ["nothing", "everything"])
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_any_moment_loses_and_repeats_nobody(looked: FaultyStore, kept_of: str, after: bool):
    for at in range(1, 40):
        store = looked.survivor(Fuse(at, after=after))
        crashes = 0
        while True:
            try:
                shard = opened(store)
                pump = pump_of(shard)
                while pump.is_busy:
                    pump.work(2)
                    shard.commit()
                break
            except PowerCut:
                crashes += 1
                store = store.survivor(Fuse(), kept=store.unsynced if kept_of == "everything" else 0)
        assert told(shard) == [1] * PEOPLE, f"the {at}th operation"
        (row,) = shard.facts.newest(5, START_MS)
        assert (row["told"], row["waits"]) == (PEOPLE, False)
        assert check({"shard": shard.batch})[0] == []
        if not crashes:
            return
    raise AssertionError("it never came to an end")


class Telling(AnyOrder):
    """Shards that tell a fact, one profile at a time, between inputs and messages that come in any order."""

    def __init__(self, random: Random) -> None:
        super().__init__(CATALOG, random, shards=3)
        self.pumps = [pump_of(windows.shard) for windows in self.engine.windows]

    def drop(self) -> None:
        """The price drops."""
        for windows in self.engine.windows:
            windows.shard.facts.take(fact("sku-1", at_ms=self.now_ms), self.now_ms)
            windows.shard.commit()

    def work(self) -> bool:
        """Go on with telling somewhere; whether anybody is left to tell."""
        busy = [pump for pump in self.pumps if pump.is_busy or pump._facts.late]
        if busy:
            pump = self.random.choice(busy)
            pump._late_ms = 0  # at once
            pump.work(1)
            pump._state.commit()  # type: ignore[attr-defined]
        return bool(busy)

    def _take(self, choice: tuple[str, object]) -> bool:
        if self.random.random() < 0.5:
            self.work()
        return super()._take(choice)


@given(seed=st.integers(0, 10_000), people=st.integers(1, 4), visitors=st.integers(1, 6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_who_merges_while_a_fact_is_told_is_told_too(seed: int, people: int, visitors: int):
    random = Random(seed)
    net = Telling(random)
    for number in range(visitors):
        net.put(
            net.event(number, ("anonymous_id", f"a{number}"), name="Product Viewed", properties={"product_id": "sku-1"})
        )
    net.run()
    net.pass_time(1_000)
    net.drop()
    for number in range(visitors):
        who = ("user_id", f"p{random.randrange(people)}")
        net.put(net.event(100 + number, ("anonymous_id", f"a{number}"), who))
    net.run()
    for _ in range(1_000):
        if not net.work():
            break
    net.run()
    for number in range(visitors):
        place = str(home_of(CATALOG, net.event(200, ("anonymous_id", f"a{number}"))))
        person = net.living()[net.where(place)]
        told_of = [run for run in person.runs if run.journey == "price_drop"]
        parts = 1 + sum(not merged.undone_ms for merged in person.ledger)
        assert 1 <= len(told_of) <= parts, "told, and never twice for what was one person already"
    faults = check({str(number): windows.shard.batch for number, windows in enumerate(net.engine.windows)})[0]
    assert [each for each in faults if "interests" in each] == []
    assert [dead for windows in net.engine.windows for dead in windows.shard.dead.all()] == []


def shop() -> tuple[Shard, World]:
    """A shard in which ada and bob have looked at a product."""
    world = World(CATALOG)
    for name in ("ada", "bob"):
        Customer(world, name, "").does("Product Viewed", product_id="sku-1")
    return world.engine.windows[0].shard, world


def test_an_erased_person_is_in_no_index_and_is_told_nothing():
    shard, world = shop()
    ada = Customer(world, "ada", "")
    home = ada.id
    shard.facts.take(fact("sku-1"), START_MS)
    shard.facts.put_late(bytes.fromhex(fact("sku-1").fact), home)
    shard.tell(home, Erase())
    shard.commit()
    assert len(shard.scan("interests")) == 1
    pump = pump_of(shard)
    while pump.is_busy:
        pump.work(10)
    pump.work(1)
    shard.commit()
    assert not shard.facts.late
    assert isinstance(shard.record(home), Tombstone) and not shard.messages
    assert shard.facts.totals["told"] == 1


def test_facts_are_forgotten_a_day_after_they_were_told():
    shard, world = shop()
    assert shard.facts.take(fact("sku-1"), START_MS)
    world.advance(1)
    assert not shard.facts.take(fact("sku-1"), world.now_ms), "known still"
    assert [row["told"] for row in shard.facts.newest(5, world.now_ms)] == [2]
    world.advance(kept.KEPT_MS + DAY)
    shard.commit()
    assert shard.scan("facts") == []
    assert shard.facts.take(fact("sku-1"), world.now_ms)
    world.advance(1)
    assert shard.facts.newest(5, world.now_ms)[0]["told"] == 0, "whoever was told remembers it for longer"


def test_too_many_facts_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "WAITING_MAX", 1)
    shard, _ = shop()
    shard.facts.take(fact("sku-1"), START_MS + 1)
    with pytest.raises(Overloaded):
        shard.facts.take(fact("sku-2", name="m-2"), START_MS + 1)


def test_facts_wait_through_a_restart_and_are_told_in_the_order_of_time():
    store = MemoryStore()
    world = World(CATALOG, stores=[store])
    Customer(world, "ada", "").does("Product Viewed", product_id="sku-1")
    for number in (3, 1, 2):
        world.engine.take(fact("sku-1", name=f"m-{number}", at_ms=START_MS + number, percent=10 + number))
    world.engine.windows[0].shard.commit()
    again = World(CATALOG, stores=[store])
    again.advance(10)
    runs = Customer(again, "ada", "").profile.runs
    assert [run.trigger["percent"] for run in runs] == [11, 12, 13]
