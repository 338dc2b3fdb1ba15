"""One mailbox, several profiles: caps and opt-outs of the address, whoever has it (`docs/addresses.md`)."""

from __future__ import annotations

from typing import Any

import pytest
from support.letters import SHOP, said, says
from support.world import DAY, YES_TO_MAIL, Customer, World, action, cart_journey, document

from engine.contact import addresses
from engine.decide import decision
from engine.errors import Moved
from engine.identity import holding
from engine.inputs import Bind, ConsentChange, Erase, Given
from engine.seeds import profile_id
from engine.sends import sends
from engine.turn_state import Turn

HOME = "family@home.example"
LETTER = cart_journey(
    id="letters", trigger={"event": "Letter Wanted"}, key="number",
    steps=[{"send": {"action": "letter", "channel": "email", "on_held": "exit"}}],
)  # fmt: skip
WEEKLY = {"id": "weekly", "limit": 1, "per": "7d", "match": {"channel": "email"}}


def shop(*caps: dict[str, Any], **channel: Any) -> dict[str, Any]:
    made = document(actions=[action("letter")], journeys=[LETTER], policies={"caps": list(caps or (WEEKLY,))})
    rows = [row | channel if row["id"] == "email" else row for row in made["channels.yaml"]["channels"]]
    return made | {"channels.yaml": {"channels": rows}}


@pytest.fixture(params=[1, 4], ids=["one shard", "four shards"])
def world(request: pytest.FixtureRequest) -> World:
    return World(shop(), shards=request.param)


def member(world: World, name: str, email: str = HOME, *, public: bool = False) -> Customer:
    who = world.customer(name, consents=YES_TO_MAIL)
    says(who, email=email, public=public)
    return who


def want(*people: Customer, **fields: Any) -> None:
    """Each of them triggers a letter, all at once."""
    world = people[0].world
    world.engine.stage([who.event("Letter Wanted", number=world.message_id(), **fields) for who in people])
    world.advance(minutes=3)


def opts_out(world: World, email: str = HOME) -> None:
    """Nobody is named but the mailbox, as by a link in a mail that was forwarded."""
    place = profile_id(world.catalog.id_key, "email", email)
    said = ConsentChange(purpose="*", channel="email", granted=False, at_ms=world.now_ms, source="link", address=place)
    while place:
        try:
            world.engine.shard(place).tell(place, Bind(change=said))
            place = ""
        except Moved as moved:  # to the next epoch, after an erasure
            place = moved.to


def letters(world: World, email: str = HOME) -> int:
    return sum(mail["address"] == email for mail in world.mailbox)


# -- the twin


def test_two_profiles_with_one_mailbox_get_one_letter_a_week(world: World):
    twins = [member(world, "ada"), member(world, "eda")]
    for week in range(1, 4):
        want(*twins)
        assert letters(world) == week
        want(*reversed(twins))
        assert letters(world) == week
        world.advance(days=7)
    refused = [reason for twin in twins for _, reason in twin.outcomes("withdrawn") + twin.outcomes("held")]
    assert set(refused) == {"cap.weekly"} and len(refused) == 9


def test_a_lent_place_counts_from_when_its_letter_left_and_not_a_moment_longer(world: World):
    first, second = member(world, "ada"), member(world, "eda")
    want(second)
    (left,) = [entry.at_ms for entry in second.timeline if entry.outcome == "sent"]
    world.advance(left + 7 * DAY - world.now_ms - 20_000)
    first.does("Letter Wanted", number="early")
    world.advance(10_000)
    assert letters(world) == 1
    world.advance(20_000)
    want(first)
    assert letters(world) == 2


def test_the_same_for_a_cap_of_another_tier_or_action_that_the_message_is_not_under(world: World):
    other = World(shop({"id": "sms", "limit": 1, "per": "7d", "match": {"channel": "sms"}},
                       {"id": "each", "limit": 1, "per": "7d", "match": {"tier": "promotional"}}))  # fmt: skip
    want(member(other, "ada"), member(other, "eda"))
    assert letters(other) == 2


def test_messages_to_another_address_of_the_same_person_do_not_count(world: World):
    ada, eda = member(world, "ada", "ada@home.example"), member(world, "eda")
    want(ada)
    says(ada, email=HOME)
    want(eda)
    assert (letters(world, "ada@home.example"), letters(world)) == (1, 1)


