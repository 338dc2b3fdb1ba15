"""A message is tried for as long as it is worth something, and what was never tried costs it nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.world import DAY, HOUR, MINUTE, START_MS, World, action, cart_journey, document

from actors.replay_clock.windows import WINDOW_MS
from actors.shard.outbox import handing_out
from actors.shard.outbox.outbox import Waiting

NOW = [{"send": {"action": "letter", "channel": "sms"}}]
SECOND = 1_000


def catalog(retry_for: str | None = None, *, steps: Any = NOW, **changes: Any) -> dict[str, Any]:
    """One text on a trigger, at once; `changes` are the action's."""
    sms = {"id": "sms", "provider": "sandbox"} | ({"retry_for": retry_for} if retry_for else {})
    return document(
        channels={"channels": [{"id": "web", "provider": "none"}, {"id": "email", "provider": "sandbox"}, sms]},
        consent={"purposes": {"marketing": {"channels": ["sms"], "default": True}}, "events": ["Consent Updated"]},
        actions=[action("letter", channels=["sms"], **changes)],
        journeys=[cart_journey(id="now", steps=steps)],
        policies={
            "caps": [{"id": "texts", "limit": 1, "per": "7d", "match": {"channel": "sms"}}],
            "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
        },
    )


class Provider:
    """Answers as it is told, and keeps when it was asked."""

    def __init__(self, world: World, *, takes_from_ms: int | None = None, says: str = "retry") -> None:
        self.world, self.takes_from_ms, self.says = world, takes_from_ms, says
        self.asked_ms: list[int] = []
        world.engine._provider = self

    def __call__(self, message: dict[str, Any]) -> str:
        at_ms = message["at_ms"]
        self.asked_ms.append(at_ms)
        return "sent" if self.takes_from_ms is not None and at_ms >= self.takes_from_ms else self.says

    @property
    def after_ms(self) -> list[int]:
        """How long after the first try each one came."""
        return [at_ms - self.asked_ms[0] for at_ms in self.asked_ms]


def test_a_server_that_puts_a_letter_off_for_half_an_hour_gets_it_within_the_hour():
    world = World(catalog())
    ada = world.customer("ada")
    provider = Provider(world, takes_from_ms=START_MS + 30 * MINUTE)
    ada.does("Product Added", cart_id="c")
    world.advance(hours=1)
    assert ada.sends == ["letter"] and ada.outcomes("failed") == []
    assert len(provider.asked_ms) > 6


def test_a_letter_is_tried_for_a_day_and_then_it_has_failed_and_its_place_is_free():
    world = World(catalog())
    ada = world.customer("ada")
    provider = Provider(world)
    ada.does("Product Added", cart_id="c")
    world.drain()
    assert ada.outcomes("failed") == [("letter", "")]
    assert ada.profile.places == [] and ada.profile.sends == []
    assert DAY - HOUR < provider.after_ms[-1] <= DAY
    pauses = [later - sooner for sooner, later in zip(provider.asked_ms, provider.asked_ms[1:], strict=False)]
    assert 30 * SECOND <= pauses[0] <= MINUTE and max(pauses) <= 45 * MINUTE + WINDOW_MS
    assert len(provider.asked_ms) < 60


@pytest.mark.parametrize(
    ("retry_for", "most_ms"), [("30s", 0), ("2m", 2 * MINUTE), ("10m", 10 * MINUTE), ("2d", 2 * DAY)]
)
def test_a_channel_says_how_long_its_messages_are_worth_a_try(retry_for: str, most_ms: int):
    world = World(catalog(retry_for))
    ada = world.customer("ada")
    provider = Provider(world)
    ada.does("Product Added", cart_id="c")
    world.drain()
    assert ada.outcomes("failed") == [("letter", "")]
    assert most_ms * 0.4 <= provider.after_ms[-1] <= most_ms


def test_the_time_runs_from_the_decision_and_not_from_the_first_try():
    world = World(catalog("1h"))
    ada = world.customer("ada")
    provider = Provider(world, says="not_begun")
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=50)
    provider.says = "retry"
    world.drain()
    tried = [at_ms for at_ms in provider.asked_ms if at_ms > START_MS + 50 * MINUTE]
    assert 1 < len(tried) < 8 and tried[-1] <= START_MS + HOUR
    assert ada.outcomes("failed") == [("letter", "")]


def test_no_try_comes_after_the_action_is_over():
    today = datetime.fromtimestamp(START_MS / 1000, UTC)
    world = World(catalog("7d", valid={"until": today.date().isoformat()}))
    ada = world.customer("ada")
    provider = Provider(world)
    ada.does("Product Added", cart_id="c")
    world.drain()
    midnight_ms = START_MS - START_MS % DAY + DAY
    assert midnight_ms - HOUR < provider.asked_ms[-1] < midnight_ms
    assert ada.outcomes("withdrawn") == [("letter", "validity.over")]
    assert ada.outcomes("failed") == [] and ada.profile.places == [] and ada.profile.sends == []


def test_a_letter_that_waited_in_line_until_its_action_was_over_does_not_leave():
    today = datetime.fromtimestamp(START_MS / 1000, UTC)
    world = World(catalog("7d", valid={"until": today.date().isoformat()}))
    ada = world.customer("ada")
    provider = Provider(world, says="not_begun")
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=1)
    provider.takes_from_ms = START_MS - START_MS % DAY + DAY
    world.advance(days=1)
    assert ada.sends == [] and ada.outcomes("withdrawn") == [("letter", "validity.over")]


