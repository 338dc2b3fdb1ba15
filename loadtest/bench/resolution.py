"""What it costs to know whose an event is: in the common case, by a card alone, and where two profiles become one.

All of it is without sockets, in CPU time, so other processes on the core do not count. Hops are counted, not measured.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Iterator
from time import thread_time_ns

from msgspec import structs

from actors.replay_clock.in_process import LocalEngine
from engine.errors import Moved
from engine.identity import claims
from engine.identity.home import home_of
from engine.inputs import Event, Split
from engine.profile import Profile
from engine.turn import handle
from engine.turn_state import Turn
from loadtest.bench import engine_only
from loadtest.bench.figure import Figure
from loadtest.world import bench_customers
from loadtest.world.bench_customers import EVENTS, HOUR_MS
from loadtest.world.shop_world import START_MS

_ROUNDS = 3_000
_PAIRS = 300
_SHARDS = 4
_LATER_MS = START_MS + EVENTS * HOUR_MS


def figures() -> Iterator[Figure]:
    """All of them."""
    yield Figure(
        "whose an event is: user id, visitor's id and address, all known",
        resolution_us(),
        "µs",
        "loop of 1,000 additions",
        engine_only.loop_us(),
        target="≤ 15 µs",
    )
    by_user, by_card, hops = found_us()
    yield Figure("event known by a card alone", by_card, "µs", "by the user id", by_user)
    yield Figure("hops of an event known by a card alone", hops[1], "", "by the user id", hops[0], target="≤ 1 more")
    alone, merging, splitting = merge_us()
    yield Figure(
        f"merge of a visitor into a customer, {EVENTS} events each",
        merging,
        "µs",
        "the same event without a merge",
        alone,
    )
    yield Figure("the same merge undone", splitting, "µs", "that merge", merging)


def resolution_us(rounds: int = _ROUNDS) -> float:
    """The median time to find an event's home and to see that all its identifiers are known."""
    catalog = bench_customers.catalog()
    known = structs.replace(
        bench_customers.event(0, 0), anonymous_id="laptop-0", identifiers=(("email", "customer-0@shop.example"),)
    )
    profile = Profile(bench_customers.name_of(0))
    handle(profile, known, catalog, known.at_ms)
    taken = []
    for number in range(rounds):
        told = structs.replace(known, at_ms=known.at_ms + number, message_id=str(number))
        turn = Turn(profile, catalog, told.at_ms)
        started = thread_time_ns()
        home_of(catalog, told)
        claims.learn(turn, told)
        taken.append(thread_time_ns() - started)
        assert number == 0 or not turn.effects, "nothing is asked twice"
    return statistics.median(taken) / 1000


def found_us(customers: int = _PAIRS) -> tuple[float, float, tuple[int, int]]:
    """The median time until an event has had its turn, by the user id and by the card alone, and the hops of both."""
    engine = LocalEngine(bench_customers.catalog(), shards=_SHARDS)
    engine.stage(_carded(customer) for customer in range(customers))
    asyncio.run(engine.advance(_LATER_MS))
    by_user: list[int] = []
    by_card: list[int] = []
    hops: list[set[int]] = [set(), set()]
    for customer in range(customers):  # both take turns, so that what slows one slows the other
        with_id = structs.replace(bench_customers.event(customer, EVENTS), at_ms=_LATER_MS)
        with_card = structs.replace(
            with_id, user_id="", message_id=f"card-{customer}", identifiers=(("loyalty_id", f"L{customer}"),)
        )
        for told, taken, seen in ((with_id, by_user, hops[0]), (with_card, by_card, hops[1])):
            started = thread_time_ns()
            seen.add(_tell(engine, told))
            taken.append(thread_time_ns() - started)
    return statistics.median(by_user) / 1000, statistics.median(by_card) / 1000, (max(hops[0]), max(hops[1]))


def merge_us(pairs: int = _PAIRS) -> tuple[float, float, float]:
    """The time of an event that names a customer and a known device, of one that joins the device's profile, and of
    a split that undoes that."""
    engine = LocalEngine(bench_customers.catalog(), shards=_SHARDS)
    for number in range(EVENTS):
        engine.stage(bench_customers.event(customer, number) for customer in range(pairs))
        engine.stage(_anonymous(customer, number) for customer in range(pairs))
    asyncio.run(engine.advance(_LATER_MS))
    joining = _time_us(engine, [_both(customer, 0) for customer in range(pairs)])
    merges = sum(windows.shard.resolved["merges"] for windows in engine.windows)
    assert merges == pairs, "each visitor has become a customer"
    alone = _time_us(engine, [_both(customer, 1) for customer in range(pairs)])
    return alone / pairs, joining / pairs, _split_us(engine, pairs) / pairs


def _split_us(engine: LocalEngine, pairs: int) -> float:
    """The time until the merges of so many customers are undone, and the others are back at their places."""
    started = thread_time_ns()
    for customer in range(pairs):
        place = bench_customers.name_of(customer)
        record = engine.shard(place).record(place)
        assert isinstance(record, Profile)
        engine.ask_profile(place, Split(merge_id=record.ledger[-1].id))
    asyncio.run(engine.advance(_LATER_MS + 3 * HOUR_MS))
    assert sum(windows.shard.resolved["splits"] for windows in engine.windows) == pairs
    return (thread_time_ns() - started) / 1000


def _time_us(engine: LocalEngine, events: list[Event]) -> float:
    """The time until some events, and all that they ask of other profiles, are done."""
    engine.stage(events)
    started = thread_time_ns()
    asyncio.run(engine.advance(events[-1].at_ms + HOUR_MS // 2))
    return (thread_time_ns() - started) / 1000


def _tell(engine: LocalEngine, told: Event) -> int:
    """Give an event its turn; returns how often it was sent on."""
    place, hops = home_of(engine.catalog, told), 0
    assert place is not None
    while True:
        try:
            engine.shard(place).tell(place, told)
        except Moved as moved:
            place, hops = moved.to, hops + 1
        else:
            return hops


def _carded(customer: int) -> Event:
    event = bench_customers.event(customer, 0)
    return structs.replace(event, identifiers=(("loyalty_id", f"L{customer}"),))


def _anonymous(customer: int, number: int) -> Event:
    event = bench_customers.event(customer, number)
    return structs.replace(event, user_id="", anonymous_id=f"d{customer}", message_id=f"d-{event.message_id}")


def _both(customer: int, number: int) -> Event:
    event = bench_customers.event(customer, EVENTS + number)
    return structs.replace(event, anonymous_id=f"d{customer}", at_ms=_LATER_MS + (number + 1) * HOUR_MS)
