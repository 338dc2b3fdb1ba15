"""Caps are exact (Invariant 4): no concurrency, delay or retry sends one message more than a cap allows."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.world import DAY, HOUR, MINUTE, World, action, cart_journey, compiled, document

from actors.replay_clock.windows import WINDOW_MS
from engine.effects import Answer
from engine.inputs import Authorise, Event
from engine.journeys import triggers
from engine.profile import Profile
from engine.turn import handle

NOW = [{"send": {"action": "call", "channel": "sms"}}]
STOP = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}


def catalog(*caps: tuple[int, str], steps: list[Any] = NOW, **journey: Any) -> dict[str, Any]:
    """Every `Product Added` wants a text message at once; `caps` are (limit, per) on that channel."""
    rules = [
        {"id": f"cap{number}", "limit": limit, "per": per, "match": {"channel": "sms"}}
        for number, (limit, per) in enumerate(caps)
    ]
    return document(
        actions=[action("call", purpose="service", channels=["sms"])],
        journeys=[cart_journey(id="now", steps=steps, **journey)],
        policies={"caps": rules, "stops": [STOP]},
    )


@pytest.mark.parametrize("shards", [1, 3])
def test_a_cap_of_2_holds_under_200_triggers_with_200_cart_ids(shards: int):
    world = World(catalog((2, "7d")), shards=shards)
    ada = world.customer("ada")
    ada.tell(*(ada.event("Product Added", cart_id=f"c{n}") for n in range(200)))
    world.advance(days=1)
    assert len(world.mailbox) == 2 and ada.sends == ["call", "call"]
    assert ada.outcomes("held") == [("call", "cap.cap0")] * 198


def test_the_window_counts_what_has_time_after_now_minus_window():
    world = World(catalog((1, "7d")))
    ada = world.customer("ada")
    at_ms = world.now_ms
    added = [
        ada.event("Product Added", cart_id=str(n), at_ms=at_ms + n) for n in (0, 7 * DAY - 1, 7 * DAY, 7 * DAY + 1)
    ]
    world.engine.stage(added)
    world.advance(days=8)
    decided = [e.at_ms - at_ms for e in ada.timeline if e.outcome == "decided"]
    assert decided == [0, 7 * DAY] and len(world.mailbox) == 2
    assert ada.outcomes("held") == [("call", "cap.cap0")] * 2


def test_every_cap_counts_and_the_first_full_one_is_the_reason():
    world = World(catalog((5, "1d"), (2, "1h")))
    ada = world.customer("ada")
    for hour in range(4):
        world.advance(hours=hour > 0)
        ada.tell(*(ada.event("Product Added", cart_id=f"{hour}.{n}") for n in range(3)))
    world.settle()
    assert len(world.mailbox) == 5
    reasons = [reason for _, reason in ada.outcomes("held")]
    assert reasons == ["cap.cap1", "cap.cap1", "cap.cap0", "cap.cap0", "cap.cap0", "cap.cap0", "cap.cap0"]


def test_a_delayed_hand_over_cannot_let_a_later_message_slip_under_the_limit():
    world = World(catalog((1, "3m")))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Product Added", cart_id="first")
    world.advance(minutes=4)
    world.provider_says = "sent"
    while not world.mailbox:
        world.advance(WINDOW_MS)
    ada.does("Product Added", cart_id="second")  # the place was taken more than 3 minutes ago, so this is decided
    world.settle()
    assert len(world.mailbox) == 1, "two would have left within 3 minutes"
    assert ada.outcomes("waits") == [("call", "cap.cap0")]
    world.advance(minutes=3)
    assert len(world.mailbox) == 2 and ada.outcomes("withdrawn") == [], "it leaves as soon as it may"
    world.advance(minutes=3)
    ada.does("Product Added", cart_id="third")
    world.settle()
    assert len(world.mailbox) == 3


def test_what_surely_did_not_leave_stands_in_nobodys_way():
    world = World(catalog((1, "3m")))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Product Added", cart_id="first")
    world.advance(190_000)  # its last attempt was a minute ago, the next one comes in another
    world.provider_says = "sent"
    second = ada.does("Product Added", cart_id="second")
    world.advance(WINDOW_MS)
    assert [message["event"] for message in world.mailbox] == [second.properties]
    world.advance(minutes=3)
    assert len(world.mailbox) == 1 and ada.outcomes("withdrawn") == [("call", "cap.cap0")]


@pytest.mark.parametrize(
    ("outcome", "sent_after"),
    [("refused", 1), ("unknown", 0)],
    ids=["a refused send gives its place back", "one that may have left keeps it"],
)
def test_what_the_provider_says_decides_about_the_place(outcome: str, sent_after: int):
    world = World(catalog((1, "7d")))
    ada = world.customer("ada")
    world.provider_says = outcome
    ada.does("Product Added", cart_id="first")
    world.settle()
    world.provider_says = "sent"
    ada.does("Product Added", cart_id="second")
    world.settle()
    assert len(world.mailbox) == sent_after
    assert ada.outcomes(outcome) == [("call", "")]


def test_a_send_that_is_never_taken_gives_its_place_back():
    world = World(catalog((1, "7d")))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Product Added", cart_id="first")
    world.drain()
    assert len(ada.outcomes("retry")) > 20 and ada.outcomes("failed") == [("call", "")]
    assert ada.profile.places == [] and ada.profile.sends == []


def test_a_stop_during_a_hand_over_that_fails_keeps_the_retry_from_leaving():
    world = World(catalog((1, "7d")))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Product Added", cart_id="c")
    world.advance(WINDOW_MS)  # authorised, its outcome is on the way
    assert [send.state for send in ada.profile.sends] == ["handing_over"]
    ada.does("Order Completed")
    world.provider_says = "sent"
    world.drain()
    assert world.mailbox == []
    assert ada.outcomes("withdrawn") == [("call", "stop.purchase")]


def test_a_stop_finds_what_waits_of_a_run_that_ended_many_runs_ago():
    world = World(catalog())
    ada = world.customer("ada")
    carts = triggers._ENDED_KEPT + 10
    ada.tell(*(ada.event("Product Added", cart_id=str(n)) for n in range(carts)), ada.event("Order Completed"))
    world.drain()
    assert world.mailbox == []
    assert len(ada.outcomes("withdrawn")) == carts


def test_a_dispatcher_that_asks_again_after_an_opt_out_is_told_no():
    plain = document(
        actions=[action("call", channels=["sms"])],
        journeys=[cart_journey(id="now", steps=NOW)],
        consent={"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": ["Consent Updated"]},
    )
    rules, ada, answers = compiled(plain), Profile("00" * 15), []
    common: dict[str, Any] = {"kind": "track", "received_at_ms": 0, "user_id": "ada"}
    handle(ada, Event(name="Product Added", at_ms=DAY, **common), rules, DAY)
    ask = Authorise(send_id=ada.sends[0].id, dispatcher="d")
    no = {"purpose": "marketing", "channel": "sms", "granted": False}
    for told in (ask, Event(name="Consent Updated", at_ms=DAY, properties=no, **common), ask):
        answers += [effect.value for effect in handle(ada, told, rules, DAY) if isinstance(effect, Answer)]
    assert [answer["authorised"] for answer in answers] == [True, False]
    assert answers[1]["reason"] == "consent.marketing.sms" and ada.places == []


# The property: whatever is triggered, refused, delayed or absorbed, no window ever holds more hand-overs than the cap.

STEP = st.one_of(
    st.tuples(st.just("trigger"), st.sampled_from(["user", "laptop", "phone"]), st.integers(1, 4)),
    st.tuples(st.just("login"), st.sampled_from(["laptop", "phone"]), st.just(0)),
    st.tuples(st.just("pass"), st.just(""), st.sampled_from([1_000, WINDOW_MS, 3 * MINUTE, 20 * MINUTE, HOUR])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=25), st.integers(1, 3), st.integers(0, 10_000))
def test_no_window_holds_more_hand_overs_than_the_cap(steps: list[tuple[str, str, int]], limit: int, seed: int):
    world = World(catalog((limit, "30m")), shards=2)
    luck, left = random.Random(seed), []

    def provider(message: dict[str, Any]) -> str:
        outcome = luck.choices(["sent", "unknown", "refused", "retry"], [5, 1, 1, 2])[0]
        who, at_ms = message["profile"], world.engine.shard(message["profile"]).clock.now_ms()
        linked = [at for other, at in left if world.engine.resolve(other) == world.engine.resolve(who)]
        assert sum(at_ms - 30 * MINUTE < at for at in linked) < limit
        if outcome in ("sent", "unknown"):
            left.append((who, at_ms))
        return outcome

    world.engine._provider = provider
    people = {
        "user": world.customer("ada"),
        "laptop": world.customer(anonymous="laptop"),
        "phone": world.customer(anonymous="phone"),
    }
    for number, (what, who, amount) in enumerate(steps):
        if what == "trigger":
            carts = range(amount)
            world.engine.stage([people[who].event("Product Added", cart_id=f"{number}.{n}") for n in carts])
        elif what == "login":
            world.engine.stage([world.customer("ada", anonymous=who).event("Page Viewed")])
        else:
            world.advance(amount)
    asyncio.run(world.engine.advance(world.now_ms, drain=True))
    for windows in world.engine.windows:
        assert len(windows.shard.outbox) == 0, "every send has ended"
        assert not windows.shard.scan("dead")


@pytest.mark.parametrize("hours", [3, 9])
def test_a_letter_that_leaves_late_counts_for_a_display_from_when_it_left(hours: int):
    hero = action("hero", purpose="service", channels=["web"], placements=["home_hero"])
    cap = {"id": "c", "limit": 1, "per": "2h", "match": {"tier": "promotional"}}
    call = action("call", purpose="service", channels=["sms"])
    steps = [{"send": {"action": "call", "channel": "sms"}}]
    journey = cart_journey(steps=steps)
    world = World(document(actions=[hero, call], journeys=[journey], policies={"caps": [cap]}))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Product Added", cart_id="c")
    world.advance(hours=hours)
    world.provider_says = "sent"
    while not world.mailbox:
        world.advance(minutes=1)
    assert ada.decides()["actions"] == []
    world.advance(hours=3)
    assert [shown["actionId"] for shown in ada.decides()["actions"]] == ["hero"]
