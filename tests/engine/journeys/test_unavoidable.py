"""A stop that is told of too late marks the message that it should have kept back."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import CART, HOUR, MINUTE, START_MS, World, action, cart_journey, compiled, document

from engine.audit import Entry
from engine.effects import Note
from engine.inputs import Authorise, Event, Settle, TimersDue
from engine.profile import Profile
from engine.turn import handle

WITHOUT_ADDRESS = document(
    actions=[action("cart_reminder", channels=["sms"])],
    journeys=[cart_journey(steps=[{"wait": {"for": "1h"}}, {"send": {"action": "cart_reminder", "channel": "sms"}}])],
    consent={"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": []},
    policies=CART["policies.yaml"],
)


def marks(ada: Any) -> list[Entry]:
    return [entry for entry in ada.timeline if entry.outcome == "unavoidable"]


def reminded(world: World) -> tuple[Any, int]:
    """Somebody got a reminder of their cart, and when it left."""
    ada = world.customer("ada@example.com", consents=("marketing:email",))
    ada.does("Product Added", cart_id="c1")
    world.advance(hours=1)
    world.settle()
    (sent,) = [entry for entry in ada.timeline if entry.outcome == "sent"]
    assert len(world.mailbox) == 1
    return ada, sent.at_ms


def test_a_purchase_that_is_told_after_the_reminder_has_left_marks_it():
    world = World(CART)
    ada, _ = reminded(world)
    left_ms = next(place.left_ms for place in ada.profile.places)
    bought_ms = left_ms - 10 * MINUTE
    world.advance(minutes=30)
    event = ada.event("Order Completed", at_ms=bought_ms)
    ada.tell(event)
    (mark,) = marks(ada)
    assert (mark.action, mark.reason, mark.message_id) == ("cart_reminder", "stop.purchase", event.message_id)
    latency_ms = world.now_ms - bought_ms
    assert mark.detail == {"send": world.mailbox[0]["send"], "latencyMs": latency_ms, "sentAfterMs": 10 * MINUTE}
    ada.does("Order Completed", at_ms=bought_ms + 1)
    assert len(marks(ada)) == 1, "a message is marked once"


@pytest.mark.parametrize(("name", "after_ms"), [("Order Completed", 1), ("Order Completed", -3 * HOUR), ("Paid", -1)])
def test_what_came_after_the_message_or_before_its_cart_marks_nothing(name: str, after_ms: int):
    world = World(CART)
    ada, _ = reminded(world)
    left_ms = next(place.left_ms for place in ada.profile.places)
    world.advance(minutes=30)
    ada.does(name, at_ms=left_ms + after_ms)
    assert marks(ada) == []


def test_a_message_that_is_being_handed_over_meanwhile_is_marked_when_it_has_left():
    catalog, ada = compiled(WITHOUT_ADDRESS), Profile("a" * 30)

    def told(name: str, at_ms: int, now_ms: int) -> None:
        handle(ada, Event(kind="track", name=name, at_ms=at_ms, received_at_ms=now_ms, user_id="ada"), catalog, now_ms)

    told("Product Added", START_MS, START_MS)
    handle(ada, TimersDue(at_ms=START_MS + HOUR), catalog, START_MS + HOUR)
    (send,) = ada.sends
    handle(ada, Authorise(send_id=send.id, dispatcher="d"), catalog, START_MS + HOUR)
    told("Order Completed", START_MS + HOUR - 1, START_MS + HOUR + MINUTE)
    assert [each.state for each in ada.sends] == ["handing_over"]
    effects = handle(ada, Settle(send_id=send.id, outcome="sent"), catalog, START_MS + HOUR + 2 * MINUTE)
    noted = [effect.entry for effect in effects if isinstance(effect, Note)]
    assert [(entry.outcome, entry.reason) for entry in noted] == [("sent", ""), ("unavoidable", "stop.purchase")]
    assert noted[1].detail["sentAfterMs"] == 1


LATE = {
    "a trait": ({"trait": {"name": "account", "is": "closed"}}, "Identified", {"account": "closed"}),
    "a segment that a trait leads into": ({"segment": {"id": "vip"}}, "Identified", {"plan": "gold"}),
    "a segment that an event leads into": ({"segment": {"id": "buyers"}}, "Order Completed", {}),
    "a segment that an event leads out of": ({"segment": {"id": "others", "on": "exit"}}, "Order Completed", {}),
}


# Nothing says that a trait had another value when a run that has ended sent its message.
@pytest.mark.parametrize(
    ("story", "ended"), [*((story, False) for story in LATE), *((story, True) for story in list(LATE)[1:])]
)
def test_every_kind_of_stop_that_comes_late_marks_the_message(story: str, ended: bool):
    stop, name, traits = LATE[story]
    bought = {"event": {"name": "Order Completed", "within": "30d"}}
    steps = [{"wait": {"for": "1h"}}, {"send": {"action": "text", "channel": "sms"}}]
    journey = {
        "id": "way",
        "tier": "promotional",
        "trigger": {"event": "Started"},
        "stops": [{"id": "own"} | stop],
        "steps": steps if ended else [*steps, {"wait": {"for": "30h"}}],
    }
    world = World(
        document(
            actions=[action("text", channels=["sms"])],
            journeys=[journey],
            segments={
                "segments": {
                    "vip": {"trait": {"name": "plan", "is": "gold"}},
                    "buyers": bought,
                    "others": {"not": bought},
                }
            },
            consent={"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": []},
        )
    )
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(hours=2)
    kind = {"kind": "identify", "traits": traits} if traits else {}
    ada.does(name, at_ms=world.now_ms - 70 * MINUTE, **kind)
    (marked,) = [entry for entry in ada.timeline if entry.outcome == "unavoidable"]
    assert (marked.reason, marked.detail["latencyMs"]) == ("stop.own", 70 * MINUTE)
