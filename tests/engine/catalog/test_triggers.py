"""What a journey may begin with: how it is written, and what is said of a slip."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from support.world import action, document

from engine.catalog import inner_events
from engine.catalog.compile import compile_document, problems_of
from engine.catalog.compiled import Journey
from engine.catalog.triggers import DateOf, Edge, Schedule, ThingFact
from engine.vocabulary import DAY_MS, HOUR_MS


def shop(trigger: Any, **changes: Any) -> dict[str, Any]:
    steps = [{"send": {"action": "letter", "channel": "email"}}]
    journey = {"id": "way", "tier": "promotional", "trigger": trigger, "steps": steps} | changes
    segments = {"segments": {"lapsing": {"not": {"event": {"name": "Order Completed", "within": "30d"}}}}}
    return document(actions=[action("letter")], journeys=[journey], segments=segments)


def made(trigger: Any) -> Journey:
    return compile_document(shop(trigger)).journeys["way"]


def test_a_journey_that_begins_with_a_segment_listens_to_its_edge():
    way = made({"segment": {"id": "lapsing", "on": "exit"}})
    assert way.begins == Edge("lapsing", "exit", backfill=False, spread_ms=DAY_MS)
    assert way.trigger.event == inner_events.SEGMENT
    assert way.trigger.where(inner_events.of_segment("lapsing", "exit"))
    assert not way.trigger.where(inner_events.of_segment("lapsing", "enter"))


def test_a_schedule_is_a_cron_in_the_zone_of_the_customer_or_a_local_time():
    weekly = made({"schedule": {"cron": "0 9 * * MON", "spread": "2h", "segment": "lapsing"}})
    assert weekly.begins == Schedule("0 9 * * MON", None, "customer", 2 * HOUR_MS, "lapsing")
    once = made({"schedule": {"once": "2026-12-01 09:00", "zone": "Europe/Berlin"}})
    assert once.begins == Schedule("", datetime(2026, 12, 1, 9), "Europe/Berlin", 0, "")


def test_a_date_is_a_trait_an_offset_and_a_time_of_day():
    way = made({"date": {"trait": "renewal_on", "offset": "-14d", "at": "08:30"}})
    assert way.begins == DateOf("renewal_on", -14, 8 * 60 + 30, yearly=False, zone="customer", spread_ms=0, segment="")
    birthday = made({"date": {"trait": "birthday", "yearly": True}})
    assert isinstance(birthday.begins, DateOf)
    assert (birthday.begins.yearly, birthday.begins.at_minute) == (True, 9 * 60)


def test_a_fact_about_a_thing_is_tested_by_its_own_properties():
    interested = {"event": "Product Viewed", "within": "30d"}
    where = {"percent": {"at_least": 10}}
    way = made({"thing": {"kind": "product", "event": "Price Dropped", "where": where, "interested": interested}})
    assert isinstance(way.begins, ThingFact)
    assert (way.begins.interest.event, way.begins.within_ms) == ("Product Viewed", 30 * DAY_MS)
    assert way.begins.id_path == "product_id"
    told = inner_events.of_thing("product", "sku-1", "Price Dropped", {"percent": 15})
    assert way.trigger.where(told)
    assert not way.trigger.where(told | {"percent": 5})
    assert not way.trigger.where(inner_events.of_thing("route", "sku-1", "Price Dropped", {"percent": 15}))


SLIPS: list[tuple[Any, str]] = [
    ({"segment": {"id": "lapsed"}}, "trigger.segment.id: no segment called 'lapsed', did you mean 'lapsing'?"),
    ({"segment": {"id": "lapsing", "on": "leave"}}, "trigger.segment.on: should be 'enter' or 'exit'"),
    (
        {"segment": {"id": "lapsing", "spread": "2h"}},
        "trigger.segment: spread is for backfill: true: people enter a segment one by one, and wait for nobody",
    ),
    (
        {"segment": {"id": "lapsing", "on": "exit", "backfill": True}},
        "trigger.segment: backfill is for on: enter: nobody leaves a segment because a journey goes live",
    ),
    (
        {"schedule": {"cron": "9 Mondays"}},
        "trigger.schedule.cron: a cron has five fields, minute hour day month weekday: "
        '"0 9 * * MON" is Mondays at nine',
    ),
    (
        {"schedule": {"cron": "0 25 * * MON"}},
        "trigger.schedule.cron: is no cron: the field for the hour cannot be read, or never comes",
    ),
    (
        {"schedule": {"cron": "0 9 30 2 *"}},
        "trigger.schedule.cron: is no cron: the field for the day of month cannot be read, or never comes",
    ),
    (
        {"schedule": {"cron": "0 9 * * *", "zone": "Berlin"}},
        "trigger.schedule.zone: no zone called 'Berlin', did you mean 'Europe/Berlin'?; "
        "customer and workspace are known too",
    ),
    ({"schedule": {}}, "trigger.schedule: exactly one of cron and once"),
    (
        {"schedule": {"once": "2026-12-01"}},
        'trigger.schedule.once: a local time is written "2026-12-01 09:00", without a zone: that stands under zone',
    ),
    (
        {"date": {"trait": "renewal_on", "offset": "two weeks"}},
        "trigger.date.offset: a number of days: -14d is two weeks before, 3d is three days after",
    ),
    ({"date": {"trait": "renewal_on", "at": 900}}, 'trigger.date.at: a time of day is written "09:00"'),
    (
        {"date": {"trait": "born", "yearly": True, "offset": "400d"}},
        "trigger.date: a yearly date has an offset of less than a year",
    ),
    (
        {"thing": {"kind": "product", "event": "Price Dropped"}},
        "trigger.thing.interested: is required",
    ),
    (
        {
            "thing": {
                "kind": "product",
                "event": "Price Dropped",
                "where": {"thing.kind": "route"},
                "interested": {"event": "Product Viewed", "within": "30d"},
            }
        },
        "trigger.thing.where: tests thing.kind, which stands beside it as kind",
    ),
    ({"event": "segue:segment"}, "names that begin with segue: are the engine's own, and no client sends them"),
    ({"event": "Seen", "segment": {"id": "lapsing"}}, "trigger: a trigger is exactly one of event, segment, schedule"),
    ({"evnt": "Seen"}, "trigger.event: is required"),
    ("Seen", "trigger: should be a mapping"),
]


@pytest.mark.parametrize(("trigger", "said"), SLIPS)
def test_a_slip_is_named_where_it_stands(trigger: Any, said: str):
    problems = [str(problem) for problem in problems_of(shop(trigger))]
    assert any(said in problem for problem in problems), problems
