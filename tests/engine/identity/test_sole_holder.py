"""An address that only a write key has stated: who is found by it."""

from __future__ import annotations

import pytest

from engine.identity.holding import sole_holder
from engine.profile import Profile, Tombstone
from engine.recent_events import Happened


def test_the_one_profile_that_has_the_address_is_found_by_its_place():
    assert sole_holder(Profile("p" * 30, holders=["ada"])) == "ada"


@pytest.mark.parametrize(
    "record",
    [None, Profile("p" * 30), Profile("p" * 30, holders=["ada", "bob"]), Tombstone("ada", 1, holders=["bob"])],
    ids=["nobody", "no holder", "two holders", "a pointer"],
)
def test_nobody_is_found_where_it_is_not_clear_whose_it_is(record: Profile | Tombstone | None):
    assert sole_holder(record) == ""


def test_whoever_lives_at_the_place_is_no_mere_holder():
    guest = Profile("p" * 30, holders=["ada"])
    guest.history.add(Happened(1, 1, "Order Completed", {}))
    assert sole_holder(guest) == ""
