"""The report over all customers: exact numbers on simulated time, the same on any number of shards."""

from __future__ import annotations

import io
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from support.world import Customer, World, action, cart_journey, document

from actors.maintenance.record_placement import Mover
from actors.platform.meter import Metric, NoMeter
from actors.serving.gauges import Gauges
from actors.shard.figures.hand_offs import PREFIX, unpacked
from actors.shard.queries.queries import read
from actors.storage.memory_store import MemoryStore
from actors.storage.store import Store
from actors.storage.vault import PlainVault
from engine.handoffs import totals
from serve.commands.running.transitions import duration, print_table

PHONE, DESK = {"userAgentData": {"mobile": True}}, {"userAgentData": {"mobile": False}}
SHOP = document(
    actions=[action("cart_reminder")],
    journeys=[cart_journey()],
    identity={"transitions": {"to_desk": {"from": ["mobile"], "into": ["web"], "ready_within": "1s"}}},
)
MINUTES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 90)


def shop(shards: int = 1, stores: list[Store] | None = None) -> World:
    """Ten customers go from the phone to the desk. One of them comes as a visitor first, whom it takes two windows of
    ten seconds to bring along. Four have filled a cart."""
    world = World(SHOP, shards=shards, stores=stores)
    for number, minutes in enumerate(MINUTES):
        who = world.customer(f"u{number}")
        who.does("Product Added" if number < 4 else "Page Viewed", product_id="boots", context=PHONE)
        world.advance(minutes=minutes)
        if number == 9:
            world.customer(anonymous="desk").does("Page Viewed", context=DESK)
            Customer(world, who.user, "desk").does("Page Viewed", context=DESK)
        who.does("Page Viewed", context=DESK)
    world.settle()
    return world


def table(world: World) -> list[dict[str, object]]:
    rows = [read(windows.shard, "transitions", "") for windows in world.engine.windows]
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(rows))
    shards = [dict(msgspec.convert(each, list[tuple[totals.Way, totals.Row]])) for each in sent]
    return totals.table(shards, world.catalog.identity)


@pytest.mark.parametrize("shards", [1, 3])
def test_the_table_has_the_exact_numbers(shards: int):
    assert table(shop(shards)) == [
        {
            "from": "mobile",
            "into": "desktop",
            "by": "user_id",
            "count": 10,
            "carried": {"history": 1.0, "cart": 0.4, "journeys": 0.4},
            "tookMs": {"p50": 5 * 60_000, "p95": 90 * 60_000},
            "readyMs": {"p50": 0, "p95": 20_000},
            "goal": "to_desk",
            "requiredMs": 1000,
            "met": 0.9,
            "missed": {"late": 1},
        }
    ]


def test_the_sums_outlive_a_restart():
    stores: list[Store] = [MemoryStore()]
    world = shop(stores=stores)
    assert table(World(SHOP, stores=stores)) == table(world) != []


def test_the_table_reads_like_an_article():
    said = io.StringIO()
    print_table(Console(file=said, width=200), table(shop(1)))
    head, row, missed = said.getvalue().splitlines()
    assert head.split("  ")[0] == "from → to"
    assert " ".join(row.split()) == (
        "mobile → desktop history, cart 40 %, journeys 40 % user id 10 5 min / 1 h 30 min 0 ms / 20 s 1 s 90 %"
    )
    assert missed.strip() == "mobile → desktop by user id: too late once"


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (7, "7 ms"),
        (1_500, "1.5 s"),
        (59_400, "59.4 s"),
        (60_000, "1 min"),
        (5_400_000, "1 h 30 min"),
        (86_400_000, "1 d"),
        (200_000_000, "2 d 7 h"),
    ],
)
def test_durations_are_said_as_people_say_them(ms: int, said: str):
    assert duration(ms) == said


def told(took_ms: int, into: str = "desktop", missed: tuple[str, ...] = ()) -> dict[str, object]:
    goal = {"goal": "g", "requiredMs": 1000, "missed": list(missed)}
    return {"from": "mobile", "into": into, "by": "user_id", "tookMs": took_ms, "readyMs": 3, "carried": {}} | goal


@given(st.lists(st.integers(0, 400 * 86_400_000), min_size=1, max_size=60), st.integers(1, 4))
def test_sums_add_up_over_shards_and_quantiles_are_near(durations: list[int], shards: int):
    whole, parts = totals.Row(), [totals.Row() for _ in range(shards)]
    for number, took_ms in enumerate(durations):
        whole.add(told(took_ms))
        parts[number % shards].add(told(took_ms))
    joined = totals.Row()
    for part in parts:
        joined.join(part)
    assert joined == whole
    exact = sorted(durations)[(len(durations) + 1) // 2 - 1]
    assert abs(totals.quantile(whole.took, 0.5) - exact) <= exact * 0.005 + 0.5


def test_what_is_kept_is_bounded():
    row = totals.Row()
    for number in range(30_000):
        row.add(told(number * 997))
    assert len(row.took) <= 1_100
    assert abs(totals.quantile(row.took, 0.95) / (28_500 * 997) - 1) < 0.06
    rows: dict[totals.Way, totals.Row] = {}
    for number in range(1_000):
        way = totals.way_of(told(1, into=f"place {number}"), rows)
        rows.setdefault(way, totals.Row()).add(told(1))
    assert len(rows) == totals.ROWS_MAX + 1


class Told(NoMeter):
    """Remembers what it was told of transitions."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, float]] = Counter()

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        self.seen[metric.name, value] += tags == ("mobile", "desktop", "user_id")

    def add(self, metric: Metric, more: int, *tags: str) -> None:
        self.seen[metric.name, 0] += more


def test_metrics_tell_each_transition_once():
    meter, world = Told(), shop()
    gauges = Gauges(meter, world.engine.windows[0].shard, lambda: 0)
    for _ in range(2):
        gauges.committed(0.0, 10.0, True)
        gauges.committed(0.0, 20.0, True)
    assert meter.seen["segue_transition_seconds", 300.0] == 1
    assert meter.seen["segue_transition_ready_seconds", 0.0] == 9
    assert meter.seen["segue_transition_ready_seconds", 20.0] == 1
    assert meter.seen["segue_transitions_missed", 0] == 1


def test_the_sums_of_a_pinned_profile_go_along_and_come_home():
    home, away = shop(), World(SHOP)
    before, mine, its = table(home), home.engine.windows[0].shard, away.engine.windows[0].shard
    its.handoffs.arrive(mine.handoffs.records())
    mine.handoffs.leave()
    for shard in (mine, its):
        shard.commit()
    assert (table(home), table(away)) == ([], before)


def test_another_number_of_shards_keeps_the_sums():
    stores: list[Store] = [MemoryStore() for _ in range(3)]
    world = shop(stores=stores)
    facts = Mover(3, 2, PlainVault()).facts(stores, [MemoryStore(), MemoryStore()])
    rows = [dict(unpacked(key, record) for key, record in each.items() if key.startswith(PREFIX)) for each in facts]
    assert totals.table(rows, world.catalog.identity) == table(world)
