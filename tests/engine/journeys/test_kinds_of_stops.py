"""Stops by a segment, a trait and a time, for everybody or of one journey."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import START_MS, World, action, document

from engine.catalog.compile import problems_of

SEGMENTS = {"segments": {"members": {"trait": {"name": "plan", "is": "gold"}}}}
CLOSED = {"id": "closed", "trait": {"name": "account", "is": "closed"}}
JOINED = {"id": "joined", "segment": {"id": "members"}}
LEFT = {"id": "left", "segment": {"id": "members", "on": "exit"}}
CHRISTMAS = {"id": "christmas", "at": "2026-03-03 18:00"}
TOO_LONG = {"id": "too_long", "after": "36h"}


def shop(stop: dict[str, Any], *, everywhere: bool, tier: str | None = "promotional", of: str = "promotional") -> Any:
    """A text two days after the start."""
    text = action("text", channels=["sms"], tier="promotional", purpose="marketing")
    steps = [{"wait": {"for": "2d"}}, {"send": {"action": "text", "channel": "sms"}}, {"wait": {"for": "2d"}}]
    journey = {"id": "way", "tier": of, "trigger": {"event": "Started"}, "steps": steps}
    policies: dict[str, Any] = {"workspace": {"zone": "Europe/Berlin"}}
    if everywhere:
        policies["stops"] = [stop | ({"tier": tier} if tier else {})]
    else:
        journey["stops"] = [stop]
    consent = {"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": []}
    return document(actions=[text], journeys=[journey], policies=policies, segments=SEGMENTS, consent=consent)


ENDED = [
    (CLOSED, {"account": "closed"}, 0),
    (JOINED, {"plan": "gold"}, 0),
    (CHRISTMAS, {}, 3),
    (TOO_LONG, {}, 3),
]


@pytest.mark.parametrize("everywhere", [True, False])
@pytest.mark.parametrize(("stop", "traits", "days"), ENDED, ids=lambda given: str(given)[:30])
def test_a_stop_ends_its_runs_before_anything_is_sent(
    stop: dict[str, Any], traits: dict[str, Any], days: int, everywhere: bool
):
    world = World(shop(stop, everywhere=everywhere))
    ada = world.customer("ada")
    ada.identifies(account="open", plan="basic")
    ada.does("Started")
    world.advance(days=1)
    if traits:
        ada.identifies(**traits)
        assert ada.run("way").ended_ms == world.now_ms, "it ends in the very turn"
    world.advance(days=3)
    assert world.mailbox == []
    assert ada.run("way").ended_by == f"stop.{stop['id']}"
    assert ada.pending_timers == []


def test_leaving_a_segment_is_a_stop():
    world = World(shop(LEFT, everywhere=True))
    ada = world.customer("ada")
    ada.identifies(plan="gold")
    ada.does("Started")
    assert ada.run("way").state == "active"
    ada.identifies(plan="basic")
    assert ada.run("way").ended_by == "stop.left"


@pytest.mark.parametrize(("stop", "traits"), [(CLOSED, {"account": "closed"}), (CHRISTMAS, {})])
def test_while_it_lasts_nobody_enters(stop: dict[str, Any], traits: dict[str, Any]):
    world = World(shop(stop, everywhere=True))
    ada = world.customer("ada")
    ada.identifies(**traits)
    world.advance(days=0 if traits else 3)
    ada.does("Started")
    assert ada.profile.runs == []
    assert [(entry.outcome, entry.reason) for entry in ada.timeline if entry.kind == "stop"] == [
        ("not_entered", f"stop.{stop['id']}")
    ]
    if traits:
        ada.identifies(account="open")
        ada.does("Started")
        assert ada.run("way").state == "active"


@pytest.mark.parametrize("stop", [CLOSED, TOO_LONG])
def test_a_stop_of_a_tier_holds_its_messages_in_journeys_of_another(stop: dict[str, Any]):
    world = World(shop(stop, everywhere=True, of="lifecycle"))
    ada = world.customer("ada")
    ada.does("Started")
    ada.identifies(account="closed")
    world.advance(days=3)
    assert ada.outcomes("held") == [("text", f"stop.{stop['id']}")]
    assert ada.run("way").state == "active"


def test_what_is_decided_and_waits_is_withdrawn():
    world = World(shop(CLOSED, everywhere=True, of="lifecycle"))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Started")
    world.advance(days=2, minutes=1)
    ada.identifies(account="closed")
    assert ada.outcomes("withdrawn") == [("text", "stop.closed")]


def test_a_stop_that_a_new_catalog_brings_holds_at_once():
    plain = shop(CLOSED, everywhere=True)
    without = dict(plain)
    without["policies.yaml"] = {"workspace": {"zone": "Europe/Berlin"}}
    world = Told(without)
    ada = world.customer("ada")
    ada.identifies(account="closed")
    ada.does("Started")
    world.takes(plain)
    world.advance(days=3)
    assert world.mailbox == []
    assert ada.run("way").ended_by == "stop.closed"


def test_a_local_time_is_that_of_the_workspace():
    world = World(shop(CHRISTMAS, everywhere=False))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(START_MS + 86_400_000 + 17 * 3_600_000 - world.now_ms - 1)  # 18:00 in Berlin is 17:00 UTC
    ada.does("Something")
    assert ada.run("way").state == "active"
    world.advance(1)
    ada.does("Something")
    assert ada.run("way").ended_by == "stop.christmas"


@pytest.mark.parametrize(
    ("stop", "sentence"),
    [
        ({"id": "x"}, "a stop is exactly one of on, segment, trait, at, after"),
        ({"id": "x", "on": "Paid", "after": "1d"}, "a stop is exactly one of on, segment, trait, at, after"),
        ({"id": "x", "after": "1d", "where": {"a": 1}}, "where tests the properties of an event"),
        ({"id": "x", "segment": {"id": "nobody"}}, "no segment called 'nobody'"),
        ({"id": "x", "at": "tomorrow"}, "a local time is written"),
    ],
)
def test_a_stop_that_cannot_be_meant_is_refused(stop: dict[str, Any], sentence: str):
    (problem,) = problems_of(shop(stop, everywhere=False))
    assert sentence in str(problem)
