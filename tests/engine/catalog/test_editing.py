"""Steps are found again in another version of their journey, and what is about to change is told from what is not."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import action, compiled, document

from engine.catalog import statuses
from engine.catalog.compiled import Catalog
from engine.catalog.editing import outcomes, plan, steps
from engine.catalog.editing.documents import EDITS_KEPT, is_edited

EVERY_KIND: list[dict[str, Any]] = [
    {"send": {"choose": {"actions": ["first", "second"]}, "channels": ["email", "sms"]}},
    {"wait": {"for": "1d", "reset_on": ["A", "B"]}},
    {"wait": {"until": {"time": "18:00", "weekday": ["FRI"]}}},
    {"wait_for": {"event": "Clicked", "where": {"x": 1}, "timeout": "1d", "on_event": "exit"}},
    {"branch": [{"when": {"trait": {"name": "vip", "is": True}}, "steps": [{"wait": {"for": "2d"}}]}]},
    {"split": {"id": "copy", "arms": {"a": 50, "b": 50}, "steps": {"a": [{"wait": {"for": "3d"}}]}}},
    {"parallel": {"id": "both", "arms": {"a": [{"wait": {"for": "4d"}}], "b": [{"wait": {"for": "5d"}}]}}},
    {"update": {"traits": {"seen": True}}},
    {"webhook": {"url": "https://shop.example/hook"}},
    {"id": "back", "wait": {"for": "6d"}},
    {"goto": "back"},
    {"exit": {"reason": "done"}},
]


def shop(*written: dict[str, Any], **changes: Any) -> dict[str, Any]:
    way = {"id": "way", "tier": "promotional", "trigger": {"event": "Begun"}, "steps": [*written]} | changes
    letters = [action(name, channels=["email", "sms"]) for name in ("first", "second")]
    return document(actions=letters, journeys=[way])


def test_a_step_in_front_changes_no_other_step_of_any_kind():
    was, now = compiled(shop(*EVERY_KIND)), compiled(shop({"id": "new", "wait": {"for": "9m"}}, *EVERY_KIND))
    before, after = was.journeys["way"].steps, now.journeys["way"].steps
    same = steps.pairs(was, now, "way")
    assert same == {position: position + 1 for position in range(len(before))}
    for position, step in enumerate(before):
        assert steps.signature(was, step) == steps.signature(now, after[position + 1]), step
        leads = {each + 1 for each in steps.leads_to(before, position)}
        assert leads == steps.leads_to(after, position + 1), step


@pytest.mark.parametrize("position", range(len(EVERY_KIND)))
def test_every_change_of_a_step_is_seen(position: int):
    changed = dict(EVERY_KIND[position])
    other: dict[str, Any] = {
        "send": {"choose": {"actions": ["second", "first"]}, "channels": ["email", "sms"]},
        "wait": {"for": "8d"},
        "wait_for": {"event": "Clicked", "where": {"x": 2}, "timeout": "1d", "on_event": "exit"},
        "branch": [{"when": {"trait": {"name": "vip", "is": False}}, "steps": [{"wait": {"for": "2d"}}]}],
        "split": {"id": "copy", "arms": {"a": 60, "b": 40}, "steps": {"a": [{"wait": {"for": "3d"}}]}},
        "parallel": {
            "id": "both",
            "join": "any",
            "arms": {"a": [{"wait": {"for": "4d"}}], "b": [{"wait": {"for": "5d"}}]},
        },
        "update": {"traits": {"seen": False}},
        "webhook": {"url": "https://shop.example/other"},
        "at_most": 2,
        "exit": {"reason": "over"},
    }
    for kind in changed.keys() & other.keys() or {"at_most"}:
        changed[kind] = other[kind]
    was, now = shop(*EVERY_KIND), shop(*EVERY_KIND[:position], changed, *EVERY_KIND[position + 1 :])
    assert is_edited(was, now, "way")
    ((_, row),) = [("", each) for each in plan.plan(compiled(was), compiled(now), {})["journeys"]]
    assert len(row["steps"]) == 1 and row["steps"][0]["change"] == "changed", row["steps"]


def test_a_change_of_somewhere_else_is_no_edit():
    was = shop(*EVERY_KIND)
    paused = {**was, "journeys/way.yaml": was["journeys/way.yaml"] | {"status": "paused", "on_edit": "follow"}}
    worth_more = {**was, "policies.yaml": {"min_propensity": 0.1}}
    assert not is_edited(was, paused, "way") and not is_edited(was, worth_more, "way")


def test_an_edit_that_is_too_old_is_forgotten_and_the_later_ones_are_made():
    plain = statuses.carried(None, shop({"id": "a", "wait": {"for": "1d"}}))
    first = compiled(plain)
    archive: dict[str, Catalog] = {first.version: first}
    for number in range(EDITS_KEPT + 4):
        written = [{"id": "a", "wait": {"for": "1d"}}, {"id": "b", "wait": {"for": f"{number + 1}d"}}]
        plain = statuses.carried(plain, shop(*written, on_edit={"map": {"a": "b"}}))
        made = compiled(plain)
        archive[made.version] = made
    assert len(plain["operator.yaml"]["journeys"]["way"]["edits"]) == EDITS_KEPT
    made.archive.update(archive)
    found = outcomes.of(made, "way", first.version, (0,))
    assert found.word in ("map", "finish"), "it makes those that are left"
    assert made.journeys["way"].edition == EDITS_KEPT + 4


def test_behind_a_jump_that_was_taken_as_often_as_it_may_a_run_goes_on():
    program = compiled(shop({"id": "back", "wait": {"for": "1d"}}, {"goto": "back"})).journeys["way"].steps
    assert [steps.leads_to(program, at) for at in range(2)] == [{1}, {0, 2}]


def test_a_plan_says_who_finishes_because_an_arm_was_not_gone_into():
    wait: dict[str, Any] = {"id": "it", "wait": {"for": "1d"}}
    was = compiled(shop(wait))
    plain = shop({"parallel": {"id": "both", "arms": {"a": [wait], "b": [EVERY_KIND[0]]}}}, on_edit="follow")
    now = compiled(statuses.carried(shop(wait), plain))
    now.archive[was.version] = was
    (row,) = plan.plan(was, now, {"way": {(plan.Place(was.version, 0, (0,)),): 3}})["journeys"]
    assert (row["becomes"]["finish"], row["groups"][0]["reason"]) == (3, "step.elsewhere")


def test_a_plan_names_what_journeys_share_that_changes_for_everybody_inside():
    def vip(event: str, **more: Any) -> dict[str, Any]:
        branch = {"branch": [{"when": {"segment": "best"}, "steps": [{"wait": {"for": "2d"}}]}]}
        segments = {"vip": {"event": {"name": event, "within": "30d"}}, "best": {"not": {"segment": "vip"}}}
        return shop({"id": "it", "wait": {"for": "1d"}}, branch, **more) | {"segments.yaml": {"segments": segments}}

    was, now, both = (compiled(vip("A")), compiled(vip("B")), compiled(vip("B", tier="service")))
    inside = {"way": {(plan.Place(was.version, 0, (0,)),): 3}}
    (row,) = plan.plan(was, now, inside)["journeys"]
    assert (row["change"], row["shared"], row["customers"]) == ("shared", ["segment best"], 3)
    assert row["becomes"]["finish"] == 3
    (row,) = plan.plan(was, both, inside)["journeys"]
    assert (row["change"], row["shared"]) == ("changed", ["segment best"])
    (row,) = plan.plan(was, compiled(vip("A", tier="service")), inside)["journeys"]
    assert row["shared"] == []


def test_a_rule_of_suppression_that_a_branch_asks_for_is_shared():
    def shop_with(event: str) -> dict[str, Any]:
        rule = {"id": "angry", "when": {"event": {"name": event, "within": "7d"}}}
        branch = {"branch": [{"when": {"suppression": "angry"}, "steps": [{"wait": {"for": "2d"}}]}]}
        return shop({"wait": {"for": "1d"}}, branch) | {"policies.yaml": {"suppress": [rule]}}

    (row,) = plan.plan(compiled(shop_with("A")), compiled(shop_with("B")), {})["journeys"]
    assert (row["change"], row["shared"]) == ("shared", ["suppression angry"])


def test_before_at_and_after_are_by_the_ways_that_are_left():
    vip = {"when": {"trait": {"name": "vip", "is": True}}, "steps": [{"id": "vip", "wait": {"for": "2d"}}]}
    rest: dict[str, Any] = {"else": True, "steps": [{"id": "rest", "wait": {"for": "2d"}}]}
    first, last = {"id": "first", "wait": {"for": "1d"}}, {"id": "last", "wait": {"for": "1d"}}
    was = compiled(shop(first, {"branch": [vip, rest]}, last))
    longer = {"branch": [vip | {"steps": [{"id": "vip", "wait": {"for": "3d"}}]}, rest]}
    now = compiled(shop(first, longer, last))
    now.archive[was.version] = was
    ids = [step.id for step in was.journeys["way"].steps]
    stands = {name: plan.Place(was.version, 0, (ids.index(name),)) for name in ("first", "vip", "rest", "last")}
    inside = {(stands["first"],): 4, (stands["vip"],): 3, (stands["rest"],): 2, (stands["last"],): 1}
    inside[stands["first"], stands["last"]] = 10  # these have two runs each
    (row,) = plan.plan(was, now, {"way": inside})["journeys"]
    (changed,) = row["steps"]
    assert {where: changed[where] for where in plan.WHERES} == {"before": 14, "at": 3, "after": 13}
    assert (row["customers"], row["runs"], row["becomes"]["finish"]) == (20, 30, 20)
