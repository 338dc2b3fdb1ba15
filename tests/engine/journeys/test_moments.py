"""Waits until a moment of the calendar: weekdays, times, dates of traits, zones and their summer time."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.told import Told
from support.world import HOUR, START_MS, World, action, document

from engine.catalog import zones
from engine.catalog.programs.instructions import Until
from engine.journeys.steps import moments
from engine.occasions import local_times

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def shop(until: dict[str, Any], *more: Any) -> dict[str, Any]:
    text = action("text", tier="service", purpose="service", channels=["sms"])
    steps = [{"wait": {"until": until}}, {"id": "text", "send": {"action": "text", "channel": "sms"}}, *more]
    way = {"id": "way", "tier": "service", "trigger": {"event": "Started"}, "steps": steps}
    return document(actions=[text], journeys=[way], policies={"workspace": {"zone": BERLIN}})


def at(text: str, zone: str = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def sent_at(world: World, ada: Any) -> list[int]:
    return [entry.at_ms for entry in ada.timeline if entry.kind == "send" and entry.outcome == "decided"]


def started(world: World, when: str, **traits: Any) -> Any:
    """Somebody for whom the journey starts at a local time of the workspace."""
    world.advance(at(when) - world.now_ms)
    ada = world.customer("ada")
    ada.identifies(**traits)
    ada.does("Started")
    return ada


CASES = [
    # (until, when it starts, the date of the trait, when it goes on); 2026-03-04 is a Wednesday
    ({"time": "18:00"}, "2026-03-04T17:00", None, "2026-03-04T18:00"),
    ({"time": "18:00"}, "2026-03-04T18:00", None, "2026-03-04T18:00"),
    ({"time": "18:00"}, "2026-03-04T18:01", None, "2026-03-05T18:00"),
    ({"weekday": ["FRI"]}, "2026-03-04T17:00", None, "2026-03-06T00:00"),
    ({"weekday": "WED"}, "2026-03-04T17:00", None, "2026-03-04T17:00"),
    ({"time": "09:00", "weekday": ["WED", "FRI"]}, "2026-03-04T17:00", None, "2026-03-06T09:00"),
    ({"time": "09:00", "weekday": ["WED"]}, "2026-03-04T17:00", None, "2026-03-11T09:00"),
    ({"trait": "trip", "offset": "-2d"}, "2026-03-04T17:00", "2026-03-20", "2026-03-18T00:00"),
    ({"time": "18:00", "trait": "trip", "offset": "-2d"}, "2026-03-04T17:00", "2026-03-20", "2026-03-18T18:00"),
    # The trait and its offset give the earliest day; then comes the first such weekday and time not before it.
    ({"time": "18:00", "weekday": ["FRI"], "trait": "trip", "offset": "-2d"}, "2026-03-04T17:00", "2026-03-20",
     "2026-03-20T18:00"),
    ({"time": "18:00", "trait": "trip", "offset": "-2d"}, "2026-03-04T17:00", "2026-03-05", "2026-03-04T18:00"),
    ({"time": "18:00", "trait": "trip", "offset": "-2d"}, "2026-03-04T19:00", "2026-03-05", "2026-03-05T18:00"),
    ({"trait": "trip", "offset": "-2d"}, "2026-03-04T17:00", "2026-03-05", "2026-03-04T17:00"),
    ({"trait": "trip", "offset": "3d"}, "2026-03-04T17:00", "2026-03-05T22:00:00+01:00", "2026-03-08T00:00"),
    # Both edges of summer time: a time that is not there is as much later, of one that is there twice the first counts.
    ({"time": "02:30", "weekday": "SUN"}, "2026-03-27T12:00", None, "2026-03-29T03:30"),
    ({"time": "02:30", "weekday": "SUN"}, "2026-10-23T12:00", None, "2026-10-25T02:30"),
]  # fmt: skip


@pytest.mark.parametrize(("until", "start", "trip", "goes_on"), CASES)
def test_a_wait_until_a_moment(until: dict[str, Any], start: str, trip: str | None, goes_on: str):
    world = World(shop(until))
    ada = started(world, start, **({"trip": trip} if trip else {}))
    world.advance(days=20)
    assert sent_at(world, ada) == [at(goes_on)]


def test_a_day_without_its_year_is_the_next_one():
    world = World(shop({"time": "09:00", "trait": "born"}))
    ada = started(world, "2026-03-04T17:00", born="--03-03")
    (run,) = ada.profile.runs
    assert run.due_ms == at("2027-03-03T09:00")


@pytest.mark.parametrize(("word", "sends"), [("exit", []), ("continue", ["text"])])
def test_who_has_no_such_date_exits_or_goes_on(word: str, sends: list[str]):
    world = World(shop({"trait": "trip", "on_missing": word}))
    ada = started(world, "2026-03-04T17:00", trip="soon")
    world.settle()
    assert ada.sends == sends
    assert ada.run("way").ended_by == ("end" if sends else "wait.no_date")


@pytest.mark.parametrize("start", ["2026-03-04T17:00", "2026-03-10T17:00"])
def test_a_moment_that_is_over_may_end_the_run(start: str):
    world = World(shop({"time": "18:00", "trait": "trip", "offset": "-2d", "on_past": "exit"}))
    ada = started(world, start, trip="2026-03-05")
    world.settle()
    assert (ada.sends, ada.run("way").ended_by) == ([], "wait.past")


def test_who_moves_while_waiting_has_the_time_of_the_new_place():
    world = World(shop({"time": "18:00"}))
    ada = started(world, "2026-03-04T12:00")
    ada.does("Opened", context={"timezone": NEW_YORK})
    world.advance(days=1)
    assert sent_at(world, ada) == [at("2026-03-04T18:00", NEW_YORK)]


def test_who_moves_to_where_the_moment_is_over_goes_on_at_once():
    world = World(shop({"time": "18:00"}))
    world.advance(at("2026-03-04T12:00") - world.now_ms)
    ada = world.customer("ada")
    ada.does("Opened", context={"timezone": NEW_YORK})
    ada.does("Started")
    world.advance(hours=7)  # 19:00 in Berlin, 13:00 in New York
    ada.does("Opened", context={"timezone": BERLIN})
    world.settle()
    assert sent_at(world, ada) == [at("2026-03-04T19:00")]


def test_a_date_that_changes_moves_the_moment():
    world = World(shop({"time": "18:00", "trait": "trip", "offset": "-1d"}))
    ada = started(world, "2026-03-04T12:00", trip="2026-03-20")
    ada.identifies(trip="2026-03-10")
    world.advance(days=20)
    assert sent_at(world, ada) == [at("2026-03-09T18:00")]


def test_a_date_that_is_taken_back_changes_nothing_for_who_waits():
    world = World(shop({"trait": "trip"}))
    ada = started(world, "2026-03-04T12:00", trip="2026-03-06")
    ada.identifies(trip="some day")
    world.advance(days=5)
    assert sent_at(world, ada) == [at("2026-03-06T00:00")]


def test_a_zone_that_does_not_exist_is_that_of_the_workspace():
    world = World(shop({"time": "18:00"}))
    world.advance(at("2026-03-04T12:00") - world.now_ms)
    ada = world.customer("ada")
    ada.does("Started", context={"timezone": "Middle-earth/Shire"})
    world.advance(days=1)
    assert sent_at(world, ada) == [at("2026-03-04T18:00")]


def test_a_loop_comes_to_each_moment_once():
    world = World(_daily())
    ada = started(world, "2026-03-04T12:00")
    world.advance(days=10)
    assert sent_at(world, ada) == [at(f"2026-03-0{day}T18:00") for day in (4, 5, 6)]


def _daily() -> dict[str, Any]:
    files = shop({"time": "18:00"}, {"goto": "evening", "at_most": 2})
    files["journeys/way.yaml"]["steps"][0]["id"] = "evening"
    return files


def test_a_pause_puts_a_moment_off_and_a_move_in_it_counts():
    world = Told(shop({"time": "18:00"}))
    ada = started(world, "2026-03-04T12:00")
    world.says("way", "paused")
    ada.does("Opened", context={"timezone": NEW_YORK})
    world.advance(hours=10)
    world.says("way", "live")
    world.settle()
    assert ada.sends == []
    world.advance(hours=2)
    assert sent_at(world, ada) == [at("2026-03-04T18:00", NEW_YORK)]


def test_in_every_zone_a_time_of_day_comes_once_a_day_and_never_early():
    """Where summer time skips it, it comes as much later; where it comes twice, the first time."""
    until = Until(2 * 60 + 30, frozenset(), "", 0, "exit", "continue")
    skipped = 0
    for zone in sorted(zones.names()):
        since_ms = START_MS
        for _ in range(60):  # from the beginning of March 2026: most northern zones change within
            due_ms, reason = moments.moment(until, zone, None, since_ms, is_next=True)
            there = local_times.clock(local_times.local_of(due_ms, zone))
            assert 0 < due_ms - since_ms <= 26 * HOUR and reason == ""
            # Summer time skips an hour, half of one, or two: then the clock shows as much more.
            assert (there.hour, there.minute) in ((2, 30), (3, 30), (3, 0), (4, 30)), (zone, there)
            skipped += (there.hour, there.minute) != (2, 30)
            since_ms = due_ms
    assert 0 < skipped < 200, "once in a zone that has summer time, and never elsewhere"