def test_a_refused_letter_gives_its_place_back(world: World):
    first, second = member(world, "ada"), member(world, "eda")
    world.provider_says = "refused"
    want(second)
    world.provider_says = "sent"
    want(first)
    assert letters(world) == 1
    want(second)
    assert letters(world) == 1


def test_a_letter_that_is_tried_again_takes_one_place(world: World):
    first, second = member(world, "ada"), member(world, "eda")
    world.provider_says = "retry"
    want(second)
    world.provider_says = "sent"
    world.advance(hours=1)
    assert letters(world) == 1
    want(first, second)
    assert letters(world) == 1


def test_what_another_has_sent_is_named_as_the_reason(world: World):
    first, second = member(world, "ada"), member(world, "eda")
    want(second)
    want(first)
    held = [entry for entry in first.timeline if entry.kind == "send" and entry.reason == "cap.weekly"]
    assert [(entry.outcome, entry.detail.get("counted")) for entry in held] == [("held", "address")]
    want(second)
    world.advance(days=7)
    want(first)
    want(second)
    withdrawn = [entry for entry in second.timeline if entry.outcome == "withdrawn"]
    assert [(entry.reason, entry.detail.get("counted")) for entry in withdrawn] == [("cap.weekly", "address")]


# -- the family mailbox


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("shards", [1, 4])
def test_the_first_letter_of_a_new_holder_waits_for_the_words_of_the_address(shards: int, public: bool):
    """No cap, so nobody is asked for room: the answer to the claim alone is what the letter waits for."""
    world = World(document(actions=[action("letter")], journeys=[LETTER]), shards=shards)
    member(world, "ada")
    opts_out(world)
    dan = world.customer("dan", consents=YES_TO_MAIL)
    world.engine.stage([said(dan, email=HOME, public=public), dan.event("Letter Wanted", number="1")])
    world.advance(minutes=5)
    assert letters(world) == 0
    assert dan.outcomes("withdrawn") == [("letter", "consent.marketing.email")]


@pytest.mark.parametrize("public", [False, True])
def test_an_opt_out_by_address_binds_all_who_have_it_and_whoever_gets_it_later(world: World, public: bool):
    family = [member(world, name, public=public) for name in ("ada", "bea", "cem")]
    want(family[0])
    assert letters(world) == 1
    opts_out(world)
    world.advance(days=8)
    want(*family)
    late = world.customer("dan", consents=YES_TO_MAIL)
    world.engine.stage([said(late, email=HOME, public=public), late.event("Letter Wanted", number="1")])
    world.advance(days=8)
    assert letters(world) == 1
    reasons = [reason for who in (*family, late) for _, reason in who.outcomes("withdrawn") + who.outcomes("held")]
    assert reasons == ["consent.marketing.email"] * 4


def test_the_first_letter_to_a_new_address_leaves_with_the_answer_of_its_place(world: World):
    ada = world.customer("ada", consents=YES_TO_MAIL)
    world.engine.stage([said(ada, email=HOME), ada.event("Letter Wanted", number="1")])
    world.advance(40_000)
    assert letters(world) == 1 and ada.profile.unanswered == []


def test_an_opt_out_that_came_before_anybody_had_the_address_holds(world: World):
    opts_out(world)
    for name, public in (("ada", True), ("bea", False)):
        who = world.customer(name, consents=YES_TO_MAIL)
        world.engine.stage([said(who, email=HOME, public=public), who.event("Letter Wanted", number="1")])
        world.advance(minutes=5)
    assert letters(world) == 0


# -- whoever counts


def test_a_cap_holds_when_the_profile_that_counts_is_merged(world: World):
    visitor = world.customer("", consents=(), anonymous="laptop")
    says(visitor, email=HOME, public=True)
    eda = member(world, "eda")
    want(eda)
    both = Customer(world, "ada", "laptop")
    both.consents("marketing", "email", True)
    says(both, email=HOME)
    want(both)
    want(eda)
    assert letters(world) == 1


def test_a_cap_and_an_opt_out_hold_when_the_profile_that_counts_is_erased(world: World):
    first, second, third = (member(world, name) for name in ("ada", "bea", "cem"))
    want(first)
    erase(first)
    want(second, third)
    assert letters(world) == 1
    world.advance(days=7)
    want(second, third)
    assert letters(world) == 2
    opts_out(world)
    owner = world.engine.resolve(profile_id(world.catalog.id_key, "email", HOME))
    erase(next(who for who in (second, third) if who.id == owner))
    world.advance(days=8)
    late = member(world, "dan")
    want(late)
    assert letters(world) == 2


