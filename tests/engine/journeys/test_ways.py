"""Splits, parallels, jumps, updates, and waits for segments and outcomes, told as stories."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.told import Told
from support.world import HOUR, World, action, document

from engine.catalog import inner_events
from engine.journeys import interpreter
from engine.parts.of_journeys import SendOutcome
from engine.recent_events import Happened
from engine.turn_state import Turn

ACTIONS = ("one", "two", "three")
HOURLY = {"wait": {"for": "1h"}}


def send(name: str, **more: Any) -> dict[str, Any]:
    return {"send": {"action": name, "channel": "sms", **more}}


def shop(*steps: Any, status: str = "live", **journey: Any) -> dict[str, Any]:
    texts = [action(name, tier="service", purpose="service", channels=["sms"]) for name in ACTIONS]
    way = {"id": "way", "tier": "service", "trigger": {"event": "Started"}, "status": status, "steps": [*steps]}
    segments = {"segments": {"vip": {"trait": {"name": "vip", "is": True}}}}
    return document(actions=texts, journeys=[way | journey], segments=segments)


def parallel(join: str = "all", **arms: list[Any]) -> dict[str, Any]:
    return {"parallel": {"id": "both", "arms": arms, "join": join}}


# -- split


SPLIT = {"split": {"id": "copy", "arms": {"a": 70, "b": 30}, "steps": {"a": [send("one")], "b": [send("two")]}}}


def test_a_split_keeps_its_shares_and_each_customer_their_arm():
    world = World(shop(SPLIT, re_entry={"after": "0m"}))
    people = [world.customer(f"c{number}") for number in range(60)]
    for _ in range(2):
        for each in people:
            each.does("Started")
        world.settle()
    first = Counter(each.sends[0] for each in people)
    assert all(len(set(each.sends)) == 1 and len(each.sends) == 2 for each in people), "the same arm each time"
    assert 30 <= first["one"] <= 54


def test_new_weights_move_nobody_who_was_drawn():
    world = Told(shop(SPLIT))
    people = [world.customer(f"c{number}") for number in range(20)]
    for each in people:
        each.does("Started")
    world.settle()
    other = {"split": {**SPLIT["split"], "arms": {"a": 1, "b": 999}}}
    world.takes(shop(other))
    for each in people:
        each.does("Started")
    world.settle()
    assert all(each.sends[0] == each.sends[1] for each in people)
    assert {each.sends[0] for each in people} == {"one", "two"}


def test_an_arm_without_steps_goes_on_behind_the_split():
    split = {"split": {"id": "copy", "arms": {"a": 1, "b": 1}, "steps": {"a": [send("one")]}}}
    world = World(shop(split, send("two")))
    people = [world.customer(f"c{number}") for number in range(12)]
    for each in people:
        each.does("Started")
    world.settle()
    assert {tuple(sorted(each.sends)) for each in people} == {("one", "two"), ("two",)}


# -- parallel


def test_all_arms_go_at_once_and_the_run_goes_on_behind_the_last():
    world = World(shop(parallel(a=[send("one")], b=[HOURLY, send("two")]), send("three")))
    ada = world.customer("ada")
    ada.does("Started")
    world.settle()
    assert ada.sends == ["one"] and ada.pending_timers == ["way"]
    root, branch = (run for run in ada.shown["journeys"])
    assert (root["step"], branch["step"], branch["branchOf"]) == ("both.join", "0.b.0", root["run"])
    world.advance(hours=1)
    assert ada.sends == ["one", "two", "three"]
    assert [run.ended_by for run in ada.profile.runs] == ["end"], "nobody asks for ended branches"


def test_the_first_arm_at_an_any_ends_the_others():
    arms = parallel("any", a=[{"wait": {"for": "2h"}}, send("one")], b=[HOURLY])
    world = World(shop(arms, send("three")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(days=1)
    assert ada.sends == ["three"] and ada.pending_timers == []


def test_an_exit_in_an_arm_leaves_the_journey():
    arms = parallel("any", a=[HOURLY, {"exit": {"reason": "enough"}}], b=[{"wait": {"for": "2h"}}, send("one")])
    world = World(shop(arms, send("three")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(days=1)
    assert (ada.sends, ada.run("way").ended_by, ada.pending_timers) == ([], "enough", [])


def test_a_stop_ends_a_run_with_all_its_branches_and_withdraws_their_sends():
    arms = parallel(a=[HOURLY, send("one")], b=[send("two")])
    world = World(shop(arms, send("three"), stops=[{"id": "paid", "on": "Paid"}]))
    ada = world.customer("ada")
    ada.does("Started")
    ada.does("Paid")
    world.advance(days=1)
    assert ada.sends == [] and ada.pending_timers == []
    assert [(entry.kind, entry.reason) for entry in ada.timeline if entry.kind == "stop"] == [("stop", "stop.paid")]
    assert sorted(ada.outcomes("withdrawn")) == [("one", "stop.paid"), ("two", "stop.paid")]


def test_branches_count_neither_for_re_entry_nor_for_how_many_runs_there_are():
    arms = parallel(a=[HOURLY], b=[HOURLY])
    world = World(shop(arms, re_entry={"concurrent": 2}))
    ada = world.customer("ada")
    for _ in range(3):
        ada.does("Started")
    roots = [run for run in ada.profile.runs if not run.parent]
    assert len(roots) == 2 and len(ada.profile.runs) == 6


def test_arms_within_arms_join_from_the_inside_out():
    inner = {"parallel": {"id": "inner", "arms": {"x": [HOURLY], "y": [send("one")]}}}
    world = World(shop(parallel(a=[inner, send("two")], b=[{"wait": {"for": "3h"}}]), send("three")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(hours=2)
    assert ada.sends == ["one", "two"]
    world.advance(hours=2)
    assert ada.sends == ["one", "two", "three"]


def test_a_pause_holds_every_branch_and_each_goes_on_after_it():
    steps = (parallel(a=[HOURLY, send("one")], b=[{"wait": {"for": "2h"}}, send("two")]), send("three"))
    world = Told(shop(*steps))
    ada = world.customer("ada")
    ada.does("Started")
    world.says("way", "paused")
    world.advance(hours=5)
    assert ada.sends == []
    world.says("way", "live")
    world.settle()
    assert sorted(ada.sends) == ["one", "three", "two"]


def test_a_merge_brings_a_run_with_its_branches():
    world = World(shop(parallel(a=[HOURLY, send("one")], b=[{"wait": {"for": "2h"}}, send("two")]), send("three")))
    card = {"identifiers": (("loyalty_id", "4711"),)}
    ada = world.customer("ada@example.com")
    world.customer().does("Started", **card)
    world.advance(minutes=5)
    ada.does("Seen", **card)
    world.advance(minutes=5)
    assert len(ada.profile.runs) == 3
    world.advance(days=1)
    assert ada.sends == ["one", "two", "three"]


# -- goto


def test_a_loop_goes_round_as_often_as_it_may():
    steps = ({"id": "again", **send("one")}, {"wait": {"for": "1d"}}, {"goto": "again", "at_most": 3}, send("two"))
    world = World(shop(*steps))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(days=30)
    assert ada.sends == ["one"] * 4 + ["two"]


def test_a_loop_through_a_wait_that_is_over_at_once_does_not_hang():
    segment = {"wait_for": {"segment": "vip", "timeout": "1d", "on_timeout": {"goto": "again"}, "on_event": "exit"}}
    world = World(shop({"id": "again", **send("one")}, segment))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(days=5)
    assert len(ada.sends) == 5
    ada.identifies(vip=True)
    world.advance(days=5)
    assert len(ada.sends) <= 6 and ada.run("way").state == "completed"


# -- update


def test_an_update_writes_traits_and_tags_that_the_same_turn_reads():
    update = {"traits": {"stage": "asked", "cart": "$event.cart", "old": None}, "tags": {"add": ["x"], "remove": ["y"]}}
    branch = {"branch": [{"when": {"trait": {"name": "tags", "is": "x"}}, "steps": [send("one")]}]}
    world = World(shop({"update": update}, branch))
    ada = world.customer("ada")
    ada.identifies(old=1, tags=["y", "z"])
    ada.does("Started", cart="c1")
    world.settle()
    assert ada.profile.trait_values == {"stage": "asked", "cart": "c1", "tags": ["z", "x"]}
    assert ada.sends == ["one"]


def test_a_fact_that_is_absent_writes_nothing():
    world = World(shop({"update": {"traits": {"cart": "$event.cart"}}}, send("one")))
    ada = world.customer("ada")
    ada.does("Started")
    world.settle()
    assert ada.profile.traits == {} and ada.sends == ["one"]


# -- wait_for


def waits_for(**what: Any) -> tuple[Any, ...]:
    behind = {"on_event": {"steps": [send("one")]}, "on_timeout": {"steps": [send("two")]}}
    return ({"wait_for": {"timeout": "2h", **behind, **what}}, send("three"))


@pytest.mark.parametrize(("after", "sends"), [(0, ["one", "three"]), (1, ["one", "three"]), (3, ["two", "three"])])
def test_a_run_waits_until_somebody_is_in_a_segment(after: int, sends: list[str]):
    world = World(shop(*waits_for(segment="vip")))
    ada = world.customer("ada")
    if after == 0:
        ada.identifies(vip=True)
    ada.does("Started")
    world.advance(hours=after)
    if after:
        ada.identifies(vip=True)
    world.advance(hours=3)
    assert sorted(ada.sends) == sorted(sends)


def test_who_is_outside_already_has_not_to_leave():
    world = World(shop(*waits_for(segment={"id": "vip", "on": "exit"})))
    ada = world.customer("ada")
    ada.does("Started")
    world.settle()
    assert sorted(ada.sends) == ["one", "three"]


def test_the_time_out_of_a_wait_for_starts_anew_but_an_answer_before_that_counts():
    world = World(shop(*waits_for(event="Paid", reset_on="Seen")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(hours=1)
    paid = ada.event("Paid")
    world.advance(minutes=30)
    ada.does("Seen")
    world.advance(hours=1)
    assert ada.sends == []
    ada.tell(paid)
    world.settle()
    assert sorted(ada.sends) == ["one", "three"]


def test_a_time_out_that_starts_anew_is_bounded():
    world = World(shop(*waits_for(event="Paid", reset_on="Seen", reset_until="4h")))
    ada = world.customer("ada")
    ada.does("Started")
    seen = [ada.event("Seen", at_ms=world.now_ms + number * HOUR) for number in range(1, 12)]
    world.engine.stage(seen)
    world.advance(hours=5)
    assert sorted(ada.sends) == ["three", "two"]


def told_outcome(ada: Any, outcome: str) -> None:
    """What becomes of the newest message, as the turn of a delivery tells it: kept, and heard."""
    world, profile = ada.world, ada.profile
    run = next(run for run in profile.runs if run.sent)
    step, send_id = next(reversed(run.sent.items()))
    profile.outcomes.append(SendOutcome(send_id, run.id, step, "sms", outcome, world.now_ms))
    told = inner_events.of_outcome(
        outcome, step=step, send=send_id, action="one", channel="sms", journey="way", run=run.id
    )
    turn = Turn(profile, world.catalog, world.now_ms)
    interpreter.walk(turn, interpreter.react(turn, Happened(world.now_ms, profile.seq, inner_events.OUTCOME, told)))


OUTCOME = {"outcome": "opened", "timeout": "2h", "on_event": "exit"}


def mailed(*steps: Any) -> tuple[World, Any]:
    world = World(shop({"id": "first", **send("one")}, *steps))
    ada = world.customer("ada")
    ada.does("Started")
    world.settle()
    return world, ada


@pytest.mark.parametrize("of", [{}, {"of": "first"}])
def test_a_run_waits_for_what_becomes_of_its_message(of: dict[str, str]):
    _, ada = mailed({"wait_for": OUTCOME | of}, send("three"))
    told_outcome(ada, "delivered")
    assert ada.run("way").state == "active"
    told_outcome(ada, "opened")
    assert ada.run("way").state == "completed"


def test_an_outcome_that_came_before_the_run_did_is_there():
    world, ada = mailed(HOURLY, {"wait_for": OUTCOME}, send("three"))
    told_outcome(ada, "opened")
    world.advance(hours=1)
    assert ada.run("way").state == "completed" and ada.sends == ["one"]


def test_the_outcome_of_another_message_answers_nothing():
    world, ada = mailed(HOURLY, {"id": "second", **send("two")}, {"wait_for": OUTCOME}, send("three"))
    told_outcome(ada, "opened")
    world.advance(hours=2)
    assert ada.run("way").state == "active"
    world.advance(hours=2)
    assert ada.sends == ["one", "two", "three"]
