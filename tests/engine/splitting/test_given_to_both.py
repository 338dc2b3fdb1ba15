"""What a split gives to both sides, because no identifier tells whose it is, counts once where they are one again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.splitting import differences, record, split
from support.world import Customer, World, compiled, document

from engine.inputs import Event, Join, Rejoin
from engine.readings import timelines

CARD = ("loyalty_id", "card")
PHONE = ("phone", "+4930123456")
OFTEN = {"event": {"name": "Page Seen", "within": "30d", "count": {"at_least": 41}}}
STORE = {"event": {"name": "Store Visited", "within": "30d", "count": {"at_least": 2}}}


class Known(Customer):
    """Somebody whose events carry these identifiers."""

    def __init__(self, world: World, *identifiers: tuple[str, str]) -> None:
        super().__init__(world, "", "")
        self._identifiers = identifiers

    def event(self, name: str, **fields: Any) -> Event:
        return super().event(name, **{"identifiers": self._identifiers} | fields)


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    """Two segments that ask how often, and a policy that gives to both."""
    return World(
        compiled(
            document(
                actions=[],
                journeys=[],
                segments={"segments": {"often": OFTEN, "store": STORE}},
                identity={"splits": {"unidentified": "both"}},
            )
        ),
        shards=request.param,
    )


def two_in_one(world: World) -> tuple[Customer, Customer, Customer]:
    """Ada, a laptop on which somebody has stated her telephone, and whoever is known by that alone; all in one."""
    ada, laptop, caller = Known(world, CARD, PHONE), world.customer(anonymous="laptop"), Known(world, PHONE)
    ada.does("Page Viewed")
    world.drain()
    laptop.does("Page Viewed")
    world.drain()
    own, other = ada.id, laptop.id
    laptop.does("Identified", kind="identify", traits={"phone": PHONE[1]}, identifiers=(PHONE,), public=True)
    world.drain()
    world.engine.ask_profile(other, Join(other=own, source="operator", force=True))
    world.drain()
    assert laptop.id == ada.id
    return ada, laptop, caller


def part(world: World, ada: Customer, laptop: Customer) -> None:
    split(world, ada.id)
    world.drain()
    assert laptop.id != ada.id


def join_again(world: World, ada: Customer, laptop: Customer) -> None:
    undone = [past for past in ada.profile.ledger if past.undone_ms]
    world.engine.ask_profile(ada.id, Rejoin(merge_id=undone[-1].id))
    world.drain()
    assert laptop.id == ada.id


def told(world: World, who: Customer) -> Counter[str]:
    """How often each event stands in the timeline."""
    shard = world.engine.shard(who.id)
    found = timelines.timeline(who.profile, shard.older(who.id), (), 10_000, {})
    return Counter(row["messageId"] for row in found["entries"])


def is_in(world: World, who: Customer, segment: str) -> bool:
    return segment in who.shown["segments"]


def test_an_event_counts_once_after_a_rejoin(world: World):
    ada, laptop, caller = two_in_one(world)
    caller.does("Store Visited")
    world.drain()
    part(world, ada, laptop)
    for who in (ada, laptop):
        assert [event.name for event in who.profile.history].count("Store Visited") == 1
    join_again(world, ada, laptop)
    assert [event.name for event in ada.profile.history].count("Store Visited") == 1
    assert not is_in(world, ada, "store")
    part(world, ada, laptop)  # and with nothing in between both have it again
    for who in (ada, laptop):
        assert [event.name for event in who.profile.history].count("Store Visited") == 1
    assert differences(world) == []


@pytest.mark.parametrize("since", ["nobody", "ada", "laptop", "both"])
def test_a_long_past_counts_once_too(world: World, since: str):
    ada, laptop, caller = two_in_one(world)
    for _ in range(40):
        caller.does("Page Seen")
    world.drain()
    part(world, ada, laptop)
    for name, who in (("ada", ada), ("laptop", laptop)):
        assert sum(told(world, who).values()) == len(told(world, who)) >= 41
        for _ in range(26 if since in (name, "both") else 0):  # the common ones leave
            who.does("Page Viewed")
    world.drain()
    join_again(world, ada, laptop)
    assert set(told(world, ada).values()) == {1}
    assert not is_in(world, ada, "often")
    caller.does("Page Seen")
    world.drain()
    assert is_in(world, ada, "often")
    for _ in range(30):
        ada.does("Page Viewed")
    world.drain()
    assert is_in(world, ada, "often")
    assert differences(world) == []
    part(world, ada, laptop)
    for who in (ada, laptop):
        assert [count for count in told(world, who).values() if count > 1] == []
        assert is_in(world, who, "often")
    assert differences(world) == []


def test_an_event_counts_once_where_both_go_to_a_third_person(world: World):
    ada, laptop, caller = two_in_one(world)
    caller.does("Store Visited")
    world.drain()
    part(world, ada, laptop)
    eve = Customer(world, "eve", "")
    eve.does("Page Viewed")
    world.drain()
    for who in (laptop, ada):
        world.engine.ask_profile(eve.id, Join(other=who.id, source="operator", force=True))
        world.drain()
    assert eve.id == ada.id == laptop.id
    assert [event.name for event in record(world, eve.id).history].count("Store Visited") == 1
    assert not is_in(world, eve, "store")
    assert differences(world) == []