def erase(who: Customer) -> None:
    who.world.engine.ask_profile(who.id, Erase())
    who.world.advance(minutes=1)


def test_whom_the_place_does_not_know_any_more_writes_there_no_more(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(holding, "_HOLDERS_MAX", 1)
    owner, stranger = member(world, "ada"), member(world, "mallory", public=True)
    assert stranger.profile.unanswered == []
    eda = member(world, "eda")
    want(stranger)
    assert letters(world) == 0 and eda.profile.unanswered == [] and len(stranger.profile.unanswered) == 1
    world.advance(days=2)
    assert stranger.outcomes("withdrawn") == [("letter", "fit.unanswered_email")]
    want(eda, owner)
    assert letters(world) == 1


def test_a_profile_of_an_earlier_version_registers_before_its_next_letter(world: World):
    owner, eda = member(world, "ada"), member(world, "eda")
    opts_out(world)
    for who in (owner, eda):  # as they were kept when nobody kept who has an address
        profile = who.profile
        profile.told, profile.owns, profile.consent = [], [], [word for word in profile.consent if word.granted]
    want(owner, eda)
    assert letters(world) == 0
    assert owner.profile.unanswered == eda.profile.unanswered == []


def test_the_daily_bound_gets_its_place_back_from_a_refused_letter():
    receipts = World(SHOP | {"policies.yaml": {"service_per_address": 1}})
    ada, eda = receipts.customer("ada"), receipts.customer("eda")
    for who in (ada, eda):
        says(who, email=HOME, public=True)
    receipts.provider_says = "refused"
    eda.does("Order Completed", order_id="1", public=True)
    receipts.advance(minutes=2)
    receipts.provider_says = "sent"
    ada.does("Order Completed", order_id="2", public=True)
    receipts.advance(minutes=2)
    eda.does("Order Completed", order_id="3", public=True)
    receipts.advance(minutes=2)
    assert letters(receipts) == 1 and ada.sends == ["receipt"]


def test_why_says_who_is_asked(world: World):
    first, second = member(world, "ada"), member(world, "eda")
    asked = [decision.why(turn_of(who), world.catalog.actions["letter"])[0].get("asks") for who in (first, second)]
    assert asked == [None, "address"]


def turn_of(who: Customer) -> Turn:
    return Turn(who.profile, who.world.catalog, who.world.now_ms)


def test_the_owner_alone_asks_nobody(world: World):
    ada = member(world, "ada")
    before = ada.profile.message_seq
    want(ada)
    assert letters(world) == 1 and ada.profile.message_seq == before
    assert addresses.value(ada.profile, "email") == HOME


# -- an address that changes between question and answer

NEW = "new@home.example"


def test_room_at_an_address_that_is_no_more_is_given_back(world: World):
    """A letter has room at the family's mailbox, could not be handed over, and goes to an own address at last."""
    _, eda, cem = (member(world, name) for name in ("ada", "eda", "cem"))
    world.provider_says = "retry"
    world.engine.stage([eda.event("Letter Wanted", number="1")])
    world.advance(20_000)
    says(eda, email=NEW)
    world.provider_says = "sent"
    world.advance(minutes=5)
    assert (letters(world), letters(world, NEW)) == (0, 1)
    want(cem)
    assert letters(world) == 1


@pytest.mark.parametrize("ms", [1, 10_000, 15_000, 20_000])
def test_a_full_mailbox_stops_no_letter_to_the_address_that_came_after_it(ms: int):
    world = World(shop(), shards=4)
    _, eda, cem = (member(world, name) for name in ("ada", "eda", "cem"))
    want(cem)
    world.engine.stage([eda.event("Letter Wanted", number="1")])
    world.advance(ms)
    eda.tell(said(eda, email=NEW))
    world.advance(minutes=5)
    assert (letters(world), letters(world, NEW)) == (1, 1)


@pytest.mark.parametrize("granted", [True, False])
def test_a_late_answer_about_another_address_says_nothing(world: World, granted: bool):
    ada, eda = member(world, "ada"), member(world, "eda")
    want(ada)
    world.engine.stage([eda.event("Letter Wanted", number="1")])
    while not any(send.room == "asked" for send in eda.profile.sends):
        world.advance(1_000)
    (send,) = eda.profile.sends
    other = profile_id(world.catalog.id_key, "email", NEW)
    turn = turn_of(eda)
    sends.give_room(turn, Given(send=send.id, granted=granted, at_ms=world.now_ms, address=other))
    assert turn.profile.sends[0].room == "asked" and not turn.effects
