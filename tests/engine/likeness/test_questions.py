"""A question about two profiles is open once, and a no to it stands: for both, whatever they merge with."""

from __future__ import annotations

import pytest
from support.matching import ADA, CLOSE, FAINT, TWIN, answer, catalog, erase, guest, match, person, reviews
from support.world import Customer, World

from engine.errors import InvalidInput, NotFound
from engine.parts.of_identity import ReviewEntry


def asked_of(world: World, *people: Customer) -> tuple[Customer, ReviewEntry]:
    """The one open question about some people, and whose it is."""
    found = [(who, entry) for who in people for entry in reviews(world, who) if entry.state == "open"]
    assert len(found) == 1, found
    return found[0]


def perhaps(number: int = 0) -> tuple[World, Customer, Customer]:
    world = World(catalog(), shards=2)
    ada, till = person(world, f"ada{number}", ADA), guest(world, f"al{number}", FAINT)
    match(world)
    return world, ada, till


def test_an_entry_that_was_read_before_it_was_answered_decides_nothing_more():
    world, ada, till = perhaps()
    who, entry = asked_of(world, ada, till)
    answer(world, who, entry, accepted=False)

    with pytest.raises(InvalidInput, match="was dismissed before"):
        answer(world, who, entry, accepted=True)

    assert ada.id != till.id
    assert [each.state for each in reviews(world, who)] == ["dismissed"]


@pytest.mark.parametrize("number", range(6))  # the one or the other is asked, before and after the merge
def test_a_no_after_a_merge_closes_every_question_about_the_pair(number: int):
    world, ada, till = perhaps(number)
    card = world.customer(f"card{number}")
    card.does("Signed In", identifiers=(("loyalty_id", f"al{number}"),))
    world.advance(minutes=2)
    match(world)
    assert till.id == card.id
    found = [(who, entry) for who in (ada, card) for entry in reviews(world, who) if entry.state == "open"]

    answer(world, *found[0], accepted=False)

    assert [entry.state for who in (ada, card) for entry in reviews(world, who) if entry.state == "open"] == []
    for who in (ada, card):
        who.identifies(**TWIN)
    match(world)
    assert ada.id != card.id
    assert [entry.state for who in (ada, card) for entry in reviews(world, who) if entry.state == "open"] == []


def test_a_question_about_somebody_who_is_erased_is_closed():
    world = World(catalog(), shards=3)
    ada, till = person(world, "ada", ADA), guest(world, "a.l", CLOSE)
    match(world)
    who, entry = asked_of(world, ada, till)
    gone = till if who is ada else ada
    erase(world, gone)

    assert reviews(world, who) == []
    with pytest.raises(NotFound):
        answer(world, who, entry, accepted=True)
    gone.does("Page Viewed")
    world.advance(minutes=2)
    assert gone.id != who.id
