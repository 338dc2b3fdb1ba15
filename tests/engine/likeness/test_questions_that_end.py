"""An open question goes when nothing speaks for it any more, whichever of the two has changed."""

from __future__ import annotations

import pytest
from support.matching import ADA, BYRON, FAINT, answer, catalog, erase, guest, match, person, reviews
from support.world import Customer, World


def asked(number: int) -> tuple[World, Customer, Customer]:
    """Two who are perhaps one person; there is no link, only a question."""
    world = World(catalog(), shards=2)
    ada, till = person(world, f"ada{number}", ADA), guest(world, f"al{number}", FAINT)
    match(world)
    assert states(world, ada, till) == ["open"] and not ada.profile.likely
    return world, ada, till


def states(world: World, *people: Customer) -> list[str]:
    return [entry.state for who in people for entry in reviews(world, who) if entry.kind == "candidate"]


@pytest.mark.parametrize("number", range(6))  # the one or the other was asked
@pytest.mark.parametrize("changes", ["ada", "till"])
def test_a_pair_that_shares_nothing_any_more_is_asked_about_no_more(number: int, changes: str):
    world, ada, till = asked(number)

    (ada if changes == "ada" else till).identifies(**BYRON | {"address": {"city": "Newstead"}})
    match(world)

    assert states(world, ada, till) == []
    assert ada.profile.candidates == till.profile.candidates == []
    match(world)
    assert states(world, ada, till) == []
    (ada if changes == "ada" else till).identifies(**(ADA if changes == "ada" else FAINT))
    match(world)
    assert states(world, ada, till) == ["open"], "it is asked again when there is reason to"


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("gone", ["ada", "till"])
def test_a_question_about_somebody_who_is_erased_goes_without_a_link_too(number: int, gone: str):
    world, ada, till = asked(number)
    erase(world, ada if gone == "ada" else till)
    left = till if gone == "ada" else ada
    assert "open" not in states(world, left) and left.profile.candidates == []


@pytest.mark.parametrize("number", range(4))
def test_an_answer_ends_the_watch_over_the_pair(number: int):
    world, ada, till = asked(number)
    (who, entry) = next((who, entry) for who in (ada, till) for entry in reviews(world, who))
    answer(world, who, entry, accepted=False)
    assert ada.profile.candidates == till.profile.candidates == []
    till.identifies(**BYRON)
    match(world)
    assert states(world, ada, till) == ["dismissed"], "an answer stays"


@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("changes", ["ada", "till"])
def test_a_question_that_went_to_a_survivor_ends_too(number: int, changes: str):
    world, ada, till = asked(number)
    card = world.customer(f"card{number}")
    card.does("Signed In", identifiers=(("loyalty_id", f"al{number}"),))
    world.advance(minutes=2)
    match(world)
    assert till.id == card.id and states(world, ada, card).count("open") == 1
    (ada if changes == "ada" else card).identifies(**BYRON | {"address": {"city": "Newstead"}})
    match(world)
    assert "open" not in states(world, ada, card)
    assert ada.profile.candidates == card.profile.candidates == []
