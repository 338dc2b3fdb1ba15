"""A campaign that must wait, or end: for everybody inside, at once, whoever says so and whatever happens afterwards."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import YES_TO_MAIL, Customer, World, action, compiled, document

from actors.maintenance import verify_replay
from actors.storage.memory_store import MemoryStore
from engine.catalog import statuses
from engine.errors import InvalidInput, NotFound

MAIL = {"send": {"action": "letter", "channel": "email"}}
HERO = {"channels": ["web"], "placements": ["home_hero"], "purpose": "service"}


def journey(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A promotional journey that starts with a cart."""
    return {
        "id": "way",
        "tier": "promotional",
        "trigger": {"event": "Product Added"},
        "key": "cart_id",
        "re_entry": {"concurrent": 9},
        "steps": list(steps or ({"wait": {"for": "1h"}}, MAIL)),
    } | changes


def shop(*journeys: dict[str, Any], letter: dict[str, Any] | None = None, **files: Any) -> dict[str, Any]:
    """A catalog with one letter and these journeys."""
    actions = [action("letter", **(letter or {})), action("other")]
    return document(actions=actions, journeys=list(journeys or (journey(),)), **files)


def ada_in(world: World, **cart: Any) -> Customer:
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added", **({"cart_id": "c1"} | cart))
    return ada


def ends(who: Customer) -> list[tuple[str, str]]:
    return [(run.state, run.ended_by) for run in who.profile.runs]


def shown_ends(who: Customer) -> list[tuple[str, str | None]]:
    return [(run["state"], run["endedBy"]) for run in who.shown["journeys"]]


def rebuilt(who: Customer) -> list[Any]:
    """How the profile differs from what its journal comes to."""
    shard = who.world.engine.shard(who.id)
    shard.commit()
    return list(verify_replay.differences(shard.batch, who.id, who.profile, shard.catalogs))


STOPS = {
    "stopped by its file": lambda world: world.takes(shop(journey(status="stopped"))),
    "stopped by command": lambda world: world.says("way", "stopped"),
    "removed": lambda world: world.takes(shop(journey(id="another"))),
}
REASONS = {"stopped by its file": "journey.stopped", "stopped by command": "journey.stopped"}
REASONS["removed"] = "journey.removed"


@pytest.mark.parametrize("how", STOPS)
@pytest.mark.parametrize("touched_by", ["its timer", "an event", "a decision", "an opt-out", "the hand-over"])
def test_a_run_of_a_stopped_journey_ends_however_its_profile_is_reached(how: str, touched_by: str):
    world = Told(shop(journey({"wait": {"for": "1h"}}, MAIL, {"wait": {"for": "1d"}})))
    ada = ada_in(world)
    if touched_by == "the hand-over":
        world.provider_says = "retry"
        world.advance(30_000, hours=1)
        assert [send.state for send in ada.profile.sends] == ["decided"]
    world.provider_says = "sent"
    STOPS[how](world)
    assert shown_ends(ada) == [("stopped", REASONS[how])], "true at once, though nothing has reached the profile yet"
    assert ada.shown["timers"] == ada.shown["pendingSends"] == [] and ends(ada) == [("active", "")]
    if touched_by == "an event":
        ada.does("Page Viewed")
    elif touched_by == "a decision":
        ada.decides()
    elif touched_by == "an opt-out":
        ada.consents("marketing", "sms", False)
    else:
        world.advance(hours=2)
    assert ends(ada) == shown_ends(ada) == [("stopped", REASONS[how])]
    assert ("letter", REASONS[how]) in ada.outcomes("withdrawn")
    world.advance(days=3)
    assert ada.sends == [] and world.mailbox == []
    assert rebuilt(ada) == []


@pytest.mark.parametrize("how", STOPS)
def test_who_was_inside_stays_out_when_a_stopped_journey_comes_back(how: str):
    world = Told(shop(), stores=[MemoryStore()])
    ada = ada_in(world)
    STOPS[how](world)
    if how == "stopped by command":
        world.says("way", "live")
    else:
        world.takes(shop())
    assert shown_ends(ada) == [("stopped", "journey.stopped")]
    world.advance(days=1)
    assert ada.sends == [] and ends(ada) == [("stopped", "journey.stopped")]
    ada.does("Product Added", cart_id="c2")
    world.advance(days=1)
    assert ada.sends == ["letter"], "who enters now is in it"
    assert rebuilt(ada) == []


