"""Short lives in which merges, splits and erasures cross: no place is left between two profiles.

Random lives have found them (`tests/engine/splitting/test_conservation.py`).
"""

from __future__ import annotations

import pytest
from support.lives import Conservation

from engine.inputs import Split

CARD, OTHER_CARD, DEVICE = ("loyalty_id", "c1"), ("loyalty_id", "c2"), ("anonymous_id", "d1")
A, B = "a@example.com", "b@example.com"


@pytest.fixture
def life() -> Conservation:
    life = Conservation()
    life.begin()
    return life


def split(life: Conservation, user: str, origin: tuple[str, str]) -> None:
    """Undo the merge that brought the profile which lived at `origin` to this user."""
    life.settle()
    profile, place = life.profile_of(("user_id", user)), life.home(origin)
    (merge,) = [past.id for past in profile.ledger if past.origin[:-2] == place[:-2] and not past.undone_ms]
    assert life.try_telling(profile.id, Split(merge_id=merge))


def lives_at(life: Conservation, who: tuple[str, str]) -> str:
    return life.resolve(life.home(who))


def test_a_device_that_another_one_only_named_stays_whose_it_is(life: Conservation):
    """Cy named Ada's browser, and was merged and split. Who takes that split in keeps the browser none the less."""
    life.logs_in("ada", "d1")
    life.mailbox_says_no("a@example.com")
    life.logs_in("cy", "d1")
    life.states_mail("cy", "a@example.com")
    life.states_mail("bob", "b@example.com")
    life.states_mail("bob", "a@example.com")
    life.settle()
    bob = life.profile_of(("user_id", "bob"))
    for merge in [past.id for past in bob.ledger]:
        assert life.try_telling(bob.id, Split(merge_id=merge))
        life.settle()
    life.states_mail("ada", "b@example.com")
    life.everything_is_accounted_for()
    assert life.resolve(life.home(("anonymous_id", "d1"))) == life.resolve(life.home(("user_id", "ada")))


def test_a_device_that_one_only_named_stays_with_whom_a_later_merge_brought(life: Conservation):
    life.states_mail("ada", B)
    life.settle()
    life.logs_in("bob", "d1")
    life.logs_in("cy", "d1")  # and it is Bob's
    life.states_mail("cy", B)
    life.states_mail("bob", A)
    life.settle()
    life.states_mail("cy", A)
    split(life, "ada", ("user_id", "cy"))
    life.everything_is_accounted_for()
    assert lives_at(life, DEVICE) == lives_at(life, ("user_id", "bob")) == lives_at(life, ("user_id", "ada"))


def test_a_card_that_came_back_after_an_erasure_stays_with_its_profile(life: Conservation):
    """Its place and its profile have other epochs."""
    life.does("Order Completed", CARD)
    life.uses_card("cy", "c2")
    life.erases(CARD)
    life.uses_card("bob", "c2")
    life.settle()
    life.does("Product Added", CARD)
    life.uses_card("bob", "c1")
    split(life, "cy", ("user_id", "bob"))
    life.everything_is_accounted_for()
    assert lives_at(life, CARD) == lives_at(life, ("user_id", "cy")) != lives_at(life, ("user_id", "bob"))


def test_a_place_is_with_whoever_asks_back(life: Conservation):
    """Ada asked for Bob's card, and went to Cy before Bob had answered. Bob followed her, and stays when she leaves."""
    life.uses_card("bob", "c1")
    life.settle()
    life.aliases("cy", "ada")
    life.uses_card("ada", "c1")
    life.settle()
    assert lives_at(life, CARD) == lives_at(life, ("user_id", "ada"))
    for each in ("ada", "bob", "cy"):
        holder = life.record(lives_at(life, ("user_id", each)))
        for past in [past.id for past in holder.ledger if past.id and not past.undone_ms]:
            life.try_telling(holder.id, Split(merge_id=past))
            life.everything_is_accounted_for()
    assert lives_at(life, CARD) == lives_at(life, ("user_id", "bob"))


