"""Both ends of a likely link agree that it is there, so what was lent goes when its lender takes it back or goes."""

from __future__ import annotations

import pytest
from support.matching import ADA, CLOSE, Guest, catalog, erase, guest, match, person
from support.splitting import differences, split
from support.world import Customer, World

from actors.storage import keys
from engine.inputs import Resembles
from engine.vocabulary import DAY_MS

TEA = {"favourite": "tea"}
UNSURE = catalog(merge_at=0.9999999)  # nobody merges


def crowd() -> tuple[World, list[Guest]]:
    """More people who are alike than one of them keeps links to."""
    world = World(catalog(merge_at=1.0), shards=3)
    people = [guest(world, f"c{number}", CLOSE | TEA) for number in range(8)]
    match(world)
    world.advance(minutes=5)
    return world, people


def test_no_link_is_kept_by_one_side_alone():
    _, people = crowd()
    kept = {(who.id, link.profile) for who in people for link in who.profile.likely}
    assert kept == {(other, one) for one, other in kept}


def test_of_an_erased_person_nothing_is_left_with_any_of_a_crowd():
    world, people = crowd()
    for gone in list(people)[:-1]:
        people.remove(gone)
        was = gone.id
        erase(world, gone)
        assert [who.card for who in people if was in {link.profile for link in who.profile.likely}] == []


def test_an_answer_that_nobody_waits_for_takes_the_link_away_again():
    world = World(catalog(), shards=3)
    ada, till = person(world, "ada", ADA), guest(world, "a.l", CLOSE)
    told = Resembles(profile=ada.id, to=till.id, confidence=0.995, until_ms=world.now_ms + 30 * DAY_MS, traits=TEA)
    world.engine.ask_profile(till.id, told)
    world.advance(minutes=5)
    assert (ada.profile.likely, till.profile.likely) == ([], [])


@pytest.mark.parametrize("is_erased", [True, False], ids=["erased since", "alive"])
def test_a_split_brings_no_link_back(is_erased: bool):
    """The link fell at both ends when the till's guest merged; its other end may be erased by now."""
    world = World(UNSURE, shards=3)
    xenia, till, ada = person(world, "xenia", ADA | TEA), guest(world, "t1", CLOSE), world.customer("ada")
    ada.does("Page Viewed")
    match(world)
    assert [link.traits for link in till.profile.likely] == [TEA]
    ada.does("Page Viewed", identifiers=(("loyalty_id", "t1"),))
    world.advance(minutes=5)
    assert ada.id == till.id and xenia.profile.likely == []
    batch = world.engine.shard(ada.id).batch
    assert [record for _, record in batch.rows("merges", keys.profile_key(ada.id)) if b"tea" in record] == []
    if is_erased:
        erase(world, xenia)
    split(world, ada.id)
    world.advance(minutes=5)
    assert [(who.profile.likely, who.profile.candidates) for who in (ada, till)] == [([], [])] * 2
    assert differences(world) == []
    match(world)
    assert [link.traits for link in till.profile.likely] == ([] if is_erased else [TEA])


@pytest.mark.parametrize("number", range(6))  # of some pairs the lender is the one that is asked first
def test_what_the_lender_takes_back_is_lent_no_more(number: int):
    world = World(UNSURE, shards=3)
    ada, till = person(world, f"ada{number}", ADA | TEA), guest(world, f"a.l{number}", CLOSE)
    match(world)
    assert till.profile.likely[0].traits == TEA

    ada.identifies(favourite=None)
    till.identifies(address={"state": "NSW"})
    match(world)

    assert till.profile.likely[0].traits == {}


def test_a_link_that_is_renewed_is_no_news():
    world = World(UNSURE, shards=3)
    ada, till = person(world, "ada", ADA | TEA), guest(world, "a.l", CLOSE)
    match(world)
    for state in ("NSW", "VIC", "QLD"):
        world.advance(days=10)
        till.identifies(address={"state": state})
        match(world)
    assert [len(linked(who)) for who in (ada, till)] == [1, 1]


def linked(who: Customer) -> list[str]:
    return [entry.summary for entry in who.timeline if entry.reason == "likely.matching" and entry.outcome == "linked"]