def test_who_was_inside_a_stopped_journey_may_enter_it_again_whatever_its_rule_of_re_entry():
    plain = shop(journey(re_entry={"after": "30d"}))
    world = Told(plain, stores=[MemoryStore()])
    ada = ada_in(world)
    world.says("way", "stopped")
    world.advance(days=1)
    world.says("way", "live")
    ada.does("Product Added", cart_id="c1")
    world.advance(days=2)
    assert ends(ada) == [("stopped", "journey.stopped"), ("completed", "end")]
    assert ada.sends == ["letter"]


def test_a_send_that_was_decided_before_a_stop_does_not_leave_after_it_is_live_again():
    world = Told(shop())
    ada = ada_in(world)
    world.provider_says = "retry"
    world.advance(30_000, hours=1)
    world.provider_says = "sent"
    world.takes(shop(letter={"status": "stopped"}))
    world.takes(shop())
    assert ada.shown["pendingSends"] == []
    world.advance(hours=3)
    assert ada.sends == [] and ada.outcomes("withdrawn") == [("letter", "status.stopped")]


@pytest.mark.parametrize("status", ["draft", "paused", "stopped"])
def test_nobody_enters_a_journey_that_is_not_live(status: str):
    world = Told(shop(journey(status=status)))
    ada = ada_in(world)
    (entry,) = [entry for entry in ada.timeline if entry.kind == "journey"]
    assert (entry.outcome, entry.reason) == ("not_entered", f"journey.{status}")
    world.advance(days=1)
    assert ada.profile.runs == [] and ada.sends == []
    world.takes(shop())
    world.advance(days=1)
    assert ada.sends == []
    ada.does("Product Added", cart_id="c2")
    world.advance(days=1)
    assert ada.sends == ["letter"]


DONE, LATE, COALESCED = ("completed", "end"), ("exited", "timer.late"), ("exited", "timer.coalesced")


@pytest.mark.parametrize("status", ["paused", "draft"])
@pytest.mark.parametrize(
    ("late", "paused_h", "wanted"),
    [
        ("fire", 9, [DONE, DONE]),
        ({"drop_if_late": "2h"}, 2, [DONE, DONE]),
        ({"drop_if_late": "2h"}, 9, [LATE, LATE]),
        ("coalesce", 9, [COALESCED, DONE]),
        ("coalesce", 0, [DONE, DONE]),
    ],
)
def test_timers_wait_while_a_journey_is_paused_and_obey_late_when_it_is_resumed(
    late: Any, paused_h: int, wanted: list[tuple[str, str]], status: str
):
    way = journey({"wait": {"for": "1h", "late": late}}, MAIL)
    world = Told(shop(way))
    ada = ada_in(world)
    world.advance(minutes=1)
    ada.does("Product Added", cart_id="c2")
    world.takes(shop(way | {"status": status}))
    world.advance(hours=paused_h)
    assert ends(ada) == [("active", "")] * 2 and ada.sends == []
    assert {run["waitsFor"] for run in ada.shown["journeys"]} == {f"journey.{status}"}
    first_due = ada.shown["timers"][0]["at"]
    world.takes(shop(way))
    assert ada.shown["timers"][0]["at"] == first_due, "when it was due, not when it could be fired"
    world.advance(hours=2)
    assert ends(ada) == wanted
    assert ada.sends == ["letter"] * wanted.count(DONE)
    assert rebuilt(ada) == []


def test_a_pause_is_told_once_and_costs_nothing_while_it_lasts():
    world = Told(shop())
    ada = ada_in(world)
    world.says("way", "paused")
    world.advance(hours=2)
    inputs, entries = world.engine.shard(ada.id).journal_seq, len(ada.timeline)
    assert [(e.outcome, e.reason) for e in ada.timeline if e.kind == "timer"] == [("paused", "journey.paused")]
    world.advance(days=60)
    world.drain()
    assert (world.engine.shard(ada.id).journal_seq, len(ada.timeline)) == (inputs, entries)
    assert ends(ada) == [("active", "")]
    world.says("way", "live")
    world.settle()
    assert ada.sends == ["letter"]


