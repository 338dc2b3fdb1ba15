"""A split leaves no place between two profiles: whoever is asked for it, and by whatever way, the same one answers."""

from __future__ import annotations

import pytest
from support import splitting
from support.world import CART, World

from engine.identity.home import home_of
from engine.profile import Profile

CARD, OTHER_CARD, MAIL = ("loyalty_id", "card"), ("loyalty_id", "other"), ("email", "a@example.com")
PHONE = ("phone", "+4930123456")


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(CART, shards=request.param)


def split(world: World, profile: str, number: int = -1) -> None:
    splitting.split(world, profile, number)
    world.drain()


def came_to(world: World, identifier: tuple[str, str]) -> str:
    """The profile whose timeline an event under this identifier alone has come to."""
    told = world.customer().event("Page Viewed", identifiers=(identifier,))
    world.engine.stage([told])
    world.drain()
    (found,) = [
        name
        for windows in world.engine.windows
        for name in windows.shard.all_profiles()
        if isinstance(record := windows.shard.record(name), Profile)
        if any(event.message_id == told.message_id for event in record.history)
    ]
    return found


def place_of(world: World, identifier: tuple[str, str]) -> str:
    found = home_of(world.catalog, world.customer().event("?", identifiers=(identifier,)))
    assert found is not None
    return found


@pytest.mark.parametrize("shared", [MAIL, OTHER_CARD, PHONE], ids=lambda pair: pair[0])
def test_what_joined_two_stays_with_the_one_who_had_it(world: World, shared: tuple[str, str]):
    ada, guest, card = world.customer("ada"), world.customer(), place_of(world, CARD)
    ada.does("Page Viewed", identifiers=(shared,))
    guest.does("Page Viewed", identifiers=(CARD,))
    world.drain()
    guest.does("Page Viewed", identifiers=(CARD, shared))
    world.drain()
    assert world.engine.resolve(card) == ada.id
    split(world, ada.id)
    assert world.engine.resolve(card) == card
    assert world.engine.between() == []
    assert came_to(world, shared) == ada.id


def test_an_address_that_followed_the_survivor_goes_back(world: World):
    """While both were one, its place was asked to point to the survivor itself."""
    guest, ada, card = world.customer(), world.customer("ada"), place_of(world, CARD)
    guest.does("Page Viewed", identifiers=(CARD, MAIL))
    ada.does("Page Viewed")
    world.drain()
    ada.does("Page Viewed", identifiers=(MAIL,))
    world.drain()
    assert world.engine.resolve(card) == ada.id
    world.customer(anonymous="phone").does("Page Viewed")
    world.drain()
    ada.does("Page Viewed", identifiers=(("anonymous_id", "phone"),))
    world.drain()
    split(world, ada.id)  # the addresses are asked for once more
    split(world, ada.id, 0)
    assert world.engine.between() == []
    assert came_to(world, MAIL) == card != ada.id
