"""Facts of what started a run (`$event.x`) in conditions: of journeys, of stops and waits, and of what holds a send."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import YES_TO_MAIL, Customer, World, action, document

from actors.storage.memory_store import MemoryStore
from engine.catalog.compile import compile_document
from engine.errors import CatalogError

BOUGHT_IT = {"event": {"name": "Bought", "within": "30d", "where": {"items.category": "$event.category"}}}


def journey(**changes: Any) -> dict[str, Any]:
    return {
        "id": "j",
        "tier": "promotional",
        "trigger": {"event": "Seen"},
        "re_entry": {"concurrent": 9},
        "steps": [{"wait": {"for": "1h"}}, {"send": {"action": "letter", "channel": "email"}}],
    } | changes


def exit_as(reason: str) -> dict[str, Any]:
    return {"exit": {"reason": reason}}


def world(suppress: Any = None, stores: Any = None, **changes: Any) -> World:
    policies = {"suppress": [{"id": "has_it", "when": suppress}]} if suppress else {}
    files = document(actions=[action("letter")], journeys=[journey(**changes)], policies=policies)
    return World(files, stores=stores) if stores is not None else World(files)


def ada_of(world: World) -> Customer:
    return world.customer("ada@example.com", consents=YES_TO_MAIL)


def outcomes(ada: Customer) -> list[tuple[str, str]]:
    return [(entry.outcome, entry.reason) for entry in ada.timeline if entry.kind == "send" and entry.outcome != "sent"]


@pytest.mark.parametrize(("bought", "outcome"), [("bags", ("held", "suppress.has_it")), ("shoes", ("decided", ""))])
def test_a_rule_holds_the_sends_of_runs_that_what_it_asks_is_true_of(bought: str, outcome: tuple[str, str]):
    ada = ada_of(world(BOUGHT_IT))
    ada.does("Bought", items=[{"category": bought}, {"category": "hats"}])
    ada.does("Seen", category="bags")
    ada.world.advance(hours=2)
    assert outcomes(ada) == [outcome]


def test_an_absent_fact_makes_its_atom_false():
    for properties in ({}, {"category": None}, {"category": " "}, {"category": []}, {"category": {"name": "bags"}}):
        ada = ada_of(world(BOUGHT_IT))
        ada.does("Bought", items=[{"category": "bags"}])
        ada.does("Seen", **properties)
        ada.world.advance(hours=2)
        assert outcomes(ada) == [("decided", "")], properties


def test_without_a_run_there_is_no_fact():
    shown = action("banner", channels=["web"], placements=["home_hero"], purpose="service", eligible={"not": BOUGHT_IT})
    files = document(actions=[shown], policies={"suppress": [{"id": "has_it", "when": BOUGHT_IT}]})
    ada = World(files).customer("ada")
    ada.does("Bought", items=[{"category": "bags"}])
    assert [each["actionId"] for each in ada.decides()["actions"]] == ["banner"]
    assert ada.shown["suppressions"] == []


@pytest.mark.parametrize("said", ["$event.category", "$event.brand", "$event.nothing", "$action.category"])
@pytest.mark.parametrize("is_bought", [True, False])
def test_what_a_customer_says_is_never_the_name_of_a_fact(said: str, is_bought: bool):
    again = {"event": {"name": "Seen", "where": {"category": "$event.category"}}}
    ada = ada_of(world(BOUGHT_IT, when=again, stops=[{"id": "back", "on": "Back", "where": {"id": "$event.category"}}]))
    ada.does("Bought", items=[{"category": said if is_bought else "bags"}])
    ada.does("Seen", category=said, brand="bags")
    ada.does("Back", id="bags")
    ada.world.advance(hours=2)
    assert outcomes(ada) == [("held", "suppress.has_it") if is_bought else ("decided", "")]
    ada.does("Seen", category=said, brand="bags")
    ada.does("Back", id=said)
    assert [run.ended_by for run in ada.profile.runs] == ["end", "stop.back"]


def test_what_happens_between_the_decision_and_the_hand_over_counts():
    ada = ada_of(world(BOUGHT_IT))
    ada.does("Seen", category="bags")
    ada.world.provider_says = "retry"
    ada.world.advance(hours=1)
    ada.does("Bought", items=[{"category": "bags"}])
    ada.world.provider_says = "sent"
    ada.world.advance(days=1)
    assert outcomes(ada)[-1] == ("withdrawn", "suppress.has_it") and ada.world.mailbox == []


@pytest.mark.parametrize(
    ("said", "asked", "is_met"),
    [(7, "7", True), ("7", 7, True), ("7", "7", True), ("07", 7, False), (7, 8, False), ([1, 7], 7, True)],
)
def test_an_awaited_event_and_a_stop_can_be_about_what_started_the_run(said: Any, asked: Any, is_met: bool):
    steps = [{"wait_for": {"event": "Rated", "where": {"id": "$event.id"}, "timeout": "1d", "on_timeout": "exit"}}]
    ada = ada_of(world(steps=steps, stops=[{"id": "sent_back", "on": "Returned", "where": {"id": "$event.id"}}]))
    ada.does("Seen", id=said)
    ada.does("Rated", id=asked)
    assert ada.run("j").state == ("completed" if is_met else "active")
    ada.does("Seen", id=said, note="again")
    run = [run for run in ada.profile.runs if run.state == "active"][-1]
    ada.does("Returned", id=asked)
    ended = next(each for each in ada.profile.runs if each.id == run.id)
    assert ended.ended_by == ("stop.sent_back" if is_met else "")


def test_entry_and_branches_read_the_event_that_starts_the_run():
    branch = {
        "branch": [
            {"when": {"trait": {"name": "budget", "at_least": "$event.price"}}, "steps": [exit_as("rich")]},
            {"else": True, "steps": [exit_as("poor")]},
        ]
    }
    seen_before = {"event": {"name": "Seen", "count": {"at_least": 2}, "where": {"id": {"in": ["$event.id"]}}}}
    ada = ada_of(world(when=seen_before, steps=[{"wait": {"for": "1h"}}, branch]))
    ada.identifies(budget="100.00")
    for number, price in ((1, 90), (2, 90), (1, "90"), (2, "110.5")):
        ada.does("Seen", id=number, price=price)
    ada.world.advance(hours=2)
    assert sorted(run.ended_by for run in ada.profile.runs) == ["poor", "rich"]


def test_a_global_stop_can_be_about_what_started_the_run():
    policies = {"stops": [{"id": "bought", "on": "Bought", "where": {"items.id": {"not": "$event.id"}}}]}
    ada = World(document(actions=[action("letter")], journeys=[journey()], policies=policies)).customer("ada")
    ada.does("Seen", id="a")
    ada.does("Bought", items=[{"id": "b"}, {"id": "a"}])
    assert ada.run("j").state == "active"
    ada.does("Bought", items=[{"id": "b"}])
    assert ada.run("j").ended_by == "stop.bought"


def test_who_asks_why_a_send_was_held_is_told_the_value_that_was_asked_for():
    ada = ada_of(world(BOUGHT_IT))
    ada.does("Bought", items=[{"category": "bags"}])
    ada.does("Seen", category="bags")
    ada.world.advance(hours=2)
    (held,) = [entry for entry in ada.timeline if entry.outcome == "held"]
    assert held.detail["condition"]["wanted"] == (
        'not: at least 1 in the last 30 days where items.category is "bags"'
    )  # fmt: skip


def test_what_was_bought_many_events_ago_is_known():
    stores: list[Any] = [MemoryStore()]
    first = world(stores=stores)
    ada = ada_of(first)
    ada.does("Bought", items=[{"category": "bags", "price": 20}], total=20)
    for number in range(60):
        ada.does("Page Viewed", number=number)
    assert ada.profile.spilled and not ada.profile.details
    again = world(BOUGHT_IT, stores=stores)  # another catalog, which asks of what is long in pages
    again.now_ms, again._messages = first.now_ms, first._messages
    ada = again.customer("ada@example.com")
    ada.does("Seen", category="bags")
    ada.does("Seen", category="hats")
    again.advance(hours=2)
    assert sorted(outcomes(ada)) == [("decided", ""), ("held", "suppress.has_it")]
    (kept,) = ada.profile.details.values()
    assert [detail.properties for detail in kept] == [{"items": [{"category": "bags"}]}]


def test_what_is_kept_of_older_events_is_bounded():
    ada = ada_of(world(BOUGHT_IT))
    for number in range(120):
        ada.does("Bought", items=[{"category": f"c{number}"}], note="x" * 500)
    (kept,) = ada.profile.details.values()
    assert len(kept) <= 32
    for _ in range(60):
        ada.does("Bought", items=[{"category": "c" * 9_000}])
    (kept,) = ada.profile.details.values()
    assert 1 <= len(kept) <= 2


def test_a_fact_of_a_run_is_refused_where_there_is_none():
    asked = {"trait": {"name": "x", "is": "$event.id"}}
    message = "there is no run here with a trigger that $event.id could be a fact of"
    homes = {
        "segments.yaml: segments.s.trait.is": document(segments={"segments": {"s": asked}}),
        "journeys/j.yaml: trigger.where.id": document(
            actions=[action("letter")], journeys=[journey(trigger={"event": "Seen", "where": {"id": "$event.id"}})]
        ),
    }
    for home, files in homes.items():
        with pytest.raises(CatalogError) as error:
            compile_document(files)
        assert f"{home}: {message}" in str(error.value)
    for fact in ("$event.", "$event.a..b"):
        with pytest.raises(CatalogError) as error:
            compile_document(document(actions=[action("a", eligible={"trait": {"name": "x", "is": fact}})]))
        assert "a path is names with single dots between them" in str(error.value)


@pytest.mark.parametrize(
    "asked",
    [
        {"event": {"name": "$event.what"}},
        {"event": {"name": "Seen", "undone_by": {"name": "$event.what"}}},
        {"event": {"name": "Seen", "where": {"$event.what": 1}}},
        {"trait": {"name": "$event.what"}},
        {"context": {"name": "$event.what"}},
    ],
)
def test_a_fact_is_compared_with_and_names_nothing(asked: dict[str, Any]):
    with pytest.raises(CatalogError) as error:
        compile_document(document(actions=[action("letter", eligible=asked)]))
    assert "$event.what is a fact to compare with, no name: it may stand in a test" in str(error.value)


def test_an_event_may_be_called_with_a_dollar():
    assert compile_document(document(actions=[action("letter", eligible={"event": {"name": "$pageview"}})]))


def test_a_journey_may_ask_for_a_suppression_and_a_run_for_what_is_gone_since():
    """The names that a run's journey asks for are those of the catalog that stands: one that is gone is nobody's."""
    asked = {"any": [{"segment": "grown"}, {"suppression": "has_it"}]}
    branch = {"branch": [{"when": asked, "steps": [exit_as("yes")]}, {"else": True, "steps": [exit_as("no")]}]}
    steps = [{"wait": {"for": "1h"}}, branch]
    when = {"all": [{"not": {"suppression": "has_it"}}, {"segment": "grown"}]}
    policies = {"suppress": [{"id": "has_it", "when": BOUGHT_IT}]}
    segments = {"segments": {"grown": {"trait": {"name": "age", "at_least": 18}}}}
    files = document(actions=[action("letter")], policies=policies, segments=segments)
    stores: list[Any] = [MemoryStore()]
    first = World(files | {"journeys/j.yaml": journey(when=when, steps=steps)}, stores=stores)
    ada = ada_of(first)
    ada.identifies(age=20)
    ada.does("Bought", items=[{"category": "hats"}])
    for category in ("hats", "bags"):
        ada.does("Seen", category=category)
    assert [run.trigger["category"] for run in ada.profile.runs] == ["bags"]
    without = document(actions=[action("letter")], journeys=[journey(steps=[exit_as("new")])])
    again = World(without, stores=stores)
    again.now_ms, again._messages = first.now_ms, first._messages
    again.advance(hours=2)
    assert again.customer("ada@example.com").run("j").ended_by == "no"