def test_what_a_paused_run_waits_for_is_not_lost_when_it_comes_during_the_pause():
    steps = (
        {"wait_for": {"event": "Clicked", "timeout": "2h", "on_event": "continue", "on_timeout": "exit"}},
        MAIL,
    )
    world = Told(shop(journey(*steps)))
    ada = ada_in(world)
    world.says("way", "paused")
    ada.does("Clicked")
    world.advance(hours=5)
    assert ada.sends == [] and ends(ada) == [("active", "")]
    world.says("way", "live")
    world.settle()
    assert ada.sends == ["letter"] and rebuilt(ada) == []


def test_a_stop_and_a_reset_during_a_pause_do_what_they_always_do():
    way = journey({"wait": {"for": "1h", "reset_on": ["Product Added"]}}, MAIL, re_entry={})
    rules = {"stops": [{"id": "purchase", "on": "Order Completed"}]}
    world = Told(shop(way, policies=rules))
    ada, bob = ada_in(world), world.customer("bob@example.com", consents=YES_TO_MAIL)
    bob.does("Product Added", cart_id="c1")
    world.says("way", "paused")
    world.advance(hours=3)
    ada.does("Order Completed")
    bob.does("Product Added", cart_id="c1")
    world.says("way", "live")
    world.advance(minutes=50)
    assert ends(ada) == [("stopped", "stop.purchase")] and bob.sends == []
    world.advance(minutes=15)
    assert (ada.sends, bob.sends) == ([], ["letter"])


@pytest.mark.parametrize("what", ["journey", "action"])
def test_a_decided_send_waits_while_its_journey_or_its_action_is_paused_and_leaves_once(what: str):
    paused = shop(journey(status="paused")) if what == "journey" else shop(letter={"status": "paused"})
    reason = "journey.paused" if what == "journey" else "status.paused"
    world = Told(shop(), stores=[MemoryStore()])
    ada = ada_in(world)
    world.provider_says = "retry"
    world.advance(30_000, hours=1)
    world.provider_says = "sent"
    world.takes(paused)
    world.advance(days=1)
    assert world.mailbox == [] and ada.outcomes("waits") == [("letter", reason)]
    assert [(send["state"], send["waitsFor"]) for send in ada.shown["pendingSends"]] == [("decided", reason)]
    world.takes(shop())
    world.settle()
    assert ada.sends == ["letter"] and len(world.mailbox) == 1
    assert rebuilt(ada) == []


def test_an_opt_out_during_a_pause_withdraws_what_waits():
    world = Told(shop())
    ada = ada_in(world)
    world.provider_says = "retry"
    world.advance(30_000, hours=1)
    world.provider_says = "sent"
    world.says("way", "paused")
    world.settle()
    ada.consents("marketing", "email", False)
    world.says("way", "live")
    world.advance(days=1)
    assert ada.sends == [] and ada.outcomes("withdrawn") == [("letter", "consent.marketing.email")]


@pytest.mark.parametrize("on_held", ["continue", "exit", "wait"])
def test_a_send_of_a_paused_action_waits_at_its_step_whatever_its_step_says(on_held: str):
    send = {"send": {"action": "letter", "channel": "email", "on_held": on_held}}
    way = journey({"wait": {"for": "1h"}}, send)
    world = Told(shop(way))
    ada = ada_in(world)
    world.takes(shop(way, letter={"status": "paused"}))
    world.advance(days=40)
    ada.does("Page Viewed")
    assert ends(ada) == [("active", "")] and ada.outcomes("held") == [("letter", "status.paused")]
    assert ada.shown["journeys"][0]["waitsFor"] == "status.paused"
    world.takes(shop(way))
    world.settle()
    assert ada.sends == ["letter"] and ends(ada) == [DONE] and rebuilt(ada) == []


