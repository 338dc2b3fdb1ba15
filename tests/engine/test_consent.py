"""Consent by purpose and channel: nothing leaves after an opt-out (Invariant 5)."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import HOUR, World, action, cart_journey, document

from engine import consent
from engine.inputs import ConsentChange

LATER = [
    {"wait": {"for": "1h"}},
    {"send": {"action": "mail", "channel": "email"}},
    {"send": {"action": "text", "channel": "sms"}},
]


def world_with(default: bool = False, steps: list[Any] = LATER, shards: int = 1) -> World:
    """`Product Added` leads to an e-mail and a text message, for marketing."""
    purposes = {
        "marketing": {"channels": ["email", "sms"], "default": default},
        "news": {"channels": ["email"], "default": False},
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
    # a general word and a scoped one never imply one another: a denial of either holds until it is lifted itself
    (False, [("marketing", "email", True, 5), ("marketing", "*", False, 4)], False),
    (False, [("marketing", "*", False, 5), ("marketing", "email", True, 4)], False),
    (False, [("marketing", "email", False, 5), ("marketing", "*", True, 4)], False),
    (False, [("marketing", "*", False, 5), ("marketing", "*", True, 4)], True),
    # of one scope the latest by event time counts, whatever came in last, and a denial wins a tie
    (False, [("marketing", "email", True, 5), ("marketing", "email", False, 4)], False),
    (False, [("marketing", "email", False, 4), ("marketing", "email", True, 5)], False),
    (False, [("marketing", "email", True, 4), ("marketing", "email", False, 5)], True),
    (False, [("marketing", "email", True, 5), ("marketing", "email", False, 5)], False),
    (False, [("marketing", "email", False, 5), ("marketing", "email", True, 5)], False),
]


@pytest.mark.parametrize(("default", "words", "may"), WORDS)
def test_what_was_said_and_by_when(default: bool, words: list[tuple[str, str, bool, int]], may: bool):
    world = world_with(default)
    ada = world.customer("ada@example.com")
    for purpose, channel, granted, minutes in words:
        told = ConsentChange(
            purpose=purpose,
            channel=channel,
            granted=granted,
            at_ms=world.now_ms - minutes * 60_000,
            source="form",
            identifiers=ada._names(),
        )
        world.engine.ask(told)
    assert consent.is_granted(ada.profile, world.catalog, "marketing", "email") is may
    ada.does("Product Added", cart_id="c")
    world.advance(hours=2)
    assert ("mail" in ada.sends) is may


def test_a_purpose_that_needs_no_consent_on_a_channel_goes_and_an_unknown_purpose_never():
    world = world_with()
    ada = world.customer("ada")
    ada.does("Page Viewed")
    assert consent.basis(ada.profile, world.catalog, "news", "sms") == consent.NOT_NEEDED
    assert consent.basis(ada.profile, world.catalog, "spying", "sms") is None
    ada.consents("news", "sms", False)
    assert consent.basis(ada.profile, world.catalog, "news", "sms") is None, "a word of the person counts everywhere"


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


def test_an_event_that_says_nothing_usable_changes_no_consent():
    world = world_with(default=True)
    ada = world.customer("ada@example.com")
    for properties in ({}, {"purpose": "marketing"}, {"purpose": "marketing", "channel": "email", "granted": "no"}):
        ada.does("Consent Updated", properties=properties)
    assert ada.profile.consent == []
    ada.does("Consent Changed", properties={"purpose": "marketing", "channel": "email", "granted": False})
    assert ada.profile.consent == [], "this event carries no consent in this catalog"


def test_a_consent_event_counts_by_its_own_time():
    world = world_with()
    ada = world.customer("ada@example.com")
    world.advance(hours=1)
    for granted, age_ms in ((False, 1_000), (True, 2_000)):
        word = {"purpose": "marketing", "channel": "email", "granted": granted}
        ada.does("Consent Updated", at_ms=world.now_ms - age_ms, properties=word)
    (record,) = ada.profile.consent
    assert (record.granted, record.at_ms) == (False, world.now_ms - 1_000)
    assert [(e.outcome, e.reason) for e in ada.timeline if e.kind == "consent"] == [
        ("withdrawn", ""),
        ("granted", "superseded"),
    ]


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
def test_after_an_absorb_the_strictest_word_stands(denied_by: str, shards: int):
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


def test_an_absorb_brings_the_users_opt_out_to_what_the_visitor_had_decided():
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
