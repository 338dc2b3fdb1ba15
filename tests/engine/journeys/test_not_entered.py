"""Every silence of a journey has its reason: in the timeline once, and under `why`."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import DAY, HOUR, YES_TO_MAIL, Customer, World, action, document

from actors.maintenance import verify_replay
from engine.errors import NotFound
from engine.journeys import refusals
from engine.readings import reasons_now

STOP = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}
SEEN_TWICE = {"event": {"name": "Seen", "count": {"at_least": 2}, "within": "1d"}}
GOLD = {"all": [{"trait": {"name": "age", "at_least": 18}}, {"trait": {"name": "tier", "is": "gold"}}]}


def way(**changes: Any) -> dict[str, Any]:
    """A promotional journey of a cart; a day must pass between two runs of one cart."""
    return {
        "id": "way",
        "tier": "promotional",
        "trigger": {"event": "Product Added", "where": {"value": {"at_least": 10}}},
        "key": "cart_id",
        "re_entry": {"after": "1d"},
        "steps": [{"wait": {"for": "1h"}}, {"send": {"action": "mail", "channel": "email"}}],
    } | changes


def shop(**changes: Any) -> dict[str, Any]:
    return document(actions=[action("mail")], journeys=[way(**changes)], policies={"stops": [STOP]})


def ada_in(world: World, **traits: Any) -> Customer:
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    if traits:
        ada.identifies(email="ada@example.com", **traits)
    return ada


def adds(ada: Customer, minutes_ago: float = 0, **cart: Any) -> None:
    at_ms = int(ada.world.now_ms - minutes_ago * 60_000)
    ada.does("Product Added", at_ms=at_ms, **({"cart_id": "c", "value": 20} | cart))


def noted(ada: Customer) -> list[str]:
    return [entry.reason for entry in ada.timeline if entry.outcome == "not_entered"]


def why(ada: Customer, journey: str = "way") -> dict[str, Any]:
    world = ada.world
    (row,) = reasons_now.why(ada.profile, world.catalog, world.now_ms, journey_id=journey)["journeys"]
    return {name: value for name, value in row.items() if name != "at"}


def told(reason: str, **more: Any) -> dict[str, Any]:
    return {"journeyId": "way", "status": "live", "inside": False, "reason": reason, **more}


def rebuilt(who: Customer) -> list[Any]:
    shard = who.world.engine.shard(who.id)
    shard.commit()
    return list(verify_replay.differences(shard.batch, who.id, who.profile, shard.catalogs))


def test_a_condition_that_does_not_hold_is_said_with_the_part_that_failed():
    world = World(shop(when=GOLD))
    ada = ada_in(world, age=40, tier="silver")
    adds(ada)
    part = {"path": "when.all[2].trait.tier", "wanted": 'is "gold"', "saw": '"silver"'}
    (entry,) = [entry for entry in ada.timeline if entry.outcome == "not_entered"]
    assert (entry.kind, entry.reason, entry.detail) == ("journey", "journey.when", {"condition": part})
    assert why(ada) == told("journey.when", condition=part)
    ada.identifies(email="ada@example.com", tier="gold")
    assert why(ada)["condition"] == part, "as it was when the trigger happened"
    adds(ada)
    assert why(ada)["inside"] and ada.profile.refused == []


def test_re_entry_and_concurrency_are_said_by_key():
    world = World(shop())
    ada = ada_in(world)
    adds(ada)
    adds(ada)
    assert noted(ada) == ["journey.concurrent"] and why(ada)["inside"]
    world.advance(hours=2)
    assert why(ada) == told("end")
    adds(ada)
    adds(ada)
    assert noted(ada) == ["journey.concurrent", "journey.re_entry"]
    assert why(ada) == told("journey.re_entry")
    adds(ada, cart_id="another")
    assert why(ada)["inside"]
    world.advance(hours=2)
    assert why(ada) == told("end")


def test_a_trigger_that_is_told_too_late_is_said():
    world = World(shop())
    ada = ada_in(world)
    adds(ada, minutes_ago=48 * 60 + 1)
    assert noted(ada) == ["journey.late"] and why(ada) == told("journey.late")


def test_a_stop_that_came_after_the_trigger_is_said_once():
    world = World(shop())
    ada = ada_in(world)
    ada.does("Order Completed")
    for minutes in (1, 2, 3):
        adds(ada, minutes_ago=minutes)
    assert noted(ada) == ["stop.purchase"] and why(ada) == told("stop.purchase")


@pytest.mark.parametrize("status", ["draft", "paused", "stopped"])
def test_a_journey_that_is_not_live_says_so_with_and_without_a_trigger(status: str):
    world = World(shop(status=status))
    ada = ada_in(world)
    assert why(ada) == told(f"journey.{status}") | {"status": status}
    for _ in range(3):
        adds(ada)
    assert noted(ada) == [f"journey.{status}"]
    assert why(ada) == told(f"journey.{status}") | {"status": status}


def test_an_event_that_does_not_pass_where_is_no_trigger_and_why_says_what_it_had():
    world = World(shop())
    ada = ada_in(world)
    assert why(ada) == told("journey.no_trigger")
    adds(ada, value=9)
    assert noted(ada) == []
    part = {"path": "trigger.where.value", "wanted": "at least 10", "saw": "9"}
    assert why(ada) == told("journey.where", condition=part)


def test_of_a_journey_that_came_later_the_newest_event_says_whether_it_was_its_trigger():
    world = Told(document(actions=[action("mail")], policies={"stops": [STOP]}))
    ada = ada_in(world)
    for value in (9, 20):
        adds(ada, value=value)
        world.advance(minutes=1)
    world.takes(shop())
    assert why(ada) == told("journey.no_trigger"), "what passes came before the journey"


def test_the_part_that_failed_the_last_time_is_told_and_noted_once_a_day():
    world = World(shop(when=GOLD))
    ada = ada_in(world, age=10, tier="silver")
    adds(ada)
    assert why(ada)["condition"]["path"] == "when.all[1].trait.age"
    ada.identifies(email="ada@example.com", age=40)
    adds(ada)
    assert why(ada)["condition"] == {"path": "when.all[2].trait.tier", "wanted": 'is "gold"', "saw": '"silver"'}
    assert noted(ada) == ["journey.when"] and rebuilt(ada) == []


def test_what_ended_a_run_is_the_reason_until_the_trigger_happens_again():
    world = World(shop())
    ada = ada_in(world)
    adds(ada)
    world.advance(minutes=1)
    ada.does("Order Completed")
    assert why(ada) == told("stop.purchase")
    world.advance(minutes=1)
    adds(ada)
    assert why(ada) == told("journey.re_entry")


def test_a_view_repeated_a_thousand_times_is_noted_once_a_day():
    world = World(shop(when=SEEN_TWICE, key=None))
    ada = ada_in(world)
    for _ in range(1_000):
        adds(ada)
    assert noted(ada) == ["journey.when"] and len(ada.profile.refused) == 1
    world.advance(DAY - HOUR)
    adds(ada)
    assert noted(ada) == ["journey.when"]
    world.advance(hours=2)
    adds(ada)
    assert noted(ada) == ["journey.when"] * 2
    assert rebuilt(ada) == []


def test_reasons_that_take_turns_are_noted_once_each():
    world = World(shop(when=GOLD, key=None))
    ada = ada_in(world, age=40)
    for _ in range(50):
        adds(ada)
        adds(ada, minutes_ago=3 * 24 * 60)
    assert noted(ada) == ["journey.when", "journey.late"]
    assert why(ada) == told("journey.late"), "the newest"


def test_keys_without_end_fill_neither_the_timeline_nor_the_state():
    world = World(shop())
    ada = ada_in(world)
    ada.does("Order Completed")
    for number in range(300):
        adds(ada, minutes_ago=1, cart_id=f"c{number}")
    assert noted(ada) == ["stop.purchase"] * refusals.REFUSALS_MAX
    assert len(ada.profile.refused) == refusals.REFUSALS_MAX
    world.advance(days=2)
    ada.does("Order Completed")
    adds(ada, minutes_ago=1, cart_id="new")
    assert len(noted(ada)) == refusals.REFUSALS_MAX + 1 and len(ada.profile.refused) == refusals.REFUSALS_MAX


def test_what_kept_either_of_two_out_is_known_of_both_when_they_are_one():
    world = World(shop(when=GOLD), shards=2)
    ada, phone = ada_in(world, age=40), world.customer(anonymous="phone")
    adds(ada)
    world.advance(minutes=1)
    adds(phone)
    world.customer("ada@example.com", anonymous="phone").does("Page Viewed")
    world.settle()
    assert why(ada)["condition"]["path"] == "when.all[1].trait.age", "what the phone was told, which is the newer"
    adds(ada)
    assert noted(ada).count("journey.when") == 2 and len(ada.profile.refused) == 1


def test_a_pause_is_no_news_of_a_journey_that_goes_on():
    world = Told(shop())
    ada = ada_in(world)
    world.says("way", "paused")
    adds(ada)
    world.says("way", "live")
    adds(ada)
    assert noted(ada) == ["journey.paused"] and why(ada)["inside"]


def test_why_tells_all_or_what_is_asked():
    world = World(shop())
    ada = ada_in(world)

    def asked(**names: str) -> dict[str, Any]:
        return reasons_now.why(ada.profile, world.catalog, world.now_ms, **names)

    assert [row["actionId"] for row in asked()["actions"]] == ["mail"]
    assert [row["journeyId"] for row in asked()["journeys"]] == ["way"]
    assert asked(action_id="mail")["actionId"] == "mail" and "journeys" not in asked(action_id="mail")
    assert "actions" not in asked(journey_id="way") and "actionId" not in asked(journey_id="way")
    both = asked(action_id="mail", journey_id="way")
    assert (both["actionId"], both["journeys"][0]["journeyId"]) == ("mail", "way")
    with pytest.raises(NotFound, match="there is no journey nowhere"):
        asked(journey_id="nowhere")


def test_a_run_that_is_over_in_the_catalog_that_stands_is_over_for_who_asks():
    world = Told(shop())
    ada = ada_in(world)
    adds(ada)
    world.says("way", "stopped")
    assert why(ada) == told("journey.stopped") | {"status": "stopped"}


def test_of_a_long_story_the_state_keeps_the_head():
    either = {"any": [{"trait": {"name": f"t{number}", "is": "x" * 150}} for number in range(10)]}
    world = World(shop(when=either))
    ada = ada_in(world)
    adds(ada)
    (entry,) = [entry for entry in ada.timeline if entry.outcome == "not_entered"]
    assert len(entry.detail["condition"]["parts"]) == 10
    assert why(ada)["condition"] == {"path": "when.any", "wanted": "one that holds", "saw": "none holds"}