@pytest.mark.parametrize(
    ("letter", "reason"), [({"status": "draft"}, "status.draft"), ({"status": "stopped"}, "status.stopped")]
)
def test_a_draft_or_stopped_action_is_not_sent_and_its_run_does_what_its_step_says(letter: dict[str, Any], reason: str):
    world = Told(shop())
    ada = ada_in(world)
    world.takes(shop(letter=letter))
    world.advance(days=1)
    assert ada.outcomes("held") == [("letter", reason)] and ends(ada) == [DONE] and ada.sends == []


def test_an_action_that_was_taken_away_is_not_sent_to_those_inside():
    way = journey({"wait": {"for": "1h"}}, MAIL)
    other = {"send": {"action": "other", "channel": "email"}}
    world = Told(document(actions=[action("letter"), action("other")], journeys=[way]))
    ada = ada_in(world)
    world.takes(document(actions=[action("other")], journeys=[journey({"wait": {"for": "1h"}}, other)]))
    world.advance(days=1)
    assert ada.outcomes("held") == [("letter", "status.removed")] and ada.sends == []


@pytest.mark.parametrize("status", ["draft", "paused", "stopped"])
def test_an_action_that_is_not_live_is_chosen_by_no_decision(status: str):
    best = action("best", value=9.0, status=status, **HERO)
    world = World(document(actions=[best, action("next", **HERO)]))
    answer = world.customer("ada").decides(explain=True)
    assert [shown["actionId"] for shown in answer["actions"]] == ["next"]
    reasons = {row["actionId"]: row["reason"] for row in answer["explanation"]["candidates"]}
    assert reasons == {"next": "", "best": f"status.{status}"}


def decided_and_waiting(world: Told) -> Customer:
    """Ada, whose letter is decided and could not be handed over yet."""
    ada = ada_in(world)
    world.provider_says = "retry"
    world.advance(30_000, hours=1)
    world.provider_says = "sent"
    assert [send.state for send in ada.profile.sends] == ["decided"]
    return ada


PURPOSES = {"marketing": {"channels": ["email", "sms"]}, "service": {"channels": [], "default": True}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"letter": {"status": "draft"}}, "status.draft"),
        ({"letter": {"status": "stopped"}}, "status.stopped"),
        ({"letter": {"valid": {"until": "2026-03-01"}}}, "validity.over"),
        ({"letter": {"valid": {"from": "2027-01-01"}}}, "validity.not_yet"),
        ({"letter": {"purpose": "news"}}, "consent.news.email"),
    ],
)
def test_the_hand_over_goes_by_what_the_standing_catalog_says_of_an_action(change: dict[str, Any], reason: str):
    consent = {"purposes": PURPOSES | {"news": {"channels": ["email"], "default": False}}}
    world = Told(shop(consent=consent))
    ada = decided_and_waiting(world)
    world.takes(shop(consent=consent, **change))
    world.advance(hours=1)
    assert world.mailbox == [] and ada.outcomes("withdrawn") == [("letter", reason)]
    assert [row["reserved"] for row in ada.shown["caps"]] == []


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        ({"valid": {"until": "2026-03-01"}}, "validity.over"),
        ({"valid": {"from": "2027-01-01"}}, "validity.not_yet"),
        ({"purpose": "service"}, ""),
    ],
)
def test_a_send_is_decided_by_what_the_standing_catalog_says_of_its_action(letter: dict[str, Any], reason: str):
    world = Told(shop(letter={"purpose": "nobody_agreed"}, consent=_with_purpose("nobody_agreed")))
    ada = ada_in(world)
    world.takes(shop(letter={"purpose": "marketing"} | letter, consent=_with_purpose("nobody_agreed")))
    world.advance(days=1)
    assert ada.outcomes("held") == ([("letter", reason)] if reason else [])
    assert ada.sends == ([] if reason else ["letter"])


def _with_purpose(name: str) -> dict[str, Any]:
    return {"purposes": PURPOSES | {name: {"channels": ["email"], "default": False}}}


