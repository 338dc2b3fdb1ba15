"""What a `send` step may say, and what is said to somebody who got it wrong."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import action, document

from engine.catalog.compile import compile_document, problems_of
from engine.catalog.sending.compiled import OF_GATES, Guards, Sending

CHANNELS = {
    "channels": [
        {"id": "web", "provider": "none"},
        {"id": "email", "provider": "sandbox", "address": "email"},
        {"id": "push", "provider": "sandbox"},
        {"id": "sms", "provider": "sandbox", "cost": 0.07},
    ]
}
EVERYWHERE = ["email", "push", "sms"]


def shop(send: dict[str, Any], **journey: Any) -> dict[str, Any]:
    actions = [action(name, tier="service", purpose="service", channels=["email", "sms"]) for name in ("a", "b")]
    for each in actions:
        each["channels"] = EVERYWHERE
        each["variants"][0]["push"] = {"text": "hello"}
    return document(
        actions=actions,
        channels=CHANNELS,
        journeys=[
            {"id": "way", "tier": "service", "trigger": {"event": "Started"}, "steps": [{"send": send}]} | journey
        ],
    )


def compiled(send: dict[str, Any]) -> Sending:
    return compile_document(shop(send)).journeys["way"].steps[0].sending


FULL = ["no_address", "no_consent", "refused", "bounced", {"down": "30m"}, {"silent": "4h"}]
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("send", "means"),
    [
        ({"action": "a", "channel": "email"}, Sending(("a",), ("email",), falls_on=OF_GATES)),
        (
            {"choose": {"actions": ["a", "b"]}, "channels": EVERYWHERE, "fallback": {"on": FULL}},
            Sending(
                ("a", "b"),
                ("email", "push", "sms"),
                falls_on=frozenset({"no_address", "no_consent", "refused", "bounced", "down", "silent"}),
                down_ms=HOUR // 2,
                silent_ms=4 * HOUR,
                bounced_ms=4 * HOUR,
            ),
        ),
        (
            {"action": "a", "choose": {"by": "cheapest"}, "channels": EVERYWHERE, "fallback": {"on": ["bounced"]}},
            Sending(("a",), ("email", "push", "sms"), "cheapest", OF_GATES | {"bounced"}, bounced_ms=HOUR),
        ),
        (
            {"action": "a", "choose": {"channels": ["email", "sms"]}, "deadline": "2h"},
            Sending(("a",), ("email", "sms"), "score", OF_GATES, deadline_ms=2 * HOUR),
        ),
    ],
)
def test_a_send_step_says_what_goes_where_and_what_comes_after(send: dict[str, Any], means: Sending):
    assert compiled(send) == means


def test_guards_bound_the_messages_of_a_journey():
    guards = {"touches": 3, "deadline": "2h", "pace": {"limit": 100}}
    journey = compile_document(shop({"action": "a", "channel": "sms"}, guards=guards)).journeys["way"]
    assert journey.guards == Guards(3, 2 * HOUR, (100, 60_000))


@pytest.mark.parametrize(
    ("send", "sentence"),
    [
        ({"channel": "email"}, "send: has either action or choose: {actions: […]}"),
        ({"action": "a", "choose": {"actions": ["b"]}, "channel": "sms"}, "send: has either action or choose"),
        ({"action": "a", "channel": "sms", "channels": ["sms"]}, "send: has exactly one of channel, channels and"),
        ({"action": "a", "channel": "sms", "choose": {"by": "cheapest"}}, "there is one channel only"),
        (
            {"action": "a", "channel": "sms", "choose": {}},
            "chooses nothing: it has actions, channels or by",
        ),
        ({"action": "a", "choose": {"by": "order", "channels": ["sms"]}}, "by is a rule for channels beside choose"),
        ({"action": "a", "channel": "sms", "fallback": {"on": ["refused"]}}, "send: fallback needs a second channel"),
        ({"action": "a", "channels": ["sms", "sms"]}, "send.channels: sms is there already"),
        ({"action": "a", "channels": ["sms", "web"]}, "send.channels[2]: a has no channel web"),
        ({"action": "a", "channels": ["sms", "pigeon"]}, "send.channels[2]: no channel called 'pigeon' is known"),
        (
            {"choose": {"actions": ["a", "c"]}, "channel": "sms"},
            "no action called 'c' is known",
        ),
    ],
)
def test_a_send_step_that_cannot_be_meant_is_refused(send: dict[str, Any], sentence: str):
    (problem,) = problems_of(shop(send))
    assert sentence in str(problem)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("silence", "send.fallback.on[1]: "),
        ("silent", "send.fallback.on[1]: "),
        ({"silent": "soon"}, "a duration is a number and a unit: 30s, 30m, 2h or 7d"),
        ({"silent": "1h", "down": "1h"}, "is exactly one of down, silent, bounced with its time, as in silent: 4h"),
        ({"silent": "60d"}, "an outcome is awaited for at most 30d"),
    ],
)
def test_a_reason_of_a_fallback_that_is_none_is_refused(reason: Any, sentence: str):
    (problem,) = problems_of(shop({"action": "a", "channels": ["sms", "email"], "fallback": {"on": [reason]}}))
    print(problem)
    assert sentence in str(problem)
