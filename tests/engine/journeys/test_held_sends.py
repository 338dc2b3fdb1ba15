"""A held send with `on_held: wait` goes in the turn in which its reason goes, whatever takes it away."""

from __future__ import annotations

from typing import Any

from support.world import HOUR, START_MS, Customer, World, action, document

from engine.contact import addresses
from engine.inputs import Confirm

WAITS = {"on_held": "wait"}
YES = {"purposes": {"marketing": {"channels": ["email", "sms"], "default": True}}, "events": []}


def journey(name: str, *steps: Any, begins: str = "Started") -> dict[str, Any]:
    return {"id": name, "tier": "promotional", "trigger": {"event": begins}, "steps": list(steps)}


def left(world: World) -> list[tuple[str, float]]:
    """The channel of each message, and after how many hours it left."""
    return [(message["channel"], round((message["at_ms"] - START_MS) / HOUR, 1)) for message in world.mailbox]


def test_the_place_of_a_refused_message_is_free_at_once():
    class NoMail(World):
        def _take(self, message: dict[str, Any]) -> str:
            return "refused" if message["channel"] == "email" else super()._take(message)

    world = NoMail(
        document(
            actions=[action("mail"), action("text", channels=["sms"])],
            journeys=[
                journey("one", {"send": {"action": "mail", "channel": "email"}}),
                journey("two", {"send": {"action": "text", "channel": "sms", **WAITS}}),
            ],
            policies={"caps": [{"id": "week", "limit": 1, "per": "7d", "match": {"tier": "promotional"}}]},
            consent=YES,
        )
    )
    world.customer("ada@example.com").does("Started")
    world.advance(hours=1)
    assert left(world) == [("sms", 0.0)]


def test_a_merge_brings_the_address_that_was_missing():
    world = World(
        document(
            actions=[action("mail")],
            journeys=[journey("way", {"send": {"action": "mail", "channel": "email", **WAITS}})],
            consent=YES,
        )
    )
    world.customer("ada@example.com")
    visitor = world.customer(anonymous="laptop")
    visitor.does("Started")
    world.advance(hours=1)
    Customer(world, "ada@example.com", "laptop").does("Logged In")
    world.advance(minutes=5)
    assert left(world) == [("email", 1.0)]


def test_a_confirmed_address_lets_a_receipt_go():
    receipt = action("receipt", tier="service", purpose="service")
    way = journey("way", {"send": {"action": "receipt", "channel": "email", **WAITS}}) | {"tier": "service"}
    world = World(document(actions=[receipt], journeys=[way]))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(hours=1)
    stated = {"kind": "identify", "traits": {"email": "ada@example.com"}, "public": True}
    ada.does("Identified", identifiers=(("email", "ada@example.com"),), **stated)
    world.advance(hours=1)
    assert left(world) == []
    link = addresses.of_channel(ada.profile, world.catalog, "email")
    assert link is not None
    world.engine.ask_profile(ada.id, Confirm(address=addresses.place(world.catalog, link)))
    world.settle()
    assert left(world) == [("email", 2.0)]


def test_a_step_writes_what_a_message_waits_for():
    gold = action("gold", eligible={"trait": {"name": "level", "is": "gold"}})
    world = World(
        document(
            actions=[gold],
            journeys=[
                journey("way", {"send": {"action": "gold", "channel": "email", **WAITS}}),
                journey("lift", {"wait": {"for": "2h"}}, {"update": {"traits": {"level": "gold"}}}, begins="Lifted"),
                journey("now", {"update": {"traits": {"level": "gold"}}}, begins="Lifted At Once"),
            ],
            consent=YES,
        )
    )
    ada, bob = (world.customer(f"{name}@example.com") for name in ("ada", "bob"))
    for each, lifts in ((ada, "Lifted"), (bob, "Lifted At Once")):
        each.does("Started")
        each.does(lifts)
    world.advance(hours=3)
    assert left(world) == [("email", 0.0), ("email", 2.0)]


def test_what_a_run_does_behind_its_held_message_is_heard_in_the_same_turn():
    class NoMail(World):
        def _take(self, message: dict[str, Any]) -> str:
            return "refused" if message["channel"] == "email" else super()._take(message)

    text = {"send": {"action": "text", "channel": "sms", **WAITS}}
    world = NoMail(
        document(
            actions=[action("mail"), action("text", channels=["sms"])],
            journeys=[
                journey("one", {"send": {"action": "mail", "channel": "email"}}),
                journey("two", text, {"update": {"traits": {"vip": True}}}),
                journey("three", {"wait": {"for": "2h"}}) | {"stops": [{"id": "vip", "segment": {"id": "vip"}}]},
                journey("four", {"wait": {"for": "2h"}}) | {"trigger": {"segment": {"id": "vip", "on": "enter"}}},
            ],
            segments={"segments": {"vip": {"trait": {"name": "vip", "is": True}}}},
            policies={"caps": [{"id": "week", "limit": 1, "per": "7d", "match": {"tier": "promotional"}}]},
            consent=YES,
        )
    )
    ada = world.customer("ada@example.com")
    ada.does("Started")
    world.advance(hours=1)
    assert left(world) == [("sms", 0.0)]
    assert ada.run("three").ended_by == "stop.vip" and ada.run("four").state == "active"


def test_a_message_that_two_channels_hold_goes_when_the_second_lets_it():
    both = action("both", channels=["email", "sms"])
    send = {"send": {"choose": {"actions": ["both"]}, "channels": ["email", "sms"], **WAITS}}
    world = World(
        document(
            actions=[action("text", channels=["sms"]), both],
            journeys=[
                journey("one", {"send": {"action": "text", "channel": "sms"}}),
                journey("two", {"wait": {"for": "1m"}}, send),
            ],
            policies={"caps": [{"id": "texts", "limit": 1, "per": "3h", "match": {"channel": "sms"}}]},
            consent=YES,
        )
    )
    ada = world.customer("ada@example.com")
    ada.consents("marketing", "email", False)
    ada.does("Started")
    world.advance(hours=4)
    assert left(world) == [("sms", 0.0), ("sms", 3.0)]