def test_a_new_text_stays_outside_unless_it_is_declared_to_reach_those_inside():
    def told(subject: str, **changes: Any) -> dict[str, Any]:
        variants = [{"id": "a", "email": {"subject": subject, "template": "plain.html"}}]
        return shop(letter={"variants": variants} | changes) | {"templates/plain.html": f"<p>{subject}</p>"}

    for texts, subject in (({}, "wrong"), ({"texts": "entered"}, "wrong"), ({"texts": "current"}, "right")):
        world = Told(told("wrong"))
        ada_in(world)
        bob = world.customer("bob@example.com", consents=YES_TO_MAIL)
        world.provider_says = "retry"
        world.advance(30_000, hours=1)  # Ada's is decided
        world.provider_says = "sent"
        bob.does("Product Added", cart_id="c2")
        world.takes(told("right", **texts))
        world.advance(hours=3)
        assert [message["content"]["subject"] for message in world.mailbox] == [subject] * 2
        is_current = subject == "right"
        assert all(("templates" in message["content"]) != is_current for message in world.mailbox)
        assert {message["version"] == world.catalog.version for message in world.mailbox} == {is_current}


def test_texts_that_are_current_may_have_other_variants():
    def told(*variants: str, **changes: Any) -> dict[str, Any]:
        made = [{"id": each, "email": {"subject": each, "template": "plain.html"}} for each in variants]
        return shop(letter={"variants": made} | changes)

    world = Told(told("a", "b"))
    decided_and_waiting(world)
    world.takes(told("c", texts="current"))
    world.advance(hours=1)
    assert [message["content"]["subject"] for message in world.mailbox] == ["c"]


def test_the_operators_word_stands_through_edits_and_restarts_until_it_is_taken_back():
    stores: list[Any] = [MemoryStore()]
    world = Told(shop(), stores=stores)
    ada = ada_in(world)
    world.says("way", "paused")
    world.takes(shop(letter={"value": 9.0}))
    world.reopens(stores)
    world.advance(hours=3)
    assert statuses.listed(world.plain)[0] == {
        "journey": "way", "status": "paused", "file": "live", "operator": "paused"
    }  # fmt: skip
    assert ada.sends == []
    world.plain = statuses.said(world.plain, "way", "live")
    world.reopens(stores)
    world.settle()
    assert ada.sends == ["letter"], "what waited is found again though it was resumed while the engine was down"


@pytest.mark.parametrize(
    ("file", "operator", "holds"),
    [
        ("live", "paused", "paused"),
        ("paused", "live", "paused"),
        ("draft", "paused", "draft"),
        ("paused", "stopped", "stopped"),
        ("stopped", "paused", "stopped"),
    ],
)
def test_the_stricter_of_the_files_word_and_the_operators_holds(file: str, operator: str, holds: str):
    plain = shop(journey(status=file))
    if operator != "live":
        plain = statuses.said(plain, "way", operator)  # type: ignore[arg-type]
    assert compiled(plain).journeys["way"].status == holds
    assert statuses.listed(plain)[0]["status"] == holds


def test_a_word_that_cannot_hold_is_refused_and_one_that_changes_nothing_makes_no_new_version():
    plain = shop(journey(status="paused"))
    with pytest.raises(InvalidInput, match="its file says paused"):
        statuses.said(plain, "way", "live")
    with pytest.raises(NotFound, match="there is no journey weigh"):
        statuses.said(plain, "weigh", "paused")
    live = shop()
    stopped = statuses.said(live, "way", "stopped")
    assert statuses.said(live, "way", "live") == live == statuses.carried(live, live)
    assert statuses.said(stopped, "way", "stopped") == stopped == statuses.carried(stopped, live)


def test_a_run_that_comes_with_another_profile_is_over_or_waits_as_the_catalog_says():
    for status, state in (("stopped", "stopped"), ("paused", "active")):
        world = Told(shop(), shards=2)
        visitor = world.customer(anonymous="visitor")
        visitor.does("Product Added", cart_id="c1")
        ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
        world.says("way", status)
        if status == "paused":
            world.advance(hours=2)
        world.customer("ada@example.com", anonymous="visitor").does("Signed In")
        world.settle()
        assert visitor.id == ada.id and [run.state for run in ada.profile.runs] == [state]
        if status == "paused":
            world.says("way", "live")
            world.settle()
            assert ada.sends == ["letter"]
        assert rebuilt(ada) == []
