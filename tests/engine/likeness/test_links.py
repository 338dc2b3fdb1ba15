"""A likely link lends context to decisions, and nothing else; it falls when there is no reason for it any more."""

from __future__ import annotations

import pytest
from support.matching import (
    ADA,
    BYRON,
    CLOSE,
    FAINT,
    TWIN,
    adopt,
    answer,
    catalog,
    erase,
    guest,
    match,
    person,
    reviews,
)
from support.world import Customer, World, action

TEA = {"favourite": "tea"}


def linked(*, shards: int = 3) -> tuple[World, Customer, Customer]:
    """Two profiles that are probably one person; only the first has told what it likes."""
    world = World(catalog(), shards=shards)
    online, till = person(world, "ada", ADA | TEA), guest(world, "a.l", CLOSE)
    match(world)
    return world, online, till


def shown(who: Customer) -> list[str]:
    return [each["actionId"] for each in who.decides(request_id=who.world.message_id())["actions"]]


def test_a_decision_reads_what_was_lent_and_its_receipt_says_so():
    _, online, till = linked()

    assert shown(till) == ["tea"]

    receipt = till.timeline[-1].detail["receipt"]
    assert receipt[-1] == [online.id]
    assert till.shown["traits"].get("favourite") is None


def test_the_profile_that_lends_does_not_read_its_own_words_back():
    _, online, _ = linked()
    assert shown(online) == ["hello"]
    assert online.timeline[-1].detail["receipt"][-1] == []


@pytest.mark.parametrize(("name", "left"), [("likely.favourite", []), ("firstName", ["letter"])])
def test_a_message_never_goes_out_on_account_of_a_link(name: str, left: list[str]):
    plain = catalog()
    eligible = {"trait": {"name": name, "exists": True}}
    plain["actions/letter.yaml"] = action("letter", eligible=eligible, purpose="service", tier="service")
    plain["journeys/letters.yaml"] = {
        "id": "letters",
        "tier": "service",
        "trigger": {"event": "Asked"},
        "steps": [{"send": {"action": "letter", "channel": "email"}}],
    }
    world = World(plain)
    person(world, "ada", ADA | TEA)
    till = guest(world, "a.l", CLOSE | {"email": "a.l@shop.example"})
    match(world)
    assert till.profile.likely

    till.does("Asked")
    world.advance(hours=1)

    assert till.sends == left


def test_a_link_falls_at_both_ends_when_what_was_compared_changes():
    world, online, till = linked()

    till.identifies(**BYRON)
    match(world)

    assert online.profile.likely == []
    assert till.profile.likely == []
    assert shown(till) == ["hello"]


def test_what_was_lent_expires_and_is_lent_anew_while_both_are_alike():
    world, online, till = linked()
    world.advance(days=31)
    assert shown(till) == ["hello"]

    match(world)

    assert shown(till) == ["tea"]
    assert online.profile.likely[0].until_ms > world.now_ms


def test_an_erased_person_leaves_nothing_with_the_other():
    world, online, till = linked()
    erase(world, online)
    assert till.profile.likely == []
    assert shown(till) == ["hello"]


def test_a_link_goes_with_the_profile_that_is_merged_and_is_found_anew():
    world, online, till = linked()
    card = world.customer("card")
    card.does("Signed In", identifiers=(("loyalty_id", "a.l"),))
    world.advance(minutes=2)
    assert online.profile.likely == []

    match(world)

    assert [link.profile for link in online.profile.likely] == [card.id]
    assert [link.profile for link in card.profile.likely] == [online.id]
    assert till.id == card.id


def test_two_that_are_surely_one_person_merge_and_the_link_is_forgotten():
    world, online, till = linked()
    till.identifies(**TWIN)
    match(world)
    assert online.id == till.id
    assert online.profile.likely == []
    assert online.profile.traits["favourite"].value == "tea"


def test_a_candidate_is_a_question_that_is_asked_once():
    world = World(catalog(), shards=2)
    ada, perhaps = person(world, "ada", ADA), guest(world, "al", FAINT)
    match(world)
    match(world)
    asked = reviews(world, ada) + reviews(world, perhaps)
    assert [(entry.kind, entry.state) for entry in asked] == [("candidate", "open")]
    assert 0.5 < asked[0].confidence < 0.99
    assert ["surname", "exact"] in [why[:2] for why in asked[0].detail["why"]]
    assert ada.profile.likely == []


def test_a_yes_makes_one_profile_of_two():
    world = World(catalog(), shards=2)
    ada, perhaps = person(world, "ada", ADA), guest(world, "al", FAINT)
    match(world)
    asked = min(ada, perhaps, key=lambda who: who.id)
    answer(world, asked, reviews(world, asked)[0], accepted=True)
    assert ada.id == perhaps.id
    assert [entry.state for entry in reviews(world, ada)] == ["accepted"]


def test_a_no_is_remembered_whichever_of_both_changes_later():
    world = World(catalog(), shards=2)
    ada, perhaps = person(world, "ada", ADA), guest(world, "al", FAINT)
    match(world)
    asked = min(ada, perhaps, key=lambda who: who.id)
    answer(world, asked, reviews(world, asked)[0], accepted=False)

    perhaps.identifies(**TWIN)
    match(world)

    assert ada.id != perhaps.id
    assert ada.profile.likely == perhaps.profile.likely == []
    assert [entry.state for entry in reviews(world, asked)] == ["dismissed"]


def test_a_no_stays_with_the_survivor_of_a_merge():
    world = World(catalog(), shards=2)
    ada, perhaps = person(world, "ada", ADA), guest(world, "al", FAINT)
    match(world)
    asked = min(ada, perhaps, key=lambda who: who.id)
    answer(world, asked, reviews(world, asked)[0], accepted=False)

    card = world.customer("card")
    card.does("Signed In", identifiers=(("loyalty_id", "al"),))
    world.advance(minutes=2)
    perhaps.identifies(**TWIN)
    ada.identifies(**TWIN)
    match(world)

    assert ada.id != perhaps.id
    assert [entry.state for entry in reviews(world, card)] == ["dismissed"]


def test_without_matching_no_link_is_left():
    world, online, till = linked()
    adopt(world, catalog(enabled=False))
    assert shown(till) == ["hello"]
    online.does("Page Viewed")
    assert online.profile.likely == []


def test_what_a_write_key_states_makes_nobody_resemble_somebody():
    world = World(catalog())
    ada = person(world, "ada", ADA | TEA)
    thief = world.customer(anonymous="thief")
    thief.does("Identified", kind="identify", traits=ADA, public=True)
    match(world)
    assert thief.id != ada.id
    assert ada.profile.likely == thief.profile.likely == []
    assert reviews(world, ada) == reviews(world, thief) == []
