"""A journey is edited while customers are inside: each goes the way that was stated, and their timers with them."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import YES_TO_MAIL, Customer, action, compiled, document

from engine.errors import CatalogError

ASK = {"id": "ask", "wait_for": {"event": "Clicked", "timeout": "2d"}}
PAUSE = {"id": "pause", "wait": {"for": "1d"}}


def mail(name: str, **fields: Any) -> dict[str, Any]:
    return {"send": {"action": name, "channel": "email"}, **fields}


def shop(*steps: dict[str, Any], on_edit: Any = None, **changes: Any) -> dict[str, Any]:
    """A journey of these steps. `on_edit` says what becomes of who is inside."""
    way = {"id": "way", "tier": "promotional", "trigger": {"event": "Product Added"}, "steps": list(steps)} | changes
    if on_edit is not None:
        way["on_edit"] = on_edit
    return document(actions=[action("first"), action("second")], journeys=[way])


def inside(plain: dict[str, Any]) -> tuple[Told, Customer]:
    """Ada, who stands at the first step that waits."""
    world = Told(plain)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added")
    return world, ada


def test_what_nobody_stated_is_to_finish_the_version_that_one_is_in():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.takes(shop(PAUSE, mail("second")))
    world.advance(days=2)
    assert ada.sends == ["first"]


def test_who_follows_comes_to_the_next_step_of_the_new_version():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.takes(shop(PAUSE, mail("second"), on_edit="follow"))
    world.advance(days=2)
    assert ada.sends == ["second"]
    moved = next(entry for entry in ada.timeline if entry.outcome == "moved")
    assert (moved.journey, moved.step, moved.detail["by"]) == ("way", "pause", "follow")


def test_a_step_without_an_id_is_known_by_what_it_does():
    wait: dict[str, Any] = {"wait": {"for": "1d"}}
    world, ada = inside(shop(wait, mail("first")))
    world.advance(hours=20)
    world.takes(shop({"wait": {"for": "5m"}}, mail("first"), wait, mail("second"), on_edit="follow"))
    world.advance(hours=5)
    assert ada.sends == ["second"], "she stood at the day, and not at the five minutes"


def test_who_stops_is_out_at_their_next_turn_and_nothing_of_it_is_sent():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.takes(shop(PAUSE, mail("second"), on_edit="stop"))
    ada.does("Page Viewed")
    assert ada.run("way").ended_by == "journey.edited" and ada.pending_timers == []
    ada.does("Product Added")
    world.advance(days=2)
    assert ada.sends == ["second"], "it keeps nobody out"


def test_who_is_mapped_begins_the_named_step_anew():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.advance(hours=10)
    world.takes(shop({"id": "short", "wait": {"for": "1h"}}, mail("second"), on_edit={"map": {"pause": "short"}}))
    ada.does("Page Viewed")
    world.advance(minutes=59)
    assert ada.sends == []
    world.advance(minutes=2)
    assert ada.sends == ["second"]


def test_who_stands_at_a_step_that_is_gone_finishes_and_is_not_moved_later():
    world, ada = inside(shop(PAUSE, mail("first"), ASK, mail("first")))
    world.takes(shop(ASK, mail("second"), on_edit="follow"))
    world.advance(hours=25)
    assert ada.sends == ["first"] and ada.shown["journeys"][0]["step"] == "ask"
    world.advance(days=3)
    assert ada.sends == ["first", "first"], "the plan said that she finishes"


@pytest.mark.parametrize(("new", "passed", "left"), [("6h", 10, 0), ("12h", 10, 2), ("3d", 10, 62)])
def test_a_wait_that_became_longer_or_shorter_ends_as_much_later_or_earlier(new: str, passed: int, left: int):
    world, ada = inside(shop(PAUSE, mail("first")))
    world.advance(hours=passed)
    world.takes(shop({"id": "pause", "wait": {"for": new}}, mail("first"), on_edit="follow"))
    ada.does("Page Viewed")
    if left:
        world.advance(hours=left - 0.1)
        assert ada.sends == []
    world.advance(hours=0.2)
    assert ada.sends == ["first"]


def test_what_happened_before_an_edit_answers_a_step_that_asks_for_it_now():
    world, ada = inside(shop(ASK, mail("first")))
    ada.does("Opened")
    world.takes(shop({"id": "ask", "wait_for": {"event": "Opened", "timeout": "2d"}}, mail("second"), on_edit="follow"))
    ada.does("Page Viewed")
    world.settle()
    assert ada.sends == ["second"]


@pytest.mark.parametrize("what", ["segment", "outcome"])
def test_what_is_so_already_answers_a_step_that_asks_for_it_now(what: str):
    def ask(is_so: bool) -> dict[str, Any]:
        asked = {"segment": "buyers" if is_so else "others", "outcome": "sent" if is_so else "clicked"}[what]
        wait = {"id": "ask", "wait_for": {what: asked, "timeout": "2d", "on_timeout": "exit"}}
        plain = shop(mail("first"), wait, mail("second"), on_edit="follow" if is_so else None)
        bought, other = ({"event": {"name": name, "within": "30d"}} for name in ("Product Added", "Other"))
        return plain | {"segments.yaml": {"segments": {"buyers": bought, "others": other}}}

    world, ada = inside(ask(is_so=False))
    world.settle()
    world.takes(ask(is_so=True))
    world.advance(hours=1)
    assert ada.sends == ["first", "second"]


def test_a_run_goes_on_where_one_branch_is_at_a_join_that_waits_for_all_no_more():
    def both(join: str) -> dict[str, Any]:
        return {"parallel": {"id": "both", "join": join, "arms": {"a": [PAUSE, mail("first")], "b": [ASK]}}}

    world, ada = inside(shop(both("all"), mail("second")))
    world.advance(hours=25)
    world.takes(shop(both("any"), mail("second"), on_edit="follow"))
    world.advance(minutes=1)
    assert ada.sends == ["first", "second"] and ada.run("way").state == "completed" and ada.pending_timers == []
    world, ada = inside(shop(both("all"), mail("second")))
    world.takes(shop(both("any"), mail("second"), on_edit="follow"))
    world.advance(minutes=1)
    assert ada.sends == [] and len(ada.pending_timers) == 2, "no branch is there yet"


def test_who_follows_has_the_key_of_the_version_that_they_are_in():
    def carts(key: str, **changes: Any) -> dict[str, Any]:
        return shop(PAUSE, mail("first"), key=key, stops=[{"id": "left", "on": "Cart Cleared"}], **changes)

    world = Told(carts("cart_id"))
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added", cart_id="c1", order="o1")
    world.takes(carts("order", on_edit="follow"))
    ada.does("Product Added", cart_id="c2", order="o1")
    assert [run.key for run in ada.profile.runs] == ["o1"], "one run of each key"
    ada.does("Cart Cleared", cart_id="c1", order="o2")
    assert ada.run("way").state == "active"
    ada.does("Cart Cleared", cart_id="c9", order="o1")
    assert ada.run("way").ended_by == "stop.left"


def test_a_step_that_became_another_kind_begins():
    world, ada = inside(shop({"id": "it", "wait": {"for": "9d"}}, mail("first")))
    world.takes(shop(mail("second", id="it"), PAUSE, on_edit="follow"))
    ada.does("Page Viewed")
    world.settle()
    assert ada.sends == ["second"] and ada.shown["journeys"][0]["step"] == "pause"


def test_two_edits_before_the_next_turn_are_made_one_after_the_other():
    world, ada = inside(shop(PAUSE, mail("first")))
    other = {"id": "other", "wait": {"for": "1d"}}
    world.takes(shop(other, mail("second"), on_edit={"map": {"pause": "other"}}))
    world.takes(shop(PAUSE, mail("first")))
    assert ada.shown["journeys"][0]["step"] == "other", "who reads sees it before the turn too"
    ada.does("Page Viewed")
    world.advance(days=2)
    assert ada.sends == ["second"], "she was moved by the first, and finishes by the second"


def test_a_later_edit_is_about_those_too_who_were_to_finish():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.takes(shop(PAUSE, mail("first"), mail("second")))
    world.takes(shop(PAUSE, mail("second"), on_edit="follow"))
    world.advance(days=2)
    assert ada.sends == ["second"]


def test_a_new_text_of_an_action_is_an_edit_of_its_journeys():
    was = shop(PAUSE, mail("first"), on_edit="follow")
    world, _ = inside(was)
    letter = action("first")
    letter["variants"][0]["email"]["subject"] = "news"
    world.takes(was | {"actions/first.yaml": letter})
    world.advance(days=2)
    assert [message["content"]["subject"] for message in world.mailbox] == ["news"]


def test_an_edit_during_a_pause_is_made_and_waits_for_its_end():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.says("way", "paused")
    world.advance(days=2)
    world.takes(shop({"id": "pause", "wait": {"for": "3d"}}, mail("second"), on_edit="follow"))
    ada.does("Page Viewed")
    world.says("way", "live")
    world.advance(hours=23)
    assert ada.sends == []
    world.advance(hours=2)
    assert ada.sends == ["second"]


def test_a_mapping_to_a_step_that_is_not_there_is_named_with_its_place():
    with pytest.raises(CatalogError) as refused:
        compiled(shop(PAUSE, mail("first"), on_edit={"map": {"0": "pasue"}}))
    (problem,) = refused.value.problems
    assert problem.startswith("journeys/way.yaml: on_edit.map.0: no step of this journey is called 'pasue'")
    assert "did you mean 'pause'" in problem
    with pytest.raises(CatalogError) as refused:
        compiled(shop(PAUSE, on_edit="carry on"))
    assert "on_edit" in refused.value.problems[0]


FORK = {"parallel": {"id": "both", "arms": {"a": [PAUSE, mail("first")], "b": [ASK]}}}


def test_the_branches_of_a_run_follow_with_it():
    world, ada = inside(shop(FORK, mail("first")))
    longer = {"parallel": {"id": "both", "arms": {"a": [PAUSE, mail("second")], "b": [ASK]}}}
    world.takes(shop({"wait": {"for": "1m"}}, longer, mail("second"), on_edit="follow"))
    assert ada.sends == []
    world.advance(hours=25)
    assert ada.sends == ["second"], "one branch has gone on in the new version"
    world.advance(days=2)
    assert ada.sends == ["second", "second"], "and both have joined in it"


def test_a_run_stays_whole_where_one_of_its_branches_cannot_follow():
    world, ada = inside(shop(FORK, mail("first")))
    one = {"parallel": {"id": "both", "arms": {"a": [PAUSE, mail("second")], "b": [mail("second")]}}}
    world.takes(shop(one, mail("second"), on_edit="follow"))
    world.advance(days=3)
    assert ada.sends == ["first", "first"]


def test_stopping_ends_the_branches_too():
    world, ada = inside(shop(FORK, mail("first")))
    world.takes(shop(FORK, mail("second"), on_edit="stop"))
    ada.does("Page Viewed")
    assert ada.pending_timers == [] and {run.ended_by for run in ada.profile.runs} >= {"journey.edited"}


def test_an_edit_takes_nobody_into_an_arm_that_they_have_not_forked_into():
    world, ada = inside(shop(PAUSE, mail("first")))
    world.takes(shop(FORK, mail("second"), on_edit="follow"))  # the pause is in one of two arms now
    world.advance(days=5)
    assert ada.sends == ["first"] and ada.run("way").state == "completed"
    world, ada = inside(shop({"id": "head", "wait": {"for": "1d"}}, FORK, mail("first")))
    world.takes(shop(FORK, mail("second"), on_edit={"map": {"head": "pause"}, "rest": "follow"}))
    world.advance(days=5)
    assert ada.sends == ["first", "first"] and ada.pending_timers == []


def test_an_edit_takes_nobody_out_of_their_arm():
    emptied = {"parallel": {"id": "both", "arms": {"a": [mail("first")], "b": [{"wait": {"for": "1m"}}]}}}
    world, ada = inside(shop(FORK))
    world.takes(shop(emptied, PAUSE, ASK, mail("second"), on_edit="follow"))
    world.advance(days=9)
    assert ada.sends == ["first"], "what lies behind the join is not done by each of two branches"
    world, ada = inside(shop(FORK, {"id": "tail", "wait": {"for": "1d"}}, mail("second")))
    tail = {"id": "tail", "wait": {"for": "2d"}}
    world.takes(shop(FORK, tail, mail("second"), on_edit={"map": {"pause": "tail", "ask": "tail"}}))
    world.advance(days=9)
    assert ada.sends == ["first", "second"]


def test_an_edit_takes_nobody_from_one_arm_into_another():
    swapped = {"parallel": {"id": "both", "arms": {"a": [ASK, mail("first")], "b": [PAUSE, mail("second")]}}}
    world, ada = inside(shop(FORK))
    world.takes(shop(swapped, on_edit="follow"))
    world.advance(days=9)
    assert ada.sends == ["first"]


@pytest.mark.parametrize("rest", ["follow", "finish", "stop"])
def test_who_is_mapped_within_an_arm_goes_there_and_the_other_branches_follow(rest: str):
    world, ada = inside(shop(FORK, mail("first")))
    short = {"id": "short", "wait": {"for": "1h"}}
    longer = {"parallel": {"id": "both", "arms": {"a": [short, mail("second")], "b": [ASK, mail("second")]}}}
    world.takes(shop(longer, mail("first"), on_edit={"map": {"pause": "short"}, "rest": rest}))
    world.advance(hours=2)
    assert ada.sends == ["second"]
    world.advance(days=3)
    assert sorted(ada.sends) == ["first", "second", "second"]


def test_files_that_are_edited_without_a_word_leave_no_trace_in_the_document():
    world, _ = inside(shop(PAUSE, mail("first")))
    world.takes(shop(PAUSE, mail("second")))
    assert "operator.yaml" not in world.plain