def test_a_refusal_of_a_merged_profile_takes_no_place_from_the_survivor(life: Conservation):
    """Ada asked for Bob's device, and had become one with him when the answer came. It is erased with both."""
    life.logs_in("bob", "d1")
    life.aliases("bob", "ada")
    life.logs_in("ada", "d1")
    life.settle()
    first = life.profile_of(("user_id", "bob"))
    assert life.home(DEVICE) in first.held
    life.erases(DEVICE)
    life.logs_in("cy", "d1")
    life.everything_is_accounted_for()
    assert lives_at(life, DEVICE) == lives_at(life, ("user_id", "cy"))


def test_who_has_an_address_that_a_split_gave_away_hears_its_no(life: Conservation):
    life.states_mail("cy", A)
    life.states_mail("ada", B)
    life.states_mail("ada", A)
    split(life, "cy", ("user_id", "ada"))
    life.mailbox_says_no(B)
    life.states_mail("cy", B)
    life.everything_is_accounted_for()


def test_an_address_is_claimed_though_its_owner_has_declined(life: Conservation):
    """The split took it from Bob, who states it again within the hour."""
    life.mailbox_says_no(B)
    life.mailbox_says_no(A)
    life.states_mail("bob", A)
    life.states_mail("cy", A)
    life.states_mail("cy", B)
    split(life, "bob", ("email", A))
    split(life, "bob", ("email", B))
    life.states_mail("bob", B)
    split(life, "bob", ("user_id", "cy"))
    life.states_mail("bob", B)
    life.everything_is_accounted_for()
    assert lives_at(life, ("email", A)) == life.home(("email", A))


def test_who_comes_back_knows_nothing_of_the_erased(life: Conservation):
    """Bob was split from Cy, who had a device. Both were Ada's for a while; Cy was erased before Bob came back."""
    life.does("Page Viewed", ("user_id", "ada"))
    life.settle()
    life.does("Page Viewed", ("user_id", "bob"))
    life.settle()
    life.logs_in("cy", "d1")
    life.aliases("bob", "cy")
    split(life, "bob", ("user_id", "cy"))
    life.settle()
    life.aliases("ada", "cy")
    life.settle()
    life.aliases("ada", "bob")
    split(life, "ada", ("user_id", "cy"))
    life.erases(("user_id", "cy"))
    life.logs_in("bob", "d1")
    split(life, "ada", ("user_id", "bob"))
    life.everything_is_accounted_for()
    bob = life.profile_of(("user_id", "bob"))
    assert {*bob.split_off.values()} == {lives_at(life, ("user_id", "ada"))}
    assert bob.ledger == [], "there is nobody to rejoin"
    assert lives_at(life, DEVICE) == bob.id


def test_what_an_inner_merge_had_brought_stays_apart_from_both(life: Conservation):
    life.does("Product Added", CARD)
    life.does("Page Viewed", ("user_id", "bob"))
    life.settle()
    life.uses_card("cy", "c1")
    life.settle()
    life.aliases("bob", "cy")
    split(life, "bob", CARD)
    split(life, "bob", ("user_id", "cy"))
    life.uses_card("cy", "c1")
    life.everything_is_accounted_for()
    assert len({lives_at(life, who) for who in (CARD, ("user_id", "bob"), ("user_id", "cy"))}) == 3


def test_an_address_of_somebody_who_lives_on_has_a_journal_after_an_erasure(life: Conservation):
    """A split gave Bob's address to Ada. He is erased, and what its place keeps of him with him."""
    life.logs_in("bob", "d1")
    life.aliases("ada", "d2")
    life.settle()
    life.aliases("bob", "d2")
    life.settle()
    life.states_mail("ada", B)
    life.settle()
    split(life, "bob", ("user_id", "ada"))
    life.states_mail("bob", B)
    life.erases(DEVICE)
    life.mailbox_says_no(B)
    life.everything_is_accounted_for()
    assert lives_at(life, ("email", B)) == lives_at(life, ("user_id", "ada"))
