"""Journeys that begin with a schedule or with a date of the customer's: in their zone, spread, over summer time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from support.told import Told
from support.world import DAY, HOUR, START_MS, Customer, World, action, compiled, document

from actors.maintenance import verify_replay
from engine.effects import Note
from engine.inputs import Event, TimersDue
from engine.profile import Profile
from engine.readings import reasons_now
from engine.turn import handle

BERLIN, NEW_YORK, TOKYO = "Europe/Berlin", "America/New_York", "Asia/Tokyo"
SEGMENTS = {"segments": {"members": {"trait": {"name": "tier", "is": "gold"}}}}


def way(trigger: dict[str, Any], **changes: Any) -> dict[str, Any]:
    steps = [{"send": {"action": "text", "channel": "sms"}}]
    return {"id": "way", "tier": "service", "trigger": trigger, "steps": steps} | changes


def shop(trigger: dict[str, Any], **changes: Any) -> dict[str, Any]:
    text = action("text", tier="service", purpose="service", channels=["sms"])
    policies = {"workspace": {"zone": BERLIN}}
    return document(actions=[text], journeys=[way(trigger, **changes)], segments=SEGMENTS, policies=policies)


def scheduled(cron: str = "0 9 * * MON", **fields: Any) -> dict[str, Any]:
    return {"schedule": {"cron": cron, **fields}}


def dated(trait: str, **fields: Any) -> dict[str, Any]:
    return {"date": {"trait": trait, **fields}}


def ms(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def goes_to(world: World, instant: str, zone: str = BERLIN) -> None:
    """Let time pass until a local time."""
    world.advance(ms(instant, zone) - world.now_ms)


def entered(who: Customer, zone: str = BERLIN) -> list[str]:
    """The local times at which runs began."""
    times = [e.at_ms for e in who.timeline if (e.kind, e.outcome) == ("journey", "entered")]
    return [f"{datetime.fromtimestamp(at / 1000, ZoneInfo(zone)):%Y-%m-%dT%H:%M}" for at in times]


def lives_in(who: Customer, zone: str, **traits: Any) -> None:
    who.does("Identified", kind="identify", traits=traits, context={"timezone": zone})


def test_a_schedule_comes_in_the_zone_of_each_customer():
    world = World(shop(scheduled()))
    ada, bob, eve = world.customer("ada"), world.customer("bob"), world.customer("eve")
    lives_in(ada, TOKYO)
    lives_in(bob, NEW_YORK)
    eve.does("Seen")
    world.advance(days=15)
    assert entered(ada, TOKYO) == ["2026-03-02T09:00", "2026-03-09T09:00", "2026-03-16T09:00"][-len(entered(ada)) :]
    assert entered(bob, NEW_YORK) == ["2026-03-02T09:00", "2026-03-09T09:00", "2026-03-16T09:00"]
    assert entered(eve) == ["2026-03-02T09:00", "2026-03-09T09:00", "2026-03-16T09:00"]


@pytest.mark.parametrize(("zone", "named"), [("workspace", BERLIN), (TOKYO, TOKYO)])
def test_a_schedule_may_be_of_one_zone_for_all(zone: str, named: str):
    world = World(shop(scheduled(zone=zone)))
    bob = world.customer("bob")
    lives_in(bob, NEW_YORK)
    goes_to(world, "2026-03-15 23:00")
    assert entered(bob, named)[-1] == "2026-03-09T09:00"


def test_only_who_is_in_the_segment_then_enters_and_the_others_leave_no_word():
    world = World(shop(scheduled(segment="members")))
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.identifies(tier="gold")
    bob.identifies(tier="silver")
    goes_to(world, "2026-03-03 00:00")
    bob.identifies(tier="gold")
    goes_to(world, "2026-03-10 00:00")
    assert (len(entered(ada)), entered(bob)) == (2, ["2026-03-09T09:00"])
    assert not any(entry.outcome == "not_entered" for entry in bob.timeline)


def test_a_single_time_comes_once_and_who_is_new_after_it_is_too_late():
    world = World(shop({"schedule": {"once": "2026-03-05 10:30"}}))
    ada = world.customer("ada")
    ada.does("Seen")
    goes_to(world, "2026-03-05 10:31")
    bob = world.customer("bob")
    bob.does("Seen")
    world.advance(days=400)
    assert (entered(ada), entered(bob)) == (["2026-03-05T10:30"], [])
    assert len(world.engine.shard(ada.id).timers) == 0


def test_entries_are_spread_by_a_draw_that_is_the_same_every_week():
    world = World(shop(scheduled(spread="2h")))
    people = [world.customer(f"c{number}") for number in range(30)]
    for who in people:
        who.does("Seen")
    world.advance(days=14)
    times = [[e.at_ms for e in who.timeline if e.outcome == "entered"] for who in people]
    first = ms("2026-03-02 09:00", BERLIN)
    assert all(0 <= one - first < 2 * HOUR and two - one == 7 * DAY for one, two in times)
    assert len({one for one, _ in times}) == len(people)


def test_a_time_that_summer_time_skips_comes_when_the_clock_has_gone_on_and_one_that_comes_twice_comes_once():
    world = World(shop(scheduled("30 2 * * *")))
    ada = world.customer("ada")
    ada.does("Seen")
    goes_to(world, "2026-03-31 00:00")
    assert entered(ada)[-3:] == ["2026-03-28T02:30", "2026-03-29T03:30", "2026-03-30T02:30"]
    goes_to(world, "2026-10-27 00:00")
    last = [e.at_ms for e in ada.timeline if e.outcome == "entered"][-2:]
    assert last == [ms("2026-10-25 02:30", BERLIN), ms("2026-10-26 02:30", BERLIN)]
    assert len(entered(ada)) == (datetime(2026, 10, 26) - datetime(2026, 3, 2)).days + 1


def test_every_quarter_of_an_hour_over_both_edges_of_summer_time_wakes_and_ends():
    world = World(shop(scheduled("*/15 0-6 * * *"), re_entry={"concurrent": 1}))
    ada = world.customer("ada")
    for edge in ("2026-03-29", "2026-10-25"):
        goes_to(world, f"{edge} 00:00")
        ada.does("Seen")
        before = len(entered(ada))
        goes_to(world, f"{edge} 06:00")
        ada.does("Seen")
        assert len(entered(ada)) - before == 20 if edge == "2026-03-29" else len(entered(ada)) > before


@pytest.mark.parametrize(
    ("moves_to", "later"),
    [(NEW_YORK, ["2026-03-02T09:00", "2026-03-09T09:00"]), (TOKYO, ["2026-03-02T09:00", "2026-03-09T09:00"])],
)
def test_who_moves_meets_each_local_time_once(moves_to: str, later: list[str]):
    world = World(shop(scheduled()))
    ada = world.customer("ada")
    lives_in(ada, BERLIN)
    goes_to(world, "2026-03-02 10:00")
    lives_in(ada, moves_to)
    goes_to(world, "2026-03-10 00:00", moves_to)
    assert [entered(ada)[0], entered(ada, moves_to)[-1]] == later
    assert len(entered(ada)) == 2


def test_who_moves_past_a_time_meets_it_at_once():
    world = World(shop(scheduled()))
    ada = world.customer("ada")
    lives_in(ada, NEW_YORK)
    goes_to(world, "2026-03-08 23:00", NEW_YORK)  # in Tokyo it is Monday noon
    lives_in(ada, TOKYO)
    assert entered(ada, TOKYO)[-1] == "2026-03-09T12:00"
    world.advance(days=6)
    assert len(entered(ada)) == 2


def test_a_schedule_that_goes_live_begins_with_its_next_time_and_an_edit_too():
    world = Told(shop(scheduled(), status="draft"))
    ada = world.customer("ada")
    ada.does("Seen")
    goes_to(world, "2026-03-09 09:30")
    world.takes(shop(scheduled(spread="2h")))
    goes_to(world, "2026-03-15 00:00")
    assert entered(ada) == []
    world.takes(shop(scheduled("0 8 * * SUN")))
    goes_to(world, "2026-03-17 00:00")
    assert entered(ada) == ["2026-03-15T08:00"]


@pytest.mark.parametrize(
    ("before", "after", "edited"),
    [
        (scheduled("0 9 3 * *", spread="2h"), scheduled("0 9 3 * *", spread="4h"), "10:00"),
        (scheduled("0 9 3 * *", spread="4h"), scheduled("0 9 3 * *", spread="1h"), "10:00"),
        (dated("born", yearly=True, spread="2h"), dated("born", yearly=True, spread="4h"), "10:00"),
        (dated("born", yearly=True, spread="1h"), dated("born", yearly=True, spread="1h", at="12:00"), "11:00"),
        (dated("born", yearly=True, at="12:00"), dated("born", yearly=True, at="09:00"), "10:00"),
    ],
)
def test_with_another_moment_of_the_day_everybody_still_enters_once(
    before: dict[str, Any], after: dict[str, Any], edited: str
):
    world = Told(shop(before))
    people = [world.customer(f"c{number}") for number in range(20)]
    for who in people:
        who.identifies(born="1990-03-03")
    goes_to(world, f"2026-03-03 {edited}")
    world.takes(shop(after))
    goes_to(world, "2026-03-06 00:00")
    assert [len(entered(who)) for who in people] == [1] * len(people)


def test_a_customer_keeps_their_moment_when_a_visitor_whom_no_message_reaches_has_met_it():
    mail = action("mail", tier="service", purpose="service")
    steps = [{"send": {"action": "mail", "channel": "email"}}]
    journey = way(scheduled("0 9 3 * *", spread="2h", zone=BERLIN), steps=steps)
    world = World(document(actions=[mail], journeys=[journey]))
    pairs = [(world.customer(f"c{number}@x.example"), world.customer(anonymous=f"a{number}")) for number in range(20)]
    for _, visitor in pairs:
        visitor.does("Seen")
    goes_to(world, "2026-03-03 10:00")
    assert {len(known.outcomes("sent")) for known, _ in pairs} == {0, 1}
    for known, visitor in pairs:
        Customer(world, known.user, visitor.anonymous).does("Seen")
    goes_to(world, "2026-03-04 00:00")
    assert [len(known.outcomes("sent")) for known, _ in pairs] == [1] * len(pairs)


def test_a_new_customer_whose_second_event_tells_the_zone_has_met_no_time_that_had_passed_there():
    for at_first in ({}, {"timezone": TOKYO}):
        world = World(shop(scheduled()))
        goes_to(world, "2026-03-09 12:00", TOKYO)
        ada = world.customer("ada")
        ada.does("Seen", context=at_first)
        world.advance(60_000)
        lives_in(ada, TOKYO)
        goes_to(world, "2026-03-17 00:00", TOKYO)
        assert entered(ada, TOKYO) == ["2026-03-16T09:00"]


def behind_its_timers(trigger: dict[str, Any], back: str, *, told: str, days: int, **fields: Any) -> list[str]:
    """When runs begin of somebody who had a birthday while the engine was down, and whose event has its turn before
    their timer."""
    world = World(shop(trigger))
    ada = world.customer("ada")
    ada.identifies(born="1990-03-09")
    goes_to(world, "2026-03-09 22:00")
    shard = world.engine.shard(ada.id)
    world.now_ms = ms(back, BERLIN)
    shard.clock.move_to(world.now_ms)
    shard.tell(ada.id, ada.event(told, at_ms=world.now_ms - days * DAY, **fields))
    shard.commit()
    world.advance(days=1)
    return entered(ada)


@pytest.mark.parametrize("days", [0, 3])
def test_an_event_whose_turn_comes_before_an_overdue_timer_takes_nothing_away(days: int):
    for trigger in (dated("born", yearly=True, at="22:30"), {"schedule": {"once": "2026-03-09 22:30"}}):
        back = "2026-03-10 07:00"
        assert behind_its_timers(trigger, back, told="Seen", days=days) == ["2026-03-10T07:00"]
        again = {"kind": "identify", "traits": {"born": "1990-03-09"}}
        assert behind_its_timers(trigger, back, told="Identified", days=days, **again) == ["2026-03-10T07:00"]


def test_of_several_missed_times_the_newest_counts():
    catalog, ada = compiled(shop(scheduled("0 9 * * *"))), Profile("a" * 32)
    at_ms = ms("2026-03-02 08:00", BERLIN)
    handle(ada, Event(kind="track", name="Seen", at_ms=at_ms, received_at_ms=at_ms, user_id="ada"), catalog, at_ms)
    assert ada.watched is not None
    due_ms = ada.watched.wake_ms
    assert due_ms == ms("2026-03-02 09:00", BERLIN)
    back_ms = ms("2026-04-11 10:00", BERLIN)  # the engine was down
    handle(ada, TimersDue(at_ms=due_ms), catalog, back_ms)
    assert [run.trigger["at"] for run in ada.runs] == ["2026-04-11T09:00"]
    assert ada.watched.wake_ms == ms("2026-04-12 09:00", BERLIN)


def test_a_time_that_was_missed_for_longer_than_the_lateness_window_passes():
    catalog, ada = compiled(shop(scheduled("0 9 1 * *"))), Profile("a" * 32)
    at_ms = ms("2026-03-02 08:00", BERLIN)
    handle(ada, Event(kind="track", name="Seen", at_ms=at_ms, received_at_ms=at_ms, user_id="ada"), catalog, at_ms)
    notes = handle(ada, TimersDue(at_ms=at_ms), catalog, ms("2026-04-28 10:00", BERLIN))
    assert ada.runs == []
    assert [note.entry.reason for note in notes if isinstance(note, Note)] == ["journey.late"]


# -- dates


def test_a_renewal_is_announced_two_weeks_before_at_nine_and_moves_with_the_trait():
    world = World(shop(dated("renewal_on", offset="-14d")))
    ada = world.customer("ada")
    lives_in(ada, NEW_YORK, renewal_on="2026-04-01")
    goes_to(world, "2026-03-10 00:00")
    ada.identifies(renewal_on="2026-04-20")
    goes_to(world, "2026-05-01 00:00")
    assert entered(ada, NEW_YORK) == ["2026-04-06T09:00"]
    (run,) = ada.profile.runs
    assert run.trigger == {"journey": "way", "trait": "renewal_on", "date": "2026-04-20", "at": "2026-04-06T09:00"}
    ada.identifies(renewal_on="2027-04-20")
    goes_to(world, "2027-05-01 00:00")
    assert entered(ada, NEW_YORK) == ["2026-04-06T09:00", "2027-04-06T09:00"]


@pytest.mark.parametrize(
    ("born", "times"),
    [
        ("1990-05-04", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("1992-02-29", ["2027-02-28T09:00", "2028-02-29T09:00"]),
        ("--02-29", ["2027-02-28T09:00", "2028-02-29T09:00"]),
        ("1990-05-04T00:00:00.000Z", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("1990-05-03T23:30:00Z", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("1950-12-31", ["2026-12-31T09:00", "2027-12-31T09:00"]),
        (641_779_200, ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("641779200", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("1990-05-04 00:00:00 UTC", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("1990-05-04T00:00:00z", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("19500504", ["2026-05-04T09:00", "2027-05-04T09:00", "2028-05-04T09:00"]),
        ("1990-02-30", []),
        ("soon", []),
        (True, []),
        (["1990-05-04"], []),
    ],
)
def test_a_birthday_comes_every_year_also_one_of_the_29th_of_february(born: Any, times: list[str]):
    world = World(shop(dated("birthday", yearly=True)))
    ada = world.customer("ada")
    ada.identifies(birthday=born)
    goes_to(world, "2028-06-01 00:00")
    assert entered(ada) == times


def test_a_week_before_the_first_of_january_is_in_the_year_before():
    world = World(shop(dated("birthday", yearly=True, offset="-7d", at="08:15")))
    ada = world.customer("ada")
    ada.identifies(birthday="1980-01-01")
    goes_to(world, "2028-01-10 00:00")
    assert entered(ada) == ["2026-12-25T08:15", "2027-12-25T08:15"]


def test_a_date_stated_after_its_time_starts_a_run_on_the_same_day_and_not_later():
    world = World(shop(dated("renewal_on", offset="-14d")))
    ada, bob, eve = (world.customer(name) for name in ("ada", "bob", "eve"))
    ada.does("Seen")
    bob.does("Seen")
    goes_to(world, "2026-03-20 12:00")
    ada.identifies(renewal_on="2026-04-03")  # its time was this morning
    bob.identifies(renewal_on="2026-04-02")  # yesterday
    eve.identifies(renewal_on="2026-04-03")
    assert (entered(ada), entered(bob), entered(eve)) == (["2026-03-20T12:00"], [], ["2026-03-20T12:00"])


def test_a_date_stated_after_its_time_starts_a_run_also_where_the_journey_went_live_between_the_two():
    world = Told(shop(dated("renewal_on"), status="draft"))
    ada, bob = world.customer("ada"), world.customer("bob")
    ada.does("Seen")
    bob.identifies(renewal_on="2026-03-04")
    goes_to(world, "2026-03-04 12:00")
    world.takes(shop(dated("renewal_on")))
    goes_to(world, "2026-03-04 15:00")
    ada.identifies(renewal_on="2026-03-04")
    world.advance(days=2)
    assert (entered(ada), entered(bob)) == (["2026-03-04T15:00"], [])


def test_a_date_at_an_hour_that_summer_time_skips_comes_all_the_same():
    world = World(shop(dated("on", at="02:30")))
    ada = world.customer("ada")
    ada.identifies(on="2026-03-29")
    goes_to(world, "2026-04-01 00:00")
    assert entered(ada) == ["2026-03-29T03:30"]


def test_who_moves_west_after_the_time_of_a_date_does_not_meet_it_again():
    world = World(shop(dated("birthday", yearly=True)))
    ada = world.customer("ada")
    lives_in(ada, BERLIN, birthday="1990-05-04")
    goes_to(world, "2026-05-04 10:00")
    lives_in(ada, NEW_YORK)
    goes_to(world, "2026-06-01 00:00")
    assert entered(ada) == ["2026-05-04T09:00"]


def test_a_drained_clock_brings_to_an_end_what_has_begun_and_lets_no_schedule_begin_anew():
    steps = [{"wait": {"for": "8d"}}, {"send": {"action": "text", "channel": "sms"}}]
    world = World(shop(scheduled(), steps=steps, re_entry={"concurrent": 5}))
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=1)
    world.drain()
    assert len(entered(ada)) == 1
    assert len(ada.outcomes("decided")) == 1
    assert world.now_ms < START_MS + 30 * DAY


def test_the_story_is_the_same_on_any_number_of_shards():
    def story(shards: int) -> list[list[str]]:
        world = World(shop(scheduled("0 */5 * * *", spread="3h")), shards=shards)
        people = [world.customer(f"c{number}") for number in range(12)]
        for number, who in enumerate(people):
            lives_in(who, (BERLIN, NEW_YORK, TOKYO)[number % 3])
        world.advance(days=3)
        return [entered(who) for who in people]

    assert story(1) == story(3)


def test_utc_is_the_zone_of_who_has_none_in_a_workspace_without_one():
    plain = shop(scheduled())
    del plain["policies.yaml"]
    world = World(plain)
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=1)
    assert [datetime.fromtimestamp(run.entered_ms / 1000, UTC).hour for run in ada.profile.runs] == [9]


def why(who: Customer) -> dict[str, Any]:
    world = who.world
    (row,) = reasons_now.why(who.profile, world.catalog, world.now_ms, journey_id="way")["journeys"]
    return {name: value for name, value in row.items() if name not in ("journeyId", "status", "inside")}


def test_why_says_when_the_next_time_comes_and_what_a_date_lacks():
    weekly = World(shop(scheduled(segment="members")))
    ada = weekly.customer("ada")
    ada.identifies(tier="silver")
    part = {"path": "segments.members.trait.tier", "wanted": 'is "gold"', "saw": '"silver"'}
    assert why(ada) == {"reason": "journey.segment", "condition": part}
    ada.identifies(tier="gold")
    assert why(ada) == {"reason": "journey.not_yet", "at": "2026-03-02T08:00:00.000Z"}
    yearly = World(shop(dated("birthday", yearly=True)))
    bob = yearly.customer("bob")
    bob.identifies(birthday="soon")
    lacks = {"path": "trigger.date.trait", "wanted": "a day", "saw": '"soon"'}
    assert why(bob) == {"reason": "journey.no_date", "condition": lacks}
    bob.identifies(birthday="1990-05-04")
    assert why(bob) == {"reason": "journey.not_yet", "at": "2026-05-04T07:00:00.000Z"}


def test_the_timeline_says_which_time_has_begun_a_run():
    world = World(shop(scheduled()))
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=1)
    assert "way entered by its time, 2026-03-02T09:00" in [entry.summary for entry in ada.timeline]


def test_a_schedule_comes_round_while_a_file_of_events_is_run_to_its_end():
    world = World(shop(scheduled("0 9 * * *")))
    ada = world.customer("ada")
    events = [ada.event("Seen", at_ms=START_MS + number * 3 * DAY) for number in range(4)]
    world.engine.stage(events)
    asyncio.run(world.engine.advance(events[-1].at_ms, drain=True))
    assert entered(ada)[0] == "2026-03-02T09:00"
    assert len(entered(ada)) == 9


def test_a_journal_with_schedules_and_a_catalog_change_is_repeated_to_the_byte():
    world = Told(shop(scheduled("0 9 * * *"), status="draft"))
    ada = world.customer("ada")
    lives_in(ada, NEW_YORK, tier="gold")
    world.takes(shop(scheduled("0 9 * * *")))
    world.advance(days=3)
    ada.does("Seen")
    shard = world.engine.shard(ada.id)
    shard.commit()
    assert len(entered(ada, NEW_YORK)) == 3
    assert list(verify_replay.differences(shard.batch, ada.id, ada.profile, shard.catalogs)) == []
