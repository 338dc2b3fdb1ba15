"""Webhooks of journeys: they go out by way of the outbox, once, and stops and pauses hold them."""

from __future__ import annotations

from typing import Any

from support.told import Told
from support.world import World, action, document

CALL = {"id": "crm", "webhook": {"url": "https://crm.example/", "body": {"cart": "$event.cart", "n": "$event.n"}}}
TEXT = {"send": {"action": "text", "channel": "sms"}}


def shop(*steps: Any, **journey: Any) -> dict[str, Any]:
    text = action("text", tier="service", purpose="service", channels=["sms"])
    way = {"id": "way", "tier": "promotional", "trigger": {"event": "Started"}, "steps": [*steps], **journey}
    return document(actions=[text], journeys=[way], policies={"stops": [{"id": "paid", "on": "Paid"}]})


def calls(ada: Any) -> list[str]:
    return [entry.outcome for entry in ada.timeline if entry.kind == "webhook"]


def test_a_call_goes_out_once_with_the_facts_of_the_trigger_and_the_run_goes_on():
    world = World(shop(CALL, TEXT))
    ada = world.customer("ada")
    ada.does("Started", cart="c1", n=3)
    world.settle()
    (call,) = [message for message in world.mailbox if "webhook" in message]
    assert (call["address"], call["webhook"]["body"]) == ("https://crm.example/", {"cart": "c1", "n": 3})
    assert calls(ada) == ["decided", "sent"] and ada.sends == ["text"]
    world.advance(days=3)
    assert len(world.mailbox) == 2


def test_a_call_needs_no_consent_and_takes_no_place():
    world = World(shop(CALL))
    ada = world.customer("ada")
    ada.consents("marketing", "*", False)
    ada.does("Started")
    world.settle()
    ada.consents("marketing", "sms", False)
    assert calls(ada) == ["decided", "sent"] and ada.profile.places == []


def test_a_call_that_was_not_taken_is_tried_again_and_given_up_after_a_day():
    world = World(shop(CALL))
    world.provider_says = "retry"
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(days=2)
    assert calls(ada)[0] == "decided" and calls(ada)[-1] == "failed" and calls(ada).count("retry") > 5
    assert ada.profile.sends == []


def test_a_stop_in_the_same_turn_withdraws_a_call():
    world = World(shop(CALL, {"wait": {"for": "1h"}}))
    ada = world.customer("ada")
    ada.tell(ada.event("Started"), ada.event("Paid"))
    world.settle()
    assert calls(ada) == ["decided", "withdrawn"] and world.mailbox == []


def test_a_pause_holds_a_call():
    world = Told(shop(CALL))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Started")
    world.says("way", "paused")
    world.advance(hours=1)
    tried = len(calls(ada))
    world.advance(hours=1)
    assert len(calls(ada)) == tried
    world.provider_says = "sent"
    world.says("way", "live")
    world.settle()
    assert calls(ada)[-1] == "sent"
