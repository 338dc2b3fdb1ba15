"""What two sources did to random people is split, joined again, reverted and erased: the first worlds of the sweep."""

from __future__ import annotations

import pytest
from support.world import CART, World

from engine.inputs import Revert
from loadtest.sweeps import orders, reverts


@pytest.mark.parametrize("seed", [*range(8), 138])  # in the last one a question meets two erased profiles, one by one
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
