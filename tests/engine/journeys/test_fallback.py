"""The channels of one message: which one is used, and when the next one is tried."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import HOUR, START_MS, World, action, document

from engine.decide.gates import asking
from engine.decide.gates.candidates import Candidates
from engine.decide.gates.gate import Gate

ALL = ["no_address", "no_consent", "held", "refused", "bounced", {"down": "30m"}, {"silent": "4h"}]


def shop(send: dict[str, Any] | None = None, *, guards: dict[str, Any] | None = None, **files: Any) -> dict[str, Any]:
    """Somebody who has started is written to: by e-mail, by push, by text."""
    step = {"choose": {"actions": ["news"]}, "channels": ["email", "push", "sms"], "fallback": {"on": ALL}}
    letters = [action(name, channels=["email", "sms"]) for name in ("news", "better")]
    letters[1]["value"] = 9.0
    for letter in letters:
        letter["channels"] = ["email", "push", "sms"]
        letter["variants"][0]["push"] = {"text": letter["id"]}
    journey = {
        "id": "way",
        "tier": "promotional",
        "trigger": {"event": "Started"},
        "guards": guards or {},
        "steps": [{"id": "hello", "send": step | (send or {})}],
    }
    return document(
        **{
            "actions": letters,
            "journeys": [journey],
            "channels": {
                "channels": [
                    {"id": "web", "provider": "none"},
                    {"id": "email", "provider": "sandbox", "address": "email", "cost": 0.001},
                    {"id": "push", "provider": "sandbox", "address": "device_id"},
                    {"id": "sms", "provider": "sandbox", "cost": 0.07},
                ]
            },
            "consent": {
                "purposes": {"marketing": {"channels": ["email", "push", "sms"], "default": True}},
                "events": ["Consent Updated"],
            },
        }
        | files
    )


class NoMail(World):
    """A world whose provider of e-mail refuses everything."""

    def _take(self, message: dict[str, Any]) -> str:
        return "refused" if message["channel"] == "email" else super()._take(message)


def reached(world: World) -> list[str]:
    return [message["channel"] for message in world.mailbox]


def customer(world: World, **known: Any) -> Any:
    ada = world.customer("ada@example.com")
    ada.tell(ada.event("Opened App", identifiers=(("email", "ada@example.com"), ("device_id", "d1")), channel="app"))
    return ada


def told(world: World, ada: Any, name: str, **more: Any) -> None:
    """The provider tells what became of the last message."""
    ada.tell(ada.event(name, send_id=world.mailbox[-1]["send"], channel="server", **more))
    world.settle()


def test_a_silent_customer_is_written_to_on_one_channel_after_the_other():
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    assert reached(world) == ["email"]
    world.advance(hours=3.9)
    assert reached(world) == ["email"]
    world.advance(hours=0.2)
    assert reached(world) == ["email", "push"]
    world.advance(hours=4.1)
    assert reached(world) == ["email", "push", "sms"]
    assert ada.run("way").ended_by == "end", "nothing comes after the last channel, so nothing is awaited"


@pytest.mark.parametrize("name", ["Email Opened", "Email Link Clicked"])
def test_who_reacts_is_left_alone(name: str):
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, name)
    assert ada.run("way").ended_by == "end"
    world.advance(days=2)
    assert reached(world) == ["email"]


@pytest.mark.parametrize("word", ["machine", "automated"])
def test_a_machine_that_opens_a_mail_is_not_a_customer_who_reads_it(word: str):
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, "Email Opened", **{word: True})
    world.advance(hours=5)
    assert reached(world) == ["email", "push"]


def test_a_visit_counts_as_a_reaction_and_what_a_server_tells_does_not():
    world = World(shop())
    ada, bob = customer(world), world.customer("bob@example.com")
    ada.does("Started")
    bob.does("Started")
    world.settle()
    ada.does("Product Viewed", channel="web")
    bob.does("Parcel Delivered", channel="server")
    world.advance(days=2)
    assert [message["channel"] for message in world.mailbox] == ["email", "email", "sms"]


def test_an_outcome_under_a_write_key_counts_for_nothing():
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, "Email Opened", public=True)
    world.advance(hours=5)
    assert reached(world) == ["email", "push"]


def test_a_bounce_moves_on_at_once():
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, "Email Bounced")
    assert reached(world) == ["email", "push"]


def test_without_an_address_or_consent_the_next_channel_is_asked():
    world = World(shop())
    ada = world.customer("ada")
    ada.does("Started")
    world.settle()
    assert reached(world) == ["sms"]
    (decided,) = [entry for entry in ada.timeline if entry.outcome == "decided"]
    assert decided.detail["over"] == [
        {"action": "news", "channel": "email", "reason": "fit.no_email"},
        {"action": "news", "channel": "push", "reason": "fit.no_device_id"},
    ]
    bob = world.customer("bob@example.com")
    bob.consents("marketing", "email", False)
    bob.does("Started")
    world.settle()
    assert reached(world) == ["sms", "sms"]


def test_only_the_reasons_that_are_named_move_on():
    world = World(shop({"fallback": {"on": ["refused"]}}))
    ada = world.customer("ada")
    ada.does("Started")
    assert [entry.reason for entry in ada.timeline if entry.outcome == "held"] == ["fit.no_email"]
    world.settle()
    assert reached(world) == []
    bob = world.customer("bob@example.com")
    world.provider_says = "refused"
    bob.does("Started")
    world.settle()
    assert [entry.reason for entry in bob.timeline if entry.outcome == "held"] == ["fit.no_device_id"]


def test_a_refused_message_moves_on():
    world = NoMail(shop({"channels": ["email", "sms"]}))
    ada = customer(world)
    ada.does("Started")
    world.advance(minutes=2)
    outcomes = [(entry.channel, entry.outcome) for entry in ada.timeline if entry.kind == "send"]
    assert outcomes == [("email", "decided"), ("email", "refused"), ("sms", "decided"), ("sms", "sent")]


def test_a_provider_that_is_down_for_too_long_is_passed_over():
    world = World(shop())
    ada = customer(world)
    world.provider_says = "retry"
    ada.does("Started")
    world.advance(minutes=29)
    assert not [entry for entry in ada.timeline if entry.channel == "push"]
    world.advance(minutes=2)
    expired = [(entry.channel, entry.reason) for entry in ada.timeline if entry.outcome == "expired"]
    assert expired == [("email", "down")]
    world.provider_says = "sent"
    world.advance(hours=1)
    assert reached(world) == ["push"]


def test_a_stop_ends_the_ladder():
    world = World(shop(policies={"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]}))
    ada = customer(world)
    ada.does("Started")
    world.settle()
    ada.does("Order Completed", channel="server")
    world.advance(days=3)
    assert reached(world) == ["email"]
    assert ada.run("way").ended_by == "stop.purchase"
    assert ada.pending_timers == []


def test_the_cheapest_channel_that_reaches_somebody_comes_first():
    world = World(shop({"action": "news", "choose": {"by": "cheapest"}, "fallback": None}))
    for name in ("ada", "bob@example.com"):
        world.customer(name).does("Started")
    world.settle()
    assert sorted(reached(world)) == ["email", "sms"]


def test_the_channel_of_the_last_reaction_comes_first():
    plain = shop({"choose": {"actions": ["news"], "by": "last_engaged"}})
    plain["journeys/way.yaml"]["re_entry"] = {"concurrent": 1}
    world = World(plain)
    ada = customer(world)
    ada.does("Started")
    world.advance(hours=9)
    told(world, ada, "SMS Link Clicked")
    assert reached(world) == ["email", "push", "sms"]
    ada.does("Started")
    world.settle()
    assert reached(world)[3:] == ["sms"]


def test_the_decision_picks_the_best_action_that_may_go():
    send = {"choose": {"actions": ["news", "better"]}, "fallback": None, "channels": ["email", "sms"]}
    caps = {"caps": [{"id": "once", "limit": 1, "per": "7d", "match": {"action": "better"}}]}
    plain = shop(send, policies=caps)
    world = World(plain)
    ada = customer(world)
    for _ in range(2):
        ada.does("Started")
        world.settle()
    assert [message["content"]["subject"] for message in world.mailbox] == ["better", "news"]
    first, second = [entry for entry in ada.timeline if entry.outcome == "decided"]
    assert first.detail["over"] == [{"action": "news", "channel": "email", "reason": "outranked.better"}]
    assert second.detail["over"] == [{"action": "better", "channel": "email", "reason": "cap.once"}]


def test_who_is_held_out_gets_nothing_on_any_channel():
    holdouts = {"holdouts": [{"id": "nobody", "share": 1.0, "match": {"action": "better"}}]}
    world = World(shop({"choose": {"actions": ["news", "better"]}}, policies=holdouts))
    ada = customer(world)
    ada.does("Started")
    world.advance(days=2)
    assert reached(world) == []
    assert [entry.reason for entry in ada.timeline if entry.outcome == "held"] == ["holdout.nobody"]


def test_a_run_sends_no_more_messages_than_its_touches():
    world = World(shop(guards={"touches": 2}))
    ada = customer(world)
    ada.does("Started")
    world.advance(days=2)
    assert reached(world) == ["email", "push"]
    assert [entry.reason for entry in ada.timeline if entry.outcome == "held"] == ["journey.touches"]


def test_a_message_that_bounced_is_no_touch():
    world = World(shop(guards={"touches": 1}))
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, "Email Bounced")
    assert reached(world) == ["email", "push"]


@pytest.mark.parametrize(("send", "guards"), [({"deadline": "6h"}, {}), ({}, {"deadline": "6h"})])
def test_after_its_deadline_a_message_is_worthless(send: dict[str, Any], guards: dict[str, Any]):
    world = World(shop(send, guards=guards))
    ada = customer(world)
    ada.does("Started")
    world.advance(days=2)
    assert reached(world) == ["email", "push"]
    assert [entry.reason for entry in ada.timeline if entry.outcome == "held"] == ["journey.deadline"]


def test_a_message_that_cannot_be_handed_over_in_time_expires():
    world = World(shop({"channels": ["email", "sms"], "fallback": None, "deadline": "2h"}))
    ada = customer(world)
    world.provider_says = "retry"
    ada.does("Started")
    world.advance(hours=3)
    world.provider_says = "sent"
    world.advance(days=1)
    assert reached(world) == []
    assert [(entry.outcome, entry.reason) for entry in ada.timeline if entry.outcome == "expired"] == [
        ("expired", "journey.deadline")
    ]


def test_during_a_pause_a_reaction_is_not_lost():
    world = Told(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    world.says("way", "paused")
    told(world, ada, "Email Opened")
    world.advance(days=1)
    world.says("way", "live")
    world.advance(days=1)
    assert reached(world) == ["email"]
    assert ada.run("way").ended_by == "end"


def test_during_a_pause_silence_waits():
    world = Told(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    world.says("way", "paused")
    world.advance(days=1)
    assert reached(world) == ["email"]
    world.says("way", "live")
    world.advance(hours=1)
    assert reached(world) == ["email", "push"]


def test_a_condition_sees_what_became_of_a_message():
    plain = shop({"channels": ["email", "sms"], "fallback": None})
    opened = {"outcome": {"name": ["opened", "clicked"], "journey": "way", "step": "hello", "within": "2d"}}
    steps = plain["journeys/way.yaml"]["steps"]
    again = {"send": {"action": "better", "channel": "sms"}}
    steps += [{"wait": {"for": "1d"}}, {"branch": [{"when": {"not": opened}, "steps": [again]}]}]
    world = World(plain)
    ada, bob = customer(world), world.customer("bob@example.com")
    ada.does("Started")
    world.settle()
    told(world, ada, "Email Opened")
    bob.does("Started")
    world.advance(days=2)
    assert reached(world) == ["email", "email", "sms"]
    assert (len(ada.sends), len(bob.sends)) == (1, 2)


def test_a_run_that_waits_for_a_held_message_goes_on_at_its_deadline():
    send = {"channels": ["email", "sms"], "fallback": {"on": ["refused"]}, "on_held": "wait", "deadline": "2h"}
    world = World(shop(send))
    ada = world.customer("ada")
    ada.does("Started")
    start_ms = world.now_ms
    world.advance(days=1)
    assert (ada.run("way").ended_by, ada.run("way").ended_ms - start_ms) == ("end", 2 * HOUR)
    assert [entry.reason for entry in ada.timeline if entry.outcome == "held"] == ["fit.no_email", "journey.deadline"]


def test_a_gate_that_knows_when_it_lets_a_message_go_has_the_run_wait_until_then(monkeypatch: pytest.MonkeyPatch):
    opens_ms = START_MS + 5 * HOUR

    def closed(candidates: Candidates, alive: int) -> int:
        if candidates.turn.now_ms >= opens_ms:
            return alive
        candidates.until_ms, candidates.parks = opens_ms, True
        return alive ^ candidates.drop("suppress.night", alive)

    gate = Gate(name="night", reasons=("suppress.night",), asked=frozenset({"send"}), strike=closed)
    monkeypatch.setattr(asking, "GATES", (gate, *asking.GATES))
    asking._asked.cache_clear()
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    assert ada.run("way").due_ms == opens_ms
    world.advance(hours=6)
    assert [entry.at_ms for entry in ada.timeline if entry.outcome == "decided"] == [opens_ms]
    asking._asked.cache_clear()


def test_silence_ends_its_own_time_though_a_bounce_is_awaited_for_longer():
    world = World(shop({"fallback": {"on": [{"silent": "1h"}, {"bounced": "4h"}]}}))
    ada = customer(world)
    ada.does("Started")
    world.advance(hours=1, minutes=5)
    assert reached(world) == ["email", "push"]


def test_a_bounce_after_its_time_is_none():
    world = World(shop({"fallback": {"on": [{"silent": "4h"}, {"bounced": "1h"}]}}))
    ada = customer(world)
    ada.does("Started")
    world.advance(hours=2)
    told(world, ada, "Email Bounced")
    assert reached(world) == ["email"]


@pytest.mark.parametrize("name", ["Email Delivered", "Email Bounced"])
def test_a_provider_may_tell_what_became_of_a_message_whose_fallback_waits(name: str):
    world = World(shop())
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, name)
    assert reached(world) == (["email"] if name == "Email Delivered" else ["email", "push"])
    assert world.engine.windows[0].shard.dead.all() == []


class Early(World):
    """A world whose provider of e-mail tells what became of a message before it has answered."""

    tells = ""

    def _take(self, message: dict[str, Any]) -> str:
        said = super()._take(message)
        if message["channel"] == "email":
            ada = self.ada
            event = ada.event(self.tells, send_id=message["send"], channel="server")
            self.engine.ask_profile(ada.id, event)
        return said


@pytest.mark.parametrize(("name", "then"), [("Email Opened", ["email"]), ("Email Bounced", ["email", "push"])])
def test_what_is_told_before_the_provider_has_answered_counts_too(name: str, then: list[str]):
    world = Early(shop({"fallback": {"on": ["bounced", {"silent": "4h"}]}}))
    world.ada, world.tells = customer(world), name  # type: ignore[attr-defined]
    world.ada.does("Started")  # type: ignore[attr-defined]
    world.advance(hours=3)
    assert reached(world) == then
    world.advance(days=1)
    assert reached(world)[: len(then)] == then and (len(then) == 2 or reached(world) == then)


def test_a_repeated_bounce_gives_no_second_touch_back():
    letter = {"send": {"action": "news", "channel": "email"}}
    journey = {
        "id": "way",
        "tier": "promotional",
        "trigger": {"event": "Started"},
        "guards": {"touches": 2},
        "steps": [
            letter,
            {"wait": {"for": "1h"}},
            letter,
            {"wait": {"for": "1h"}},
            letter,
            {"wait": {"for": "1h"}},
            letter,
        ],
    }
    world = World(shop(journeys=[journey]))
    ada = customer(world)
    ada.does("Started")
    world.advance(hours=1, minutes=5)
    for _ in range(3):
        told(world, ada, "Email Bounced")
    world.advance(days=1)
    assert len(reached(world)) == 3, "two that arrived, and the one that bounced"


def test_a_machine_that_opens_a_message_is_no_outcome():
    steps = [
        {"send": {"action": "news", "channel": "email"}},
        {"wait_for": {"outcome": "opened", "timeout": "1d", "on_event": {"steps": [{"exit": {"reason": "read"}}]}}},
    ]
    world = World(
        shop(journeys=[{"id": "way", "tier": "promotional", "trigger": {"event": "Started"}, "steps": steps}])
    )
    ada = customer(world)
    ada.does("Started")
    world.settle()
    told(world, ada, "Email Opened", machine=True)
    assert ada.run("way").state == "active"
    told(world, ada, "Email Opened")
    assert ada.run("way").ended_by == "read"


def test_a_visit_before_the_provider_has_answered_is_a_reaction():
    class Visited(World):
        def _take(self, message: dict[str, Any]) -> str:
            said = super()._take(message)
            self.engine.ask_profile(ada.id, ada.event("Page Viewed"))
            return said

    world = Visited(shop({"fallback": {"on": [{"silent": "4h"}]}}))
    ada = customer(world)
    ada.does("Started")
    world.advance(days=1)
    assert reached(world) == ["email"]


def test_the_action_that_no_stop_covers_waits_for_the_end_of_quiet_hours():
    care = action("care", tier="lifecycle", value=0.5)
    choose = {"choose": {"actions": ["news", "care"]}, "channel": "email"}
    journey = {
        "id": "way",
        "tier": "lifecycle",
        "trigger": {"event": "Started"},
        "steps": [{"wait": {"for": "10m"}}, {"send": choose}],
    }
    policies = {
        "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
        "quiet_hours": {"rules": [{"id": "night", "hours": "00:00-08:00"}]},
    }
    letters = [action("news"), care]
    world = World(shop(actions=letters, journeys=[journey], policies=policies))
    ada = customer(world)
    ada.does("Started")
    ada.does("Order Completed")
    world.advance(hours=20)
    assert [(message["action"]["id"], (message["at_ms"] - START_MS) // HOUR) for message in world.mailbox] == [
        ("care", 8)
    ]


def test_what_is_told_of_a_try_that_came_to_nothing_does_not_count_for_the_next_one():
    class Again(World):
        tries = 0

        def _take(self, message: dict[str, Any]) -> str:
            if message["channel"] == "email" and not self.tries:
                self.tries = 1
                self.engine.ask_profile(ada.id, ada.event("Email Bounced", send_id=message["send"], channel="server"))
                return "retry"
            return super()._take(message)

    world = Again(shop({"fallback": {"on": ["bounced", {"silent": "4h"}]}}))
    ada = customer(world)
    ada.does("Started")
    world.advance(hours=2)
    assert reached(world) == ["email"]
