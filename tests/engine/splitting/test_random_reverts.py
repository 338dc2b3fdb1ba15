"""What two sources did to random people is split, joined again, reverted and erased: the first worlds of the sweep."""

from __future__ import annotations

import pytest
from support.world import CART, World

from engine.identity.home import home_of
from engine.inputs import Decide, Revert
from engine.profile import Profile
from loadtest.sweeps import orders, reverts


@pytest.mark.parametrize(
    "seed", [*range(8), 138, 195]
)  # 138: a question meets two erased profiles; 195: pointers lead round for a while
def test_the_journals_say_what_is_stored_and_every_place_leads_to_somebody(seed: int):
    assert reverts.World(orders.small_catalog(), seed).play() == []


def test_a_place_that_a_split_gave_to_somebody_who_has_come_here_leads_here():
    world = World(CART, shards=3)

    def says(user: str, device: str, *others: tuple[str, str], kind: str = "track") -> str:
        who = world.customer(user, anonymous=device)
        who.does("Seen", kind=kind, identifiers=others, source="server")
        return who.id

    says("", "z", ("loyalty_id", "2"), ("device_id", "E"), kind="identify")
    first = world.customer(anonymous="z").id
    world.settle()
    second = says("d", "z", ("loyalty_id", "2"), ("device_id", "D"), kind="identify")
    world.settle()
    world.engine.ask_profile(second, Revert(source="server"))
    world.settle()
    world.settle()
    says("d", "x", ("email", "p@x.example"))
    world.engine.ask_profile(first, Revert(source="server"))
    says("", "z", ("loyalty_id", "1"), ("email", "p@x.example"))
    world.settle()
    world.advance(minutes=5)
    assert world.engine.between() == []
    world.customer(anonymous="z").does("Seen Again")
    world.settle()
    assert "Seen Again" in [event.name for event in world.customer("d").profile.history]


@pytest.mark.parametrize("later_ms", [-1, 0, 1])
def test_a_revert_that_is_under_way_takes_nothing_from_whom_its_profile_comes_to(later_ms: int):
    world = World(CART, shards=2)
    mail, card = ("email", "ada@example.com"), ("loyalty_id", "L")
    ada, visitor, till = world.customer("ada"), world.customer(anonymous="a"), world.customer()
    ada.does("Identified", kind="identify", traits={"size": "M", "email": mail[1]}, identifiers=(mail,), source="web")
    till.does("Identified", kind="identify", traits={"hat": "red"}, identifiers=(card,), source="till")
    visitor.does("Seen", source="web", public=True)
    world.settle()
    visitor.does("Seen", identifiers=(card,), source="web")
    world.settle()
    evil = ("email", "evil@example.com")
    stated = {"kind": "identify", "traits": {"email": evil[1], "shoe": 42}, "source": "web"}
    till.does("Identified", identifiers=(card, evil), **stated)
    world.settle()
    for step in sorted([0, later_ms]):
        if step == later_ms:
            world.advance(max(0, later_ms))
            ada.does("Bought", identifiers=(card,), source="shop")
        if step == 0:
            world.engine.ask_profile(world.engine.resolve(home(card)), Revert(source="web"))
    world.advance(minutes=6)
    assert {name: trait.value for name, trait in ada.profile.traits.items()} == {
        "size": "M", "email": mail[1], "hat": "red",
    }  # fmt: skip
    assert evil[1] not in [link.value for link in ada.profile.identifiers]


def test_what_is_said_after_a_revert_stays_though_its_splits_are_under_way():
    world = World(CART, shards=2)
    card = ("loyalty_id", "L")
    till, visitor = world.customer(), world.customer(anonymous="a")
    till.does("Identified", kind="identify", traits={"hat": "red"}, identifiers=(card,), source="till")
    visitor.does("Seen", source="web", public=True)
    world.settle()
    visitor.does("Seen", identifiers=(card,), source="web")
    world.settle()
    profile = world.engine.resolve(home(card))
    world.engine.ask_profile(profile, Revert(source="web"))
    till.does("Identified", kind="identify", traits={"size": "M"}, identifiers=(card,), source="web")
    world.advance(minutes=5)
    kept = world.engine.shard(profile).record(world.engine.resolve(home(card)))
    assert isinstance(kept, Profile)
    assert {name: trait.value for name, trait in kept.traits.items()} == {"hat": "red", "size": "M"}


def home(identifier: tuple[str, str]) -> str:
    found = home_of(World(CART).catalog, Decide(placement="x", channel="web", identifiers=(identifier,)))
    assert found is not None
    return found
