"""What stops a message while a provider has it: it goes no second time where it comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.world import Customer, World, action, document

from engine.inputs import ConsentChange

VIP = {"segments": {"vip": {"trait": {"name": "vip", "is": True}}}}
CLOSED = {"id": "closed", "trait": {"name": "account", "is": "closed"}}
JOINS = {"id": "vip", "segment": {"id": "vip"}}
LONG = {"wait": {"for": "9h"}}
TEXT = {"send": {"action": "text", "channel": "sms"}}
CALL = {"webhook": {"url": "https://crm.example/"}}
WAYS = [
    {
        "parallel": {
            "join": "any",
            "arms": {"one": [TEXT, {"wait": {"for": "3h"}}], "two": [{"wait_for": {"event": "Went", "timeout": "9h"}}]},
        }
    },
    {"wait": {"for": "20h"}},
]


def shop(steps: list[Any], *, own: list[Any], everywhere: list[Any]) -> Any:
    return document(
        actions=[action("text", channels=["sms"])],
        journeys=[{"id": "way", "tier": "promotional", "trigger": {"event": "Started"}, "steps": steps, "stops": own}],
        policies={"stops": everywhere},
        segments=VIP,
        consent={"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": []},
    )


class Slow:
    """A provider during whose first call something happens; it takes that message only when it is asked again."""

    def __init__(self, world: World, meanwhile: Callable[[], None]) -> None:
        self.meanwhile, self.asked, self.taken = meanwhile, 0, 0
        world.engine._provider = self

    def __call__(self, message: dict[str, Any]) -> str:
        self.asked += 1
        if self.asked == 1:
            self.meanwhile()
            return "retry"
        self.taken += 1
        return "sent"


def tell(ada: Customer, name: str, **fields: Any) -> None:
    ada.world.engine.ask_profile(ada.id, ada.event(name, **fields))


def is_vip(ada: Customer) -> None:
    tell(ada, "Identified", kind="identify", traits={"vip": True})


def closes(ada: Customer) -> None:
    tell(ada, "Identified", kind="identify", traits={"account": "closed"})


def closes_and_opens(ada: Customer) -> None:
    closes(ada)
    tell(ada, "Identified", kind="identify", traits={"account": "open"})


def says_no_and_yes(ada: Customer) -> None:
    for granted in (False, True):
        said = ConsentChange(purpose="marketing", channel="sms", granted=granted, at_ms=ada.world.now_ms, source="test")
        ada.world.engine.ask_profile(ada.id, said)


STORIES = {
    "an event, of this journey": ([TEXT, LONG], [{"id": "bought", "on": "Bought"}], [], "Bought"),
    "an event, for all": ([TEXT], [], [{"id": "bought", "on": "Bought"}], "Bought"),
    "a segment, of this journey": ([TEXT, LONG], [JOINS], [], is_vip),
    "a segment, and the run has ended": ([TEXT], [JOINS], [], is_vip),
    "a segment, for a tier": ([TEXT], [], [{"id": "vip", "tier": "promotional", "segment": {"id": "vip"}}], is_vip),
    "a trait": ([TEXT, LONG], [CLOSED], [], closes),
    "a trait that was so for a moment": ([TEXT, LONG], [CLOSED], [], closes_and_opens),
    "a trait, for all": ([TEXT], [], [CLOSED], closes),
    "another way that was faster": (WAYS, [], [], "Went"),
    "a call": ([CALL, LONG], [CLOSED], [], closes),
    "a no that was lifted": ([TEXT], [], [], says_no_and_yes),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_what_was_stopped_meanwhile_does_not_go_when_it_comes_back(story: str):
    steps, own, everywhere, meanwhile = STORIES[story]
    world = World(shop(steps, own=own, everywhere=everywhere))
    ada = world.customer("ada")
    happens = (lambda: tell(ada, meanwhile)) if isinstance(meanwhile, str) else (lambda: meanwhile(ada))
    provider = Slow(world, happens)
    ada.does("Started")
    world.advance(hours=5)
    assert (provider.asked, provider.taken) == (1, 0)
    assert ada.profile.sends == [] and not any(place.left_ms for place in ada.profile.places)


def test_what_nothing_stops_goes_when_it_comes_back():
    world = World(shop([TEXT], own=[CLOSED], everywhere=[]))
    ada = world.customer("ada")
    provider = Slow(world, lambda: None)
    ada.does("Started")
    world.advance(hours=5)
    assert provider.taken == 1
