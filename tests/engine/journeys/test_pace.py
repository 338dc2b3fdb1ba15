"""So many messages of a journey in a time, over all customers together."""

from __future__ import annotations

from collections import Counter

import pytest
from support.world import MINUTE, World, action, document


def shop(limit: int, per: str = "1m", **journey: object) -> dict[str, object]:
    text = action("text", channels=["sms"], tier="service", purpose="service")
    way = {
        "id": "way",
        "tier": "service",
        "trigger": {"event": "Started"},
        "guards": {"pace": {"limit": limit, "per": per}},
        "steps": [{"send": {"action": "text", "channel": "sms"}}],
    }
    return document(actions=[text], journeys=[way | journey])


@pytest.mark.parametrize("shards", [1, 3])
def test_no_more_messages_leave_in_a_minute_than_the_pace_allows(shards: int):
    world = World(shop(10), shards=shards)
    for number in range(45):
        world.customer(f"c{number}").does("Started")
    world.advance(minutes=30)
    left = Counter(message["at_ms"] // MINUTE for message in world.mailbox)
    assert max(left.values()) <= 10
    assert sum(left.values()) == 45, "whoever waits gets it in the end"
    assert len({message["send"] for message in world.mailbox}) == 45
    if shards == 1:
        assert max(left) - min(left) == 4, "and no later than the pace wants"


def test_a_message_that_waits_for_its_turn_says_so_and_can_be_stopped():
    world = World(shop(1, per="1h", stops=[{"id": "over", "on": "Over"}]))
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.does("Started")
    world.settle()
    bob.does("Started")
    world.settle()
    assert bob.outcomes("waits") == [("text", "journey.pace")]
    bob.does("Over")
    world.advance(hours=5)
    assert len(world.mailbox) == 1
    assert bob.outcomes("withdrawn") == [("text", "stop.over")]