def test_many_letters_that_fail_together_come_back_spread():
    world = World(catalog())
    provider = Provider(world)
    people = [world.customer(f"p{number}") for number in range(60)]
    world.engine.stage([who.event("Product Added", cart_id="c") for who in people])
    world.advance(minutes=4)
    third = provider.asked_ms[2 * len(people) : 3 * len(people)]
    assert len(set(third)) >= 4, "they all came at once again"
    again = World(catalog())
    same = Provider(again)
    again.engine.stage([again.customer(who.user).event("Product Added", cart_id="c") for who in people])
    again.advance(minutes=4)
    assert sorted(same.asked_ms) == sorted(provider.asked_ms), "no luck is in it"


def test_a_hand_over_that_never_began_is_no_try_has_no_delay_and_leaves_no_trace():
    world = World(catalog())
    ada = world.customer("ada")
    provider = Provider(world, says="not_begun")
    ada.does("Product Added", cart_id="c")
    world.advance(100 * WINDOW_MS)
    assert len(provider.asked_ms) == 100, "it is ready again at once"
    (send,) = ada.profile.sends
    assert (send.state, send.attempts) in {("decided", 0), ("handing_over", 1)}
    assert [place.left_ms for place in ada.profile.places if send.state == "decided"] in ([], [0])
    assert ada.outcomes("retry") == []
    provider.says = "sent"
    world.advance(2 * WINDOW_MS)
    assert ada.sends == ["letter"]


def test_what_never_began_stands_in_nobodys_way():
    world = World(catalog())
    ada = world.customer("ada")
    provider = Provider(world, says="not_begun")
    ada.does("Product Added", cart_id="c")
    world.advance(WINDOW_MS)
    assert [place.left_ms > 0 for place in ada.profile.places] == [True]
    provider.says = "retry"
    world.advance(WINDOW_MS)  # the cap's only place is this send's own, so it is let go again
    assert len(provider.asked_ms) == 2 and ada.outcomes("withdrawn") == []


@pytest.mark.parametrize("came_back", ["retry", "not_begun"])
@pytest.mark.parametrize("when", ["while it waits", "while it is being handed over"])
def test_an_opt_out_withdraws_a_letter_that_waits_at_once(came_back: str, when: str):
    world = World(catalog())
    ada = world.customer("ada")
    provider = Provider(world, says=came_back)
    ada.does("Product Added", cart_id="c")
    world.advance((2 if when == "while it waits" else 1) * WINDOW_MS + 5 * SECOND)
    ada.consents("marketing", "sms", False)
    provider.takes_from_ms = 0
    asked = len(provider.asked_ms)
    world.settle()  # far before the next try
    assert ada.outcomes("withdrawn") == [("letter", "consent.marketing.sms")]
    assert ada.profile.sends == [] and ada.profile.places == []
    world.drain()
    assert ada.sends == [] and len(provider.asked_ms) - asked <= 0


def test_while_a_letter_waits_for_its_next_try_its_run_goes_on_and_a_stop_takes_both():
    steps = [*NOW, {"wait": {"for": "20m"}}, {"send": {"action": "letter", "channel": "sms"}}]
    world = World(catalog(steps=steps))
    ada = world.customer("ada")
    Provider(world)
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=5)
    assert ada.pending_timers == ["now"] and len(ada.outcomes("retry")) > 1
    assert ada.run("now").due_ms == START_MS + 20 * MINUTE, "the wait began when the letter was decided"
    ada.does("Order Completed")
    world.settle()
    assert ada.pending_timers == [] and ada.profile.sends == []
    assert [reason for _, reason in ada.outcomes("withdrawn")] == ["stop.purchase"] * 2


@pytest.mark.parametrize("what", ["Order Completed", "Consent Updated"])
def test_a_dispatcher_that_asks_again_learns_of_a_stop_and_an_opt_out_that_came_meanwhile(what: str):
    world = World(catalog())
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    shard = world.engine.shard(ada.id)
    (entry,) = shard.outbox.ready(world.now_ms)
    assert handing_out.authorise(shard, entry, world.engine.conductor._name) is not None
    ada.does(what, properties={"purpose": "marketing", "channel": "sms", "granted": False})
    assert [send.state for send in ada.profile.sends] == ["handing_over"]
    assert handing_out.authorise(shard, entry, world.engine.conductor._name) is None
    reason = "stop.purchase" if what == "Order Completed" else "consent.marketing.sms"
    assert ada.outcomes("withdrawn") == [("letter", reason)] and ada.profile.places == []


def test_a_first_try_that_comes_late_is_not_given_up_when_its_dispatcher_asks_again():
    world = World(catalog("10m"))
    ada = world.customer("ada")
    provider = Provider(world, says="not_begun")
    ada.does("Product Added", cart_id="c")
    world.advance(hours=1)
    provider.says = "sent"
    shard = world.engine.shard(ada.id)
    (send,) = ada.profile.sends
    (entry,) = shard.outbox.ready(world.now_ms + DAY) or [Waiting(ada.id, send.id, 0, send.dispatcher)]
    assert handing_out.authorise(shard, entry, entry.dispatcher or "local.9") is not None
    assert handing_out.authorise(shard, entry, entry.dispatcher or "local.9") is not None


def test_a_dispatcher_that_asks_again_has_not_tried_twice():
    world = World(catalog())
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    shard = world.engine.shard(ada.id)
    (entry,) = shard.outbox.ready(world.now_ms)
    for _ in range(3):
        assert handing_out.authorise(shard, entry, "local.9") is not None
    assert ada.profile.sends[0].attempts == 1
