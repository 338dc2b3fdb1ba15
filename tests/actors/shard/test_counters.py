"""What a shard counts of its turns, and tells once a second."""

from __future__ import annotations

from collections import Counter

import pytest
from support.world import CART, compiled

from actors.platform.clock import ReplayClock, stopwatch
from actors.platform.meter import CACHE_BYTES, FRESHNESS_SECONDS, OPT_OUT_SECONDS, REFUSALS, TURNS, Metric, NoMeter
from actors.serving.gauges import Gauges
from actors.serving.intake import EventMail, Frame, ToldMail
from actors.shard.outbox.outbox import Waiting
from actors.shard.queries.queries import status
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from engine.audit import Entry
from engine.inputs import ConsentChange, Decide, Event
from engine.readings import identity_figures

NOW_MS = 1_800_000_000_000


class Kept(NoMeter):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.counted: Counter[tuple[str, ...]] = Counter()
        self.gauged: dict[str, float] = {}
        self.observed: list[str] = []

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        self.observed.append(metric.name)

    def total(self, metric: Metric, total: int, *tags: str) -> None:
        self.counted[metric.name, *tags] = total

    def set(self, metric: Metric, value: float, *tags: str) -> None:
        self.gauged[metric.name] = value


def shard() -> Shard:
    return Shard(0, MemoryStore(), compiled(CART), ReplayClock(NOW_MS))


def test_turns_are_counted_by_kind_and_decisions_by_what_they_held_back():
    one, meter = shard(), Kept()
    gauges = Gauges(meter, one, lambda: 3)
    one.tell(
        "0" * 30,
        Event(
            kind="track",
            name="Product Viewed",
            at_ms=NOW_MS - 90_000,
            source="web",
            message_id="m1",
            received_at_ms=NOW_MS,
        ),
    )
    one.tell("0" * 30, Decide(placement="home_hero", channel="web"))
    one.commit()
    gauges.committed(0.0, stopwatch(), True)
    assert (meter.counted[TURNS.name, "Event"], meter.counted[TURNS.name, "Decide"]) == (1, 1)
    one.counters.entry(Entry(at_ms=NOW_MS, kind="send", summary="", outcome="held", reason="cap.weekly"), one.catalog)
    assert one.counters.refusals["cap.weekly"] == 1
    assert {
        tag for name, *tags in meter.counted if name == REFUSALS.name for tag in tags
    } <= one.counters.refusals.keys()
    assert meter.gauged[CACHE_BYTES.name] > 0
    assert one.counters.lag() == {"web": (NOW_MS, 0)}  # 90 s late at first, and asked once since


def withdrawal(granted: object = False) -> Event:
    return Event(
        kind="track", name="Consent Updated", at_ms=NOW_MS, received_at_ms=NOW_MS, source="web",
        properties={"purpose": "marketing", "channel": "email", "granted": granted},
    )  # fmt: skip


SEEN = Event(kind="track", name="Seen", at_ms=NOW_MS, received_at_ms=NOW_MS, source="web")
TOLD = ConsentChange(purpose="marketing", channel="email", granted=False, at_ms=NOW_MS, source="test")


@pytest.mark.parametrize("told", [TOLD, withdrawal()], ids=["told", "an event"])
def test_an_opt_out_is_silence_when_no_dispatcher_has_anything_for_that_person(told: ConsentChange | Event):
    one, meter = shard(), Kept()
    gauges, person = Gauges(meter, one, lambda: 0), "1" * 30
    one.outbox.put(Waiting(person, "s1", 0, "dispatcher.1"))
    gauges.turned(mail(person, told), 0.0)
    gauges.committed(0.0, stopwatch(), True)
    assert OPT_OUT_SECONDS.name not in meter.observed
    one.outbox.drop(person, "s1", 0)
    gauges.committed(0.0, stopwatch(), True)
    assert meter.observed.count(OPT_OUT_SECONDS.name) == 1


@pytest.mark.parametrize("told", [withdrawal(True), withdrawal("maybe"), SEEN])
def test_what_withdraws_nothing_is_no_opt_out(told: Event):
    one, meter = shard(), Kept()
    gauges = Gauges(meter, one, lambda: 0)
    gauges.turned(mail("1" * 30, told), 0.0)
    gauges.committed(0.0, stopwatch(), True)
    assert OPT_OUT_SECONDS.name not in meter.observed


def mail(person: str, told: ConsentChange | Event) -> EventMail | ToldMail:
    if isinstance(told, Event):
        return EventMail(person, told, Frame(None, 1), 0)  # type: ignore[arg-type]
    return ToldMail(person, told, None)  # type: ignore[arg-type]


def test_events_are_as_old_as_they_are_when_they_are_durable_and_a_repeat_counts_once():
    one, meter = shard(), Kept()
    gauges = Gauges(meter, one, lambda: 0)
    late = Event(kind="track", name="Seen", at_ms=NOW_MS - 90_000, received_at_ms=NOW_MS, source="pos", message_id="m1")
    for told in (late, late, withdrawal()):
        one.tell("1" * 30, told)
    one.commit(sync=False)
    gauges.committed(0.0, stopwatch(), False)
    assert one.counters.freshness is not None
    assert one.counters.freshness.counts() == {}, "nothing is durable yet"
    gauges.committed(0.0, stopwatch(), True)
    within = {source: identity_figures.freshness(FRESHNESS_SECONDS.bounds, counts)["within"] for source, counts in
              one.counters.freshness.counts().items()}  # fmt: skip
    assert (within["pos"]["60"], within["pos"]["600"]) == (0, 1)
    assert within["web"]["0.01"] == 1
    assert status(one)["identity"]["freshness"].keys() == {"pos", "web"}
