"""Stories that lead into journeys and to their steps, whatever starts them and whatever they wait for."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from support.pairs import MAIL, catalog, journey

from actors.catalog_proof.rehearsals import rehearse
from engine.catalog.compile import compile_document
from engine.clashes import making
from engine.clashes.stories import Does, Known, Learned, Reacts, Story, Told

SEGMENTS: dict[str, Any] = {
    "fans": {"trait": {"name": "points", "at_least": 100}},
    "lapsing": {
        "all": [{"event": {"name": "Ordered"}}, {"not": {"event": {"name": "Ordered", "within": "30d"}}}],
    },
    "active": {"event": {"name": "Ordered", "within": "30d"}},
}
TRIGGERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("an event", {"event": "Viewed", "where": {"price": {"more_than": 50}, "sku": {"exists": True}}}, {}),
    ("a list in an event", {"event": "Ordered", "where": {"products": {"some": {"price": {"at_least": 5}}}}}, {}),
    ("entering a segment by a trait", {"segment": {"id": "fans"}}, {}),
    ("leaving a segment by a trait", {"segment": {"id": "fans", "on": "exit"}}, {}),
    ("entering a segment by an event", {"segment": {"id": "active"}}, {}),
    ("entering a segment as time passes", {"segment": {"id": "lapsing"}}, {}),
    ("leaving a segment as time passes", {"segment": {"id": "active", "on": "exit"}}, {}),
    ("a schedule", {"schedule": {"cron": "0 9 * * MON", "spread": "2h", "segment": "fans"}}, {}),
    ("a single time", {"schedule": {"once": "2027-05-01 10:00"}}, {}),
    ("a yearly schedule", {"schedule": {"cron": "0 9 24 12 *", "segment": "active"}}, {}),
    ("a date", {"date": {"trait": "renewal.on", "offset": "-14d"}}, {}),
    ("a birthday", {"date": {"trait": "born", "yearly": True, "segment": "fans"}}, {}),
    (
        "a fact about a thing",
        {
            "thing": {
                "kind": "route",
                "event": "Dropped",
                "where": {"percent": {"at_least": 10}},
                "interested": {"event": "Viewed", "within": "2d", "where": {"open": True}},
            }
        },
        {},
    ),
    ("a count", {"event": "Viewed"}, {"event": {"name": "Viewed", "count": {"at_least": 3}, "within": "1h"}}),
    (
        "facts of its event",
        {"event": "Viewed"},
        {"event": {"name": "Ordered", "where": {"product.category": "$event.category"}}},
    ),
    ("one of two ways", {"event": "Viewed"}, {"any": [{"context": {"name": "page"}}, {"segment": "fans"}]}),
    (
        "a range and a list",
        {"event": "Viewed"},
        {
            "all": [
                {"trait": {"name": "age", "more_than": 17, "less_than": 19}},
                {"trait": {"name": "age", "not": 17.5}},
            ]
        },
    ),
]


def confirmed(plain: dict[str, Any], step: str) -> tuple[Story, Told]:
    """The first story that comes to a step of the journey `one`, and what it shows."""
    made = compile_document(plain)
    for story in islice(making.to_step(made, made.journeys["one"], step), 12):
        told = rehearse(made, story, ["one"])
        if any((entry.journey, entry.step) == ("one", step) for entry in told.entries):
            return story, told
    raise AssertionError(f"no story comes to {step}")


@pytest.mark.parametrize(("trigger", "when"), [row[1:] for row in TRIGGERS], ids=[row[0] for row in TRIGGERS])
def test_a_story_enters_by_every_kind_of_trigger(trigger: dict[str, Any], when: dict[str, Any]) -> None:
    more = {"trigger": trigger} | ({"when": when} if when else {})
    plain = catalog(journey("one", "", {"id": "here", **MAIL}, **more), segments=SEGMENTS)
    _, told = confirmed(plain, "here")
    assert "letter" in [entry.action for entry in told.left("one")]


WAYS: list[tuple[str, list[Any], type]] = [
    ("an event", [{"wait_for": {"event": "Called", "timeout": "2d", "on_timeout": "exit"}}], Does),
    ("time alone", [{"wait_for": {"event": "Called", "timeout": "2d", "on_event": "exit"}}], Known),
    ("a segment", [{"wait_for": {"segment": "fans", "timeout": "2d", "on_timeout": "exit"}}], Known),
    ("a reaction", [MAIL, {"wait_for": {"outcome": "clicked", "timeout": "2d", "on_timeout": "exit"}}], Reacts),
    ("an arm", [{"branch": [{"when": {"segment": "active"}, "steps": [{"exit": {}}]}, {"else": True, "steps": [
        {"branch": [{"when": {"segment": "fans"}, "steps": [{"wait": {"for": "1h"}}]},
                    {"else": True, "steps": [{"exit": {}}]}]}]}]}], Known),
    ("a drawn arm", [{"split": {"id": "s", "arms": {"a": 50, "b": 50}, "steps": {"a": [{"exit": {}}]}}}], Known),
    ("another drawn arm", [{"split": {"id": "s", "arms": {"a": 50, "b": 50}, "steps": {"b": [{"exit": {}}]}}}], Known),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "by"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
def test_a_story_finds_its_way_through_a_journey(steps: list[Any], by: type) -> None:
    there = {"id": "here", "send": {"action": "text", "channel": "sms"}}
    plain = catalog(journey("one", "Viewed", *steps, there), segments=SEGMENTS)
    story, told = confirmed(plain, "here")
    assert [entry.action for entry in told.left("one")][-1] == "text"
    assert any(isinstance(each, by) for each in story.happenings)


def test_an_awaited_event_carries_the_key_and_what_is_asked_of_it() -> None:
    asked = {"event": "Answered", "where": {"ok": True, "ask": "$event.id"}, "timeout": "1d", "on_timeout": "exit"}
    plain = catalog(journey("one", "Asked", {"wait_for": asked}, {"id": "here", **MAIL}, key="ticket"))
    story, _ = confirmed(plain, "here")
    (answer,) = [each for each in story.happenings if isinstance(each, Does) and each.event == "Answered"]
    (ask,) = [each for each in story.happenings if isinstance(each, Does) and each.event == "Asked"]
    assert answer.properties == {"ok": True, "ask": ask.properties["id"], "ticket": ask.properties["ticket"]}


def test_what_must_have_happened_before_happens_before_where_a_stop_would_end_the_run() -> None:
    arms = [{"when": {"segment": "active"}, "steps": [{"id": "here", **MAIL}]}]
    stops = [{"id": "bought", "on": "Ordered"}]
    plain = catalog(journey("one", "Viewed", {"branch": arms}, stops=stops), segments=SEGMENTS)
    story, _ = confirmed(plain, "here")
    assert [each.event for each in story.happenings if isinstance(each, Does)] == ["Ordered", "Viewed"]


def test_a_fact_is_told_to_whoever_looked_at_its_thing() -> None:
    trigger = TRIGGERS[12][1]
    story, _ = confirmed(catalog(journey("one", "", {"id": "here", **MAIL}, trigger=trigger)), "here")
    (looked,) = [each for each in story.happenings if isinstance(each, Does)]
    (fact,) = [each for each in story.happenings if isinstance(each, Learned)]
    assert looked.properties["route_id"] == fact.thing and looked.at_ms < fact.at_ms


def test_a_story_lasts_through_all_rounds_of_a_loop() -> None:
    inner = [{"id": "inner", "wait": {"for": "1h"}}, MAIL, {"goto": "inner", "at_most": 2}]
    loop = [{"id": "outer", "wait": {"for": "6d"}}, *inner, {"goto": "outer", "at_most": 4}]
    _, told = confirmed(catalog(journey("one", "Viewed", *loop, {"id": "here", **MAIL})), "here")
    assert len([*told.left("one")]) == 8
