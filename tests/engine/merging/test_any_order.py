"""Merges settle: in whatever order inputs and messages arrive, the same people remain, and nothing is lost."""

from __future__ import annotations

from itertools import permutations
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.any_order import AnyOrder
from support.world import CART, compiled

from engine.seeds import profile_id

FREELY = compiled(
    CART
    | {
        "identity.yaml": {
            "namespaces": {
                "user_id": {"unique": False},
                "loyalty_id": {"shared_above": 1000},
                "email": {"shared_above": 1000},
                "crm": {"kind": "person", "shared_above": 1000, "priority": 35},
            }
        }
    }
)
Pair = tuple[str, str]


def place(pair: Pair) -> str:
    return profile_id(FREELY.id_key, *pair)


def settled(pairs: list[Pair], links: list[tuple[Pair, ...]], random: Random) -> dict[str, tuple[object, ...]]:
    """Everybody lives already, each older than the next; then the links arrive. Returns who remains, with what."""
    net = AnyOrder(FREELY, random)
    for number, pair in enumerate(pairs):
        net.put(net.event(number, pair))
        net.run()
        net.pass_time(1_000)
    net.put(*(net.event(1_000 + number, *link) for number, link in enumerate(links)))
    net.run()
    at_rest(net)
    for link in links:
        assert len({net.where(place(pair)) for pair in link}) == 1, "what an event names is one person"
    living = net.living()
    events = sorted(name for profile in living.values() for name in net.event_names(profile))
    numbers = [*range(len(pairs)), *range(1_000, 1_000 + len(links))]
    assert events == sorted(f"Event {number}" for number in numbers), "every event once"
    return {
        profile.id: (
            sorted((link.namespace, link.value) for link in profile.identifiers),
            net.event_names(profile),
            sorted(merged.origin for merged in profile.ledger),
            sorted(set(profile.held)),
            profile.created_ms,
        )
        for profile in living.values()
    }


def at_rest(net: AnyOrder) -> None:
    """Nobody waits for anybody, nothing was set aside, and every pointer leads to somebody."""
    for profile in net.living().values():
        assert not (profile.moving_to or profile.absorbing or profile.publicly), "nobody waits"
    for where in net.places():
        net.where(where)
    assert [dead for windows in net.engine.windows for dead in windows.shard.dead.all()] == []


def expected(pairs: list[Pair], links: list[tuple[Pair, ...]]) -> set[frozenset[Pair]]:
    """The people that remain, by their identifiers."""
    groups = {pair: {pair} for pair in pairs}
    for link in links:
        joined = set().union(*(groups[pair] for pair in link))
        for pair in joined:
            groups[pair] = joined
    return {frozenset(group) for group in groups.values()}


CARDS: list[Pair] = [
    ("loyalty_id", "1"),
    ("email", "a@shop.example"),
    ("crm", "7"),
    ("user_id", "ada"),
    ("loyalty_id", "2"),
]
SHAPES = {
    "chain": [(0, 1), (1, 2), (2, 3), (3, 4)],
    "ring": [(0, 1), (1, 2), (2, 3), (3, 0)],
    "crossing": [(0, 1), (1, 0), (2, 1), (1, 2)],
    "star": [(0, 1), (0, 2), (0, 3), (0, 4)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_chains_rings_and_crossings_end_alike_in_any_order(shape: str):
    links = [(CARDS[one], CARDS[other]) for one, other in SHAPES[shape]]
    ends = {
        repr(sorted(settled(CARDS, [links[at] for at in order], Random(seed)).keys()))
        for seed, order in enumerate(permutations(range(4)))
    }
    assert len(ends) == 1
    stays = place(("user_id", "ada"))  # it stands first by its namespace, though it is younger
    assert stays in ends.pop()


@st.composite
def crowds(draw: st.DrawFn) -> tuple[list[Pair], list[tuple[Pair, ...]], int, int]:
    namespaces = st.sampled_from(["loyalty_id", "crm", "user_id", "email"])
    pairs = [
        (namespace, f"p{number}@shop.example" if namespace == "email" else f"p{number}")
        for number, namespace in enumerate(draw(st.lists(namespaces, min_size=10, max_size=60)))
    ]
    some = st.lists(st.sampled_from(pairs), min_size=2, max_size=3, unique=True).map(tuple)
    links = draw(st.lists(some, min_size=1, max_size=40))
    return pairs, links, draw(st.integers(0, 2**32)), draw(st.integers(0, 2**32))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(crowds())
def test_the_result_does_not_depend_on_the_order(crowd: tuple[list[Pair], list[tuple[Pair, ...]], int, int]):
    pairs, links, one, other = crowd
    first = settled(pairs, links, Random(one))
    shuffled = list(enumerate(links))
    Random(other).shuffle(shuffled)
    second = settled(pairs, [link for _, link in shuffled], Random(other))
    assert [len(first), *sorted(first)] == [len(second), *sorted(second)], "the same people stay"
    assert {key: (value[0], value[3], value[4]) for key, value in first.items()} == {
        key: (value[0], value[3], value[4]) for key, value in second.items()
    }
    assert {frozenset(value[0]) for value in first.values()} == expected(pairs, links)


def test_two_hundred_merges_at_once_settle():
    random = Random(200)
    pairs = [("loyalty_id", f"c{number}") for number in range(80)]
    links = [tuple(random.sample(pairs, 2)) for _ in range(200)]
    first, second = (settled(pairs, links, Random(seed)) for seed in (1, 2))
    assert sorted(first) == sorted(second)
    assert {frozenset(value[0]) for value in first.values()} == expected(pairs, links)


STRICTLY = compiled(
    CART
    | {
        "identity.yaml": {
            "namespaces": {
                "crm": {"kind": "person", "unique": True, "priority": 35},
                "loyalty_id": {"limit": {"count": 2}, "shared_above": 2},
                "email": {"shared_above": 2},
            }
        }
    }
)


@st.composite
def strict_crowds(draw: st.DrawFn) -> tuple[list[tuple[tuple[Pair, ...], bool]], int]:
    namespaces = ["user_id", "crm", "loyalty_id", "email", "phone", "device_id", "anonymous_id"]
    values = st.sampled_from(["k1", "k2", "k3", "k4", "k5"])
    pair = st.tuples(st.sampled_from(namespaces), values)
    some = st.lists(pair, min_size=1, max_size=4, unique_by=lambda each: each[0]).map(tuple)
    return draw(st.lists(st.tuples(some, st.booleans()), min_size=1, max_size=60)), draw(st.integers(0, 2**32))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(strict_crowds())
def test_whatever_is_refused_nothing_is_lost_and_nobody_waits(
    crowd: tuple[list[tuple[tuple[Pair, ...], bool]], int],
):
    calls, seed = crowd
    net = AnyOrder(STRICTLY, Random(seed))
    for number, (pairs, public) in enumerate(calls):
        net.put(net.event(number, *pairs, public=public))
    net.run()
    at_rest(net)
    events = sorted(name for profile in net.living().values() for name in net.event_names(profile))
    assert events == sorted(f"Event {number}" for number in range(len(calls)))
    for profile in net.living().values():
        for namespace in ("user_id", "crm"):
            assert len({link.value for link in profile.identifiers if link.namespace == namespace}) <= 1
        assert sum(link.namespace == "loyalty_id" for link in profile.identifiers) <= 2
