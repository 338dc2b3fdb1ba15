"""Consent by purpose and channel: nothing leaves after an opt-out (Invariant 5)."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world import DAY, HOUR, ID_KEY, Customer, World, action, cart_journey, document

from engine import seeds
from engine.contact import consents
from engine.inputs import ConsentChange

LATER = [
    {"wait": {"for": "1h"}},
    {"send": {"action": "mail", "channel": "email"}},
    {"send": {"action": "text", "channel": "sms"}},
]


WAYS = ("mail", "receipt")


def world_with(default: bool = False, steps: list[Any] = LATER, shards: int = 1) -> World:
    """`Product Added` leads to an e-mail and a text message, for marketing."""
    purposes = {
        "marketing": {"channels": ["email", "sms"], "default": default},
        "news": {"channels": ["email"], "no_consent_needed": ["web"], "default": False},
    }
    return World(
        document(
            actions=[action("mail"), action("text", channels=["sms"]), action("letter", purpose="news")],
            journeys=[cart_journey(id="both", steps=steps)],
            consent={"purposes": purposes, "events": ["Consent Updated"]},
        ),
        shards=shards,
    )


# (default, what was said in order as (purpose, channel, granted, minutes ago), may e-mail marketing go?)
WORDS = [
    (False, [], False),
    (True, [], True),
    (False, [("marketing", "email", True, 5)], True),
    (False, [("marketing", "sms", True, 5)], False),
    (True, [("marketing", "sms", False, 5)], True),
    (True, [("marketing", "email", False, 5)], False),
    (False, [("news", "email", True, 5)], False),
    (True, [("news", "email", False, 5)], True),
    (False, [("marketing", "*", True, 5)], True),
    (True, [("marketing", "*", False, 5)], False),
    (True, [("*", "email", False, 5)], False),
    (True, [("*", "*", False, 5)], False),
    # a no is lifted by a later yes of the same or a wider scope, and by no narrower one
    (False, [("marketing", "email", True, 5), ("marketing", "*", False, 4)], False),
    (False, [("marketing", "*", False, 5), ("marketing", "email", True, 4)], False),
    (False, [("*", "*", False, 5), ("marketing", "email", True, 4)], False),
    (False, [("*", "email", False, 5), ("marketing", "*", True, 4)], False),
    (False, [("marketing", "email", False, 5), ("marketing", "*", True, 4)], True),
    (False, [("marketing", "email", False, 5), ("*", "email", True, 4)], True),
    (False, [("marketing", "email", False, 5), ("*", "*", True, 4)], True),
    (False, [("marketing", "*", True, 4), ("marketing", "email", False, 5)], True),
    (False, [("marketing", "*", False, 5), ("marketing", "*", True, 4)], True),
    # of one scope the latest by event time counts, whatever came in last, and a denial wins a tie
    (False, [("marketing", "email", True, 5), ("marketing", "email", False, 4)], False),
    (False, [("marketing", "email", False, 4), ("marketing", "email", True, 5)], False),
    (False, [("marketing", "email", True, 4), ("marketing", "email", False, 5)], True),
    (False, [("marketing", "email", True, 5), ("marketing", "email", False, 5)], False),
    (False, [("marketing", "email", False, 5), ("marketing", "email", True, 5)], False),
]


@pytest.mark.parametrize(("default", "words", "may"), WORDS)
def test_what_was_said_and_by_when_in_an_import(default: bool, words: list[tuple[str, str, bool, int]], may: bool):
    world = world_with(default)
    ada = world.customer("ada@example.com")
    for purpose, channel, granted, minutes in words:
        told = ConsentChange(
            purpose=purpose,
            channel=channel,
            granted=granted,
            at_ms=world.now_ms - minutes * 60_000,
            source="form",
            imported=True,
            identifiers=ada._names(),
        )
        world.engine.ask(told)
    assert may_mail(world, ada) is may
    ada.does("Product Added", cart_id="c")
    world.advance(hours=2)
    assert ("mail" in ada.sends) is may


def may_mail(world: World, customer: Customer) -> bool:
    """Whether a promotional e-mail may go to this customer now."""
    return consents.is_granted(customer.profile, world.catalog, "marketing", "email", "promotional")


@pytest.mark.parametrize(
    ("purpose", "channel", "tier", "basis"),
    [
        ("news", "sms", "promotional", None),
        ("news", "sms", "lifecycle", None),
        ("news", "sms", "service", consents.NOT_NEEDED),
        ("news", "email", "service", None),
        ("news", "web", "promotional", consents.NOT_NEEDED),
        ("news", "web", "service", consents.NOT_NEEDED),
        ("spying", "web", "service", None),
    ],
)
def test_a_channel_that_the_purpose_does_not_name_is_closed_to_all_but_service_messages(
    purpose: str, channel: str, tier: str, basis: str | None
):
    world = world_with()
    ada = world.customer("ada")
    ada.does("Page Viewed")
    assert consents.basis(ada.profile, world.catalog, purpose, channel, tier) == basis
    ada.consents("news", channel, False)
    assert consents.basis(ada.profile, world.catalog, "news", channel, tier) is None, "a no counts everywhere"


def test_nobody_without_consent_is_mailed_on_a_channel_that_was_left_out_of_the_file():
    world = World(
        document(
            actions=[action("mail"), action("receipt", tier="service")],
            journeys=[cart_journey(id="both", steps=[{"send": {"action": a, "channel": "email"}} for a in WAYS])],
            consent={"purposes": {"marketing": {"channels": ["sms"]}}},
        )
    )
    ada = world.customer("ada@example.com")
    ada.does("Product Added")
    world.settle()
    assert (ada.sends, ada.outcomes("held")) == (["receipt"], [("mail", "consent.marketing.email")])


@pytest.mark.parametrize("by_event", [False, True], ids=["by form", "by event"])
def test_an_opt_out_withdraws_what_waits_in_that_very_turn_and_nothing_leaves_later(by_event: bool):
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    ada.does("Product Added", cart_id="c1")
    world.advance(minutes=30)
    ada.does("Product Added", cart_id="c2")
    world.advance(minutes=30)  # the first has come up and waits for the next window
    assert [send.action for send in ada.profile.sends] == ["mail", "text"]
    if by_event:
        ada.does("Consent Updated", properties={"purpose": "marketing", "channel": "email", "granted": False})
    else:
        ada.consents("marketing", "email", False)
    assert [send.action for send in ada.profile.sends] == ["text"]
    assert ada.outcomes("withdrawn") == [("mail", "consent.marketing.email")]
    world.advance(days=1)
    assert ada.sends == ["text", "text"], "the other channel goes on"
    assert [message["channel"] for message in world.mailbox] == ["sms", "sms"]
    assert ada.outcomes("held") == [("mail", "consent.marketing.email")]
    assert ada.profile.places and {place.channel for place in ada.profile.places} == {"sms"}


def test_an_opt_out_during_a_hand_over_that_fails_keeps_the_retry_from_leaving():
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    ada.does("Product Added", cart_id="c")
    world.provider_says = "retry"
    world.advance(HOUR + 10_000)
    assert {send.state for send in ada.profile.sends} == {"handing_over"}
    ada.consents("marketing", "*", False)
    world.provider_says = "sent"
    world.drain()
    assert world.mailbox == []
    assert sorted(ada.outcomes("withdrawn")) == [("mail", "consent.marketing.email"), ("text", "consent.marketing.sms")]


# (the properties of `Consent Updated`, what is then recorded as (purpose, channel, granted))
SPELLINGS = [
    ({"purpose": "marketing", "channel": "email", "granted": False}, [("marketing", "email", False)]),
    ({"purpose": "Marketing ", "channel": " Email", "granted": "false"}, [("marketing", "email", False)]),
    ({"purpose": "MARKETING", "channel": "SMS", "granted": 0}, [("marketing", "sms", False)]),
    ({"purpose": "marketing", "channel": "email", "granted": "No"}, [("marketing", "email", False)]),
    ({"purpose": "marketing", "channel": "email", "granted": "TRUE"}, [("marketing", "email", True)]),
    ({"purpose": "marketing", "channel": "email", "granted": 1}, [("marketing", "email", True)]),
    ({"purpose": "marketing", "granted": False}, [("marketing", "*", False)]),
    ({"purpose": "marketing", "channel": "", "granted": False}, [("marketing", "*", False)]),
    ({"purpose": "marketing", "channel": None, "granted": False}, [("marketing", "*", False)]),
    ({"purpose": "marketing", "channel": [], "granted": False}, [("marketing", "*", False)]),
    ({"channel": "email", "granted": False}, [("*", "email", False)]),
    ({"granted": False}, [("*", "*", False)]),
    ({"purpose": "all", "channel": "All", "granted": False}, [("*", "*", False)]),
    (
        {"purpose": "marketing", "channel": ["email", "SMS"], "granted": False},
        [("marketing", "email", False), ("marketing", "sms", False)],
    ),
]


@pytest.mark.parametrize(("said", "recorded"), SPELLINGS)
def test_letter_case_and_spaces_do_not_matter_and_a_no_without_a_scope_is_about_all_of_it(
    said: dict[str, Any], recorded: list[tuple[str, str, bool]]
):
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    ada.does("Consent Updated", properties=said)
    assert [(word.purpose, word.channel, word.granted) for word in ada.profile.consent] == recorded


# (the properties of `Consent Updated`, the field that is named)
NONSENSE = [
    ({}, "granted"),
    ({"purpose": "marketing", "channel": "email"}, "granted"),
    ({"purpose": "marketing", "channel": "email", "granted": None}, "granted"),
    ({"purpose": "marketing", "channel": "email", "granted": "perhaps"}, "granted"),
    ({"purpose": "marketing", "channel": "email", "granted": 2}, "granted"),
    ({"purpose": "marketing", "channel": "email", "granted": [False]}, "granted"),
    ({"purpose": "marketing", "granted": True}, "channel"),
    ({"channel": "email", "granted": True}, "purpose"),
    ({"purpose": "marketing", "channel": "fax", "granted": False}, "channel"),
    ({"purpose": "marketing", "channel": ["email", "fax"], "granted": False}, "channel"),
    ({"purpose": "spying", "channel": "email", "granted": False}, "purpose"),
    ({"purpose": 7, "channel": "email", "granted": False}, "purpose"),
    ({"purpose": {"id": "marketing"}, "channel": "email", "granted": False}, "purpose"),
]


@pytest.mark.parametrize(("said", "field"), NONSENSE)
def test_what_cannot_be_understood_is_set_aside_with_its_reason_and_noted_nowhere(said: dict[str, Any], field: str):
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    ada.does("Consent Updated", properties=said)
    assert ada.profile.consent == [] and not [entry for entry in ada.timeline if entry.kind == "consent"]
    (letter,) = world.engine.shard(ada.id).dead.all()
    assert letter.reason.startswith(f"properties.{field}: ")


def test_an_event_that_carries_no_consent_in_this_catalog_says_nothing_about_it():
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    ada.does("Consent Changed", properties={"purpose": "marketing", "channel": "email", "granted": False})
    assert ada.profile.consent == []


def test_a_live_no_counts_from_its_arrival_and_a_yes_from_when_it_was_said():
    world = world_with()
    ada = world.customer("ada@example.com")
    world.advance(hours=1)
    for granted, age_ms in ((False, 2_000), (True, 1_000)):
        word = {"purpose": "marketing", "channel": "email", "granted": granted}
        ada.does("Consent Updated", at_ms=world.now_ms - age_ms, properties=word)
    (record,) = ada.profile.consent
    assert (record.granted, record.at_ms) == (False, world.now_ms)
    assert [(e.outcome, e.reason) for e in ada.timeline if e.kind == "consent"] == [
        ("withdrawn", ""),
        ("without_effect", "superseded"),
    ]


@pytest.mark.parametrize("by", ["event", "form"])
def test_a_yes_from_a_clock_that_runs_ahead_does_not_outlast_the_no_that_follows(by: str):
    world = world_with()
    ada = world.customer("ada@example.com")
    ahead_ms = world.now_ms + 4 * 60_000
    if by == "event":
        word = {"purpose": "marketing", "channel": "email", "granted": True}
        world.engine.ask(ada.event("Consent Updated", at_ms=ahead_ms, properties=word))
    else:
        yes = ConsentChange(
            purpose="marketing", channel="email", granted=True, at_ms=ahead_ms, source="form", identifiers=ada._names()
        )
        world.engine.ask(yes)
    assert may_mail(world, ada)
    world.advance(minutes=1)
    assert ada.consents("marketing", "email", False)["effective"]
    assert not may_mail(world, ada)
    world.advance(minutes=10)
    assert ada.consents("marketing", "email", True)["effective"] and may_mail(world, ada), "a later yes lifts it"


@pytest.mark.parametrize("granted", [True, False])
def test_an_import_never_counts_as_later_than_now(granted: bool):
    world = world_with()
    ada = world.customer("ada@example.com")
    years_ahead = world.now_ms + 80 * 365 * DAY
    word = {"purpose": "marketing", "channel": "email", "granted": granted}
    event = ada.event("Consent Updated", at_ms=years_ahead, properties=word, imported=True)
    world.engine.ask(event)
    world.advance(minutes=1)
    ada.consents("marketing", "email", not granted)
    assert may_mail(world, ada) is not granted


def test_a_yes_below_a_standing_no_has_no_effect_and_its_receipt_says_what_stands_against_it():
    world = world_with()
    ada = world.customer("ada@example.com")
    no = ada.consents("*", "*", False)
    world.advance(minutes=1)
    yes = ada.consents("marketing", "email", True)
    assert (yes["granted"], yes["effective"], yes["reason"]) == (True, False, "a_no_stands")
    assert [word["receiptId"] for word in yes["against"]] == [no["receiptId"]]
    assert [(w["purpose"], w["granted"], w["effective"]) for w in ada.shown["consent"]] == [
        ("*", False, True),
        ("marketing", True, False),
    ]
    world.advance(minutes=1)
    assert ada.consents("*", "*", True)["effective"]
    assert may_mail(world, ada) and [w["purpose"] for w in ada.shown["consent"]] == ["*", "marketing"]


def test_a_public_key_may_withdraw_and_what_it_grants_awaits_confirmation():
    world = world_with()
    ada = world.customer("ada@example.com")
    word = {"purpose": "marketing", "channel": "email", "granted": True, "source": "prefcentre", "text": "I agree"}
    ada.does("Consent Updated", properties=word, public=True, source="web")
    assert not may_mail(world, ada) and ada.profile.consent == []
    (waits,) = ada.shown["awaiting"]
    assert (waits["source"], waits["granted"], waits["text"]) == ("web", True, "I agree")
    noted = [entry for entry in ada.timeline if entry.kind == "consent"]
    assert [(entry.outcome, entry.reason) for entry in noted] == [("without_effect", "awaiting_confirmation")]
    assert ada.consents("marketing", "email", True)["effective"] and ada.shown["awaiting"] == []
    ada.does("Consent Updated", properties=word | {"granted": False}, public=True, source="web")
    assert not may_mail(world, ada) and ada.profile.consent[0].source == "web"
    world.advance(minutes=1)
    ada.does("Consent Updated", properties=word, public=True, source="web")
    assert not may_mail(world, ada), "it lifts no no"
    assert ada.consents("marketing", "email", True)["effective"] and may_mail(world, ada), "a server key grants again"


def test_a_source_that_sources_yaml_lists_may_grant_its_purposes_by_a_public_key():
    plain = document(
        actions=[action("mail")],
        sources={"sources": {"forms": {"channel": "web", "grants": ["marketing"]}, "app": {"channel": "app"}}},
    )
    world = World(plain)
    for source, purpose, is_effective in (
        ("forms", "marketing", True),
        ("forms", "*", False),
        ("forms", "service", False),
        ("app", "marketing", False),
        ("test", "marketing", False),
    ):
        somebody = world.customer(f"{source}-{purpose}".replace("*", "all"))
        word = {"purpose": purpose, "channel": "email", "granted": True}
        somebody.does("Consent Updated", properties=word, public=True, source=source)
        assert [entry.outcome == "granted" for entry in somebody.timeline if entry.kind == "consent"] == [is_effective]


def test_the_no_of_an_address_is_lifted_by_a_server_key_and_by_no_public_one():
    plain = document(sources={"sources": {"forms": {"channel": "web", "grants": ["marketing"]}}})
    world = World(plain)
    ada = world.customer("ada@example.com")
    no = ConsentChange(
        purpose="marketing",
        channel="email",
        granted=False,
        at_ms=world.now_ms,
        source="unsubscribe_link",
        address="0123",
        identifiers=ada._names(),
    )
    world.engine.ask(no)
    world.advance(minutes=1)
    word = {"purpose": "marketing", "channel": "email", "granted": True}
    ada.does("Consent Updated", properties=word, public=True, source="forms")
    assert not may_mail(world, ada)
    world.advance(minutes=1)
    assert ada.consents("marketing", "email", True)["effective"] and may_mail(world, ada)


def by_address(world: World, customer: Customer, granted: bool, address: str) -> None:
    world.engine.ask_profile(
        customer.id,
        ConsentChange(
            purpose="marketing", channel="email", granted=granted, at_ms=world.now_ms, source="link", address=address
        ),
    )


def test_the_no_of_an_address_is_outlived_by_no_older_yes_of_the_person():
    world = World(document())
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    place = seeds.profile_id(ID_KEY, "email", "ada@example.com")
    no_ms = world.now_ms - HOUR
    change = ConsentChange(
        purpose="marketing", channel="email", granted=False, at_ms=no_ms, source="link", address=place, imported=True
    )
    world.engine.ask_profile(ada.id, change)  # she comes to an address that has said no before
    assert not may_mail(world, ada)


def test_the_yes_of_an_address_counts_for_no_other_one():
    world = World(document())
    ada = world.customer("ada@example.com")
    by_address(world, ada, True, seeds.profile_id(ID_KEY, "email", "ada@example.com"))
    assert may_mail(world, ada)
    world.advance(minutes=1)
    ada.identifies(email="other@example.com")
    assert not may_mail(world, ada)


@pytest.mark.parametrize("said", [" consent updated", "CONSENT UPDATED "])
def test_an_event_carries_consent_however_its_name_is_spelt(said: str):
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    ada.does(said, properties={"granted": 0.0})
    assert not may_mail(world, ada)


def test_a_yes_that_lay_somewhere_counts_from_when_it_was_received_at_most():
    world = world_with()
    ada = world.customer("ada@example.com")
    word = {"purpose": "marketing", "channel": "email", "granted": True}
    yes = ada.event("Consent Updated", properties=word, at_ms=world.now_ms + HOUR)
    world.advance(minutes=1)
    ada.consents("marketing", "email", False)
    world.advance(hours=2)
    world.engine.ask(yes)
    assert not may_mail(world, ada)


statement = st.tuples(
    st.sampled_from(["marketing", "news", "*"]),
    st.sampled_from(["email", "sms", "*"]),
    st.booleans(),
    st.integers(0, 6),  # minutes ago
    st.booleans(),  # imported
)


@settings(deadline=None)
@given(default=st.booleans(), said=st.lists(statement, max_size=8))
def test_the_rules_agree_with_the_precedence_read_word_by_word(default: bool, said: list[Any]):
    world = world_with(default)
    ada = world.customer("ada@example.com")
    told = []
    for purpose, channel, granted, minutes, imported in said:
        world.advance(minutes=1)
        at_ms = world.now_ms - minutes * 60_000
        change = ConsentChange(
            purpose=purpose,
            channel=channel,
            granted=granted,
            at_ms=at_ms,
            source="s",
            imported=imported,
            identifiers=ada._names(),
        )
        world.engine.ask(change)
        told.append((purpose, channel, granted, at_ms if granted or imported else world.now_ms))

    def covers(word: Any, purpose: str, channel: str) -> bool:
        return word[0] in (purpose, "*") and word[1] in (channel, "*")

    standing = [
        no
        for no in told
        if not no[2] and not any(yes[2] and yes[3] > no[3] and covers(yes, no[0], no[1]) for yes in told)
    ]
    for purpose, channel in product(("marketing", "news"), ("email", "sms")):
        says_no = any(covers(no, purpose, channel) for no in standing)
        says_yes = any(yes[2] and covers(yes, purpose, channel) for yes in told)
        is_open = says_yes or world.catalog.purposes[purpose].default
        found = consents.is_granted(ada.profile, world.catalog, purpose, channel, "promotional")
        assert found is (not says_no and is_open)


def test_the_receipt_is_the_basis_of_the_send():
    world = world_with()
    ada = world.customer("ada@example.com")
    receipt = ada.consents("marketing", "email", True)["receiptId"]
    ada.does("Product Added", cart_id="c")
    world.advance(hours=2)
    entries = [entry for entry in ada.timeline if entry.kind == "send" and entry.outcome == "sent"]
    assert [entry.detail["basis"] for entry in entries] == [receipt]


@pytest.mark.parametrize("denied_by", ["visitor", "user"])
@pytest.mark.parametrize("shards", [1, 3])
def test_after_a_merge_the_strictest_word_stands(denied_by: str, shards: int):
    world = world_with(shards=shards)
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada@example.com")
    (visitor if denied_by == "visitor" else ada).consents("marketing", "email", False)
    world.advance(minutes=1)
    (ada if denied_by == "visitor" else visitor).consents("marketing", "email", True)
    world.customer("ada@example.com", anonymous="laptop").does("Page Viewed")
    world.settle()
    ada.does("Product Added", cart_id="c")
    world.advance(hours=2)
    assert ada.sends == []
    ada.consents("marketing", "email", True)
    ada.does("Product Added", cart_id="d")
    world.advance(hours=2)
    assert ada.sends == ["mail"], "lifted anew, it goes"


def test_a_merge_brings_the_users_opt_out_to_what_the_visitor_had_decided():
    world = world_with(default=True, steps=[{"send": {"action": "text", "channel": "sms"}}])
    visitor, ada = world.customer(anonymous="laptop"), world.customer("ada")
    ada.consents("marketing", "sms", False)
    world.provider_says = "retry"
    visitor.does("Product Added", cart_id="c")
    world.settle()  # tried once, waits for its retry
    world.customer("ada", anonymous="laptop").does("Page Viewed")
    world.provider_says = "sent"
    world.drain()
    assert world.mailbox == []
    assert ada.outcomes("withdrawn") == [("text", "consent.marketing.sms")]
