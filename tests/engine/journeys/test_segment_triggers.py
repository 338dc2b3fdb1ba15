"""Journeys that begin with a segment: who enters and leaves, by an event and by the mere passing of time."""

from __future__ import annotations

from typing import Any

import pytest
from support.told import Told
from support.world import DAY, HOUR, START_MS, Customer, World, action, compiled, document

from actors.storage import keys
from engine.effects import Note
from engine.inputs import Erase, Event
from engine.profile import Profile
from engine.readings import reasons_now
from engine.turn import handle

LAPSING = {
    "all": [{"event": {"name": "Order Completed"}}, {"not": {"event": {"name": "Order Completed", "within": "30d"}}}]
}
SEGMENTS = {
    "lapsing": LAPSING,
    "members": {"trait": {"name": "tier", "is": "gold"}},
    "buyers": {"event": {"name": "Order Completed"}},
    "frequent": {"event": {"name": "Order Completed", "within": "10d", "count": {"at_least": 2}}},
    "few": {"event": {"name": "Order Completed", "within": "10d", "count": {"at_most": 1}}},
}


def way(name: str = "way", **changes: Any) -> dict[str, Any]:
    """A text at once."""
    steps = [{"send": {"action": "text", "channel": "sms"}}]
    return {"id": name, "tier": "service", "trigger": {"segment": {"id": "lapsing"}}, "steps": steps} | changes


def shop(*journeys: dict[str, Any], **files: Any) -> dict[str, Any]:
    texts = [
        action(name, tier="service", purpose="service", channels=["sms"]) for name in ("text", "welcome", "goodbye")
    ]
    return document(actions=texts, journeys=[*journeys], segments={"segments": SEGMENTS}, **files)


def entered(who: Customer, journey: str = "way") -> list[int]:
    """When runs of a journey began, since the start of the story."""
    return [
        e.at_ms - START_MS for e in who.timeline if (e.kind, e.outcome, e.journey) == ("journey", "entered", journey)
    ]


def test_who_has_not_ordered_for_thirty_days_enters_then_and_to_the_millisecond():
    world = World(shop(way()))
    ada = world.customer("ada")
    ada.does("Order Completed")
    world.advance(30 * DAY - 1)
    assert entered(ada) == []
    world.advance(1)
    assert entered(ada) == [30 * DAY]
    assert ada.profile.watched is not None
    assert ada.profile.watched.inside == {"lapsing": START_MS + 30 * DAY}


def test_each_order_puts_it_off_and_somebody_who_orders_again_may_lapse_again():
    world = World(shop(way()))
    ada = world.customer("ada")
    ada.does("Order Completed")
    world.advance(days=20)
    ada.does("Order Completed")
    world.advance(days=29)
    assert entered(ada) == []
    world.advance(days=41)
    assert entered(ada) == [50 * DAY]
    ada.does("Order Completed")
    world.advance(days=31)
    assert entered(ada) == [50 * DAY, 120 * DAY]


def test_an_event_or_a_trait_puts_somebody_in_at_once():
    world = World(
        shop(
            way(trigger={"segment": {"id": "members"}}),
            way("left", trigger={"segment": {"id": "members", "on": "exit"}}),
        )
    )
    ada = world.customer("ada")
    ada.does("Seen")
    ada.identifies(tier="gold")
    assert entered(ada) == [0]
    ada.identifies(tier="gold")
    world.advance(days=1)
    ada.identifies(tier="silver")
    assert (entered(ada), entered(ada, "left")) == ([0], [DAY])
    assert len(ada.outcomes("decided")) == 2


def test_somebody_whose_first_event_puts_them_in_has_entered():
    world = World(shop(way(trigger={"segment": {"id": "buyers"}})))
    ada = world.customer("ada")
    ada.does("Order Completed")
    assert entered(ada) == [0]


@pytest.mark.parametrize(("segment", "on", "at"), [("frequent", "exit", 10 * DAY), ("few", "enter", 11 * DAY)])
def test_a_count_turns_when_the_event_that_decides_it_leaves_the_window(segment: str, on: str, at: int):
    world = World(shop(way(trigger={"segment": {"id": segment, "on": on}})))
    ada = world.customer("ada")
    ada.does("Order Completed")
    world.advance(days=1)
    ada.does("Order Completed")
    if segment == "few":
        ada.does("Order Completed")
    before = entered(ada)
    world.advance(days=20)
    assert entered(ada)[len(before) :] == [at]


def test_events_that_are_no_longer_recent_count_for_the_time_too():
    world = World(shop(way()))
    ada = world.customer("ada")
    ada.does("Order Completed")
    for _ in range(60):
        world.advance(hours=6)
        ada.does("Seen")
    assert ada.profile.spilled
    world.advance(days=40)
    assert entered(ada) == [30 * DAY]


def test_one_timer_waits_for_the_earliest_of_all_that_is_watched():
    world = World(shop(way(), way("second", trigger={"segment": {"id": "frequent", "on": "exit"}})))
    ada = world.customer("ada")
    for _ in range(5):
        ada.does("Order Completed")
    shard = world.engine.shard(ada.id)
    assert len(shard.timers) == 1
    world.advance(days=10)
    assert entered(ada, "second") == [10 * DAY]
    assert len(shard.timers) == 1
    world.advance(days=30)
    assert entered(ada) == [30 * DAY]
    assert len(shard.timers) == 0


def test_who_is_inside_when_a_journey_goes_live_does_not_enter_and_who_comes_later_does():
    world = Told(shop(way(status="draft")))
    ada, bob, eve = (world.customer(name) for name in ("ada", "bob", "eve"))
    ada.does("Order Completed")
    world.advance(days=20)
    bob.does("Order Completed")
    world.advance(days=20)
    world.takes(shop(way()))
    world.advance(days=1)
    eve.does("Order Completed")
    assert ada.profile.watched is not None
    assert set(ada.profile.watched.inside) == {"lapsing"}
    world.advance(days=40)
    assert (entered(ada), entered(bob), entered(eve)) == ([], [50 * DAY], [71 * DAY])


def test_backfill_takes_in_who_is_inside_each_at_a_moment_of_their_own_the_same_every_time():
    journey = way(trigger={"segment": {"id": "buyers", "backfill": True, "spread": "2h"}})
    stories = []
    for _ in range(2):
        world = Told(shop(way(status="draft")))
        people = [world.customer(f"c{number}") for number in range(40)]
        for who in people:
            who.does("Order Completed")
        world.advance(days=1)
        world.takes(shop(journey))
        world.advance(days=1)
        stories.append([entered(who) for who in people])
        late = world.customer("late")
        late.does("Order Completed")
        assert entered(late) == [2 * DAY]
    assert stories[0] == stories[1]
    moments = [at - DAY for (at,) in stories[0]]
    assert all(0 <= moment < 2 * HOUR for moment in moments)
    assert len(set(moments)) == len(moments)
    assert max(moments) - min(moments) > HOUR


def test_who_leaves_before_the_moment_of_the_backfill_does_not_enter():
    journey = way(trigger={"segment": {"id": "members", "backfill": True, "spread": "2h"}})
    world = Told(shop(journey | {"status": "draft"}))
    ada = world.customer("ada")
    ada.identifies(tier="gold")
    world.advance(days=1)
    world.takes(shop(journey))
    world.advance(0)
    ada.identifies(tier="silver")
    world.advance(days=1)
    assert entered(ada) == []
    ada.identifies(tier="gold")
    assert entered(ada) == [2 * DAY]


@pytest.mark.parametrize("hours", [1, 24])
def test_with_another_spread_a_backfill_takes_in_nobody_twice_and_loses_nobody(hours: int):
    def way_of(spread: str) -> dict[str, Any]:
        return shop(way(trigger={"segment": {"id": "buyers", "backfill": True, "spread": spread}}))

    world = Told(shop())
    people = [world.customer(f"c{number}") for number in range(20)]
    for who in people:
        who.does("Order Completed")
    world.takes(way_of("2h"))
    world.advance(hours=hours)
    world.takes(way_of("3h"))
    world.advance(days=2)
    assert [len(entered(who)) for who in people] == [1] * len(people)


def test_a_backfill_takes_in_two_profiles_that_become_one_once():
    def mailing(status: str) -> dict[str, Any]:
        mail = action("mail", tier="service", purpose="service")
        steps = [{"send": {"action": "mail", "channel": "email"}}]
        trigger = {"segment": {"id": "buyers", "backfill": True, "spread": "2d"}}
        journey = way(trigger=trigger, steps=steps, status=status)
        return document(actions=[mail], journeys=[journey], segments={"segments": SEGMENTS})

    world = Told(mailing("draft"))
    pairs = [(world.customer(f"c{number}@x.example"), world.customer(anonymous=f"a{number}")) for number in range(20)]
    for known, visitor in pairs:
        known.does("Order Completed")
        visitor.does("Order Completed")
    world.advance(hours=1)
    world.takes(mailing("live"))
    world.advance(days=1)
    assert {len(entered(known)) for known, _ in pairs} == {0, 1}
    for known, visitor in pairs:
        Customer(world, known.user, visitor.anonymous).does("Seen")
    world.advance(days=2)
    assert [len(known.outcomes("sent")) for known, _ in pairs] == [1] * len(pairs)


def test_what_time_has_begun_is_not_late_because_a_late_event_has_its_turn_before():
    """An import that runs at the very moment at which somebody lapses, and one that runs while their timer waits."""
    for behind in (0, 5):
        world = World(shop(way()))
        ada = world.customer("ada")
        ada.does("Order Completed")
        world.advance(30 * DAY - 1)
        shard = world.engine.shard(ada.id)
        world.now_ms += 1 + behind
        shard.clock.move_to(world.now_ms)
        shard.tell(ada.id, ada.event("Seen", at_ms=world.now_ms - 3 * DAY))
        shard.commit()
        world.advance(days=1)
        assert entered(ada) == [30 * DAY + behind]


def test_an_edit_of_the_conditions_is_no_entry():
    world = Told(shop(way(trigger={"segment": {"id": "members"}})))
    ada = world.customer("ada")
    ada.identifies(tier="silver")
    edited = shop(way(trigger={"segment": {"id": "members"}}))
    edited["segments.yaml"] = {
        "segments": SEGMENTS | {"members": {"trait": {"name": "tier", "in": ["gold", "silver"]}}}
    }
    world.takes(edited)
    world.advance(days=1)
    assert entered(ada) == []
    assert ada.profile.watched is not None
    assert set(ada.profile.watched.inside) == {"members"}


def test_a_pause_changes_nothing_of_what_is_watched_and_nobody_enters_in_it():
    world = Told(shop(way(trigger={"segment": {"id": "members"}})))
    ada, bob = world.customer("ada"), world.customer("bob")
    bob.identifies(tier="silver")
    ada.identifies(tier="silver")
    world.says("way", "paused")
    ada.identifies(tier="gold")
    world.says("way", "live")
    world.advance(days=1)
    bob.identifies(tier="gold")
    assert (entered(ada), entered(bob)) == ([], [DAY])


def test_a_late_event_does_not_start_what_its_own_time_is_too_late_for():
    world = World(shop(way(trigger={"segment": {"id": "buyers"}})))
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=200)
    ada.does("Order Completed", at_ms=START_MS + DAY)
    assert entered(ada) == []
    assert [e.reason for e in ada.timeline if e.outcome == "not_entered"] == ["journey.late"]


def test_a_client_cannot_say_that_somebody_has_entered_a_segment():
    world = World(shop(way(trigger={"segment": {"id": "members"}})))
    ada = world.customer("ada")
    ada.does("segue:segment", segment="members", on="enter")
    assert entered(ada) == []


def test_two_profiles_that_become_one_leave_what_holds_of_neither_and_keep_since_when():
    world = World(shop(way(), way("left", trigger={"segment": {"id": "lapsing", "on": "exit"}})), shards=2)
    visitor = world.customer(anonymous="a1")
    visitor.does("Order Completed")
    ada = world.customer("ada")
    world.advance(days=31)
    ada.does("Order Completed")
    both = world.customer("ada", anonymous="a1")
    both.does("Identified", kind="identify")
    world.settle()
    assert len(entered(both, "left")) == 1
    world.advance(days=31)
    assert len(entered(both)) == 2


def test_nothing_is_kept_where_nothing_is_watched_and_a_timer_goes_when_nothing_is_any_more():
    plain = Told(shop(way(trigger={"event": "Started"})))
    ada = plain.customer("ada")
    ada.does("Order Completed")
    assert ada.profile.watched is None
    plain.takes(shop(way()))
    plain.advance(0)
    assert ada.profile.watched is not None
    shard = plain.engine.shard(ada.id)
    assert len(shard.timers) == 1
    plain.takes(shop(way(trigger={"event": "Started"})))
    plain.advance(0)
    assert ada.profile.watched is None
    assert len(shard.timers) == 0


def why(who: Customer, journey: str = "way") -> dict[str, Any]:
    world = who.world
    (row,) = reasons_now.why(who.profile, world.catalog, world.now_ms, journey_id=journey)["journeys"]
    return {name: value for name, value in row.items() if name not in ("journeyId", "status", "inside")}


def test_why_names_the_part_of_the_segment_that_keeps_somebody_out():
    world = World(shop(way()))
    ada = world.customer("ada")
    ada.does("Seen")
    part = {"path": "segments.lapsing.all[1].event.Order Completed", "wanted": "at least 1", "saw": "none"}
    assert why(ada) == {"reason": "journey.segment", "condition": part}
    ada.does("Order Completed")
    assert why(ada)["reason"] == "journey.segment"
    assert why(ada)["condition"]["path"].startswith("segments.lapsing.all[2].not.event")


def test_why_tells_of_who_was_inside_before_and_of_whose_moment_is_still_to_come():
    backfilled = way("second", trigger={"segment": {"id": "buyers", "backfill": True}}, status="draft")
    plain = way(trigger={"segment": {"id": "buyers"}}, status="draft")
    world = Told(shop(plain, backfilled))
    ada = world.customer("ada")
    ada.does("Order Completed")
    world.advance(days=1)
    world.takes(shop(plain | {"status": "live"}, backfilled | {"status": "live"}))
    world.advance(0)
    assert why(ada) == {"reason": "journey.inside_before", "at": "2026-03-03T00:00:00.000Z"}
    assert why(ada, "second")["reason"] == "journey.not_yet"
    assert why(ada, "second")["at"] > "2026-03-03"
    world.advance(days=1)
    assert len(entered(ada, "second")) == 1


def test_the_timeline_says_by_what_a_run_was_entered():
    world = World(shop(way(trigger={"segment": {"id": "members", "on": "exit"}})))
    ada = world.customer("ada")
    ada.identifies(tier="gold")
    ada.identifies(tier="silver")
    assert "way entered by leaving the segment members" in [entry.summary for entry in ada.timeline]


def test_an_event_that_no_segment_asks_for_is_heard_as_fast_as_ever_and_misses_no_instant():
    world = World(shop(way(), way("left", trigger={"segment": {"id": "lapsing", "on": "exit"}})))
    ada = world.customer("ada")
    ada.does("Order Completed")
    world.advance(days=29, hours=23)
    catalog, profile = world.catalog, ada.profile
    notes = handle(profile, ada.event("Seen", at_ms=START_MS + 30 * DAY), catalog, START_MS + 30 * DAY)
    assert [note.entry.outcome for note in notes if isinstance(note, Note)][:1] == ["entered"]


def test_a_clock_that_ran_ahead_leaves_nobody_inside_since_the_future():
    catalog, ada = compiled(shop(way(trigger={"segment": {"id": "buyers"}}))), Profile("a" * 30)
    for at_ms in (START_MS + 400 * DAY, START_MS):
        event = Event(kind="track", name="Order Completed", at_ms=at_ms, received_at_ms=at_ms, user_id="ada")
        handle(ada, event, catalog, at_ms)
    assert ada.watched is not None
    assert ada.watched.inside == {"buyers": START_MS}


def waiting(*, on: str = "members") -> dict[str, Any]:
    steps = [
        {"wait_for": {"segment": on, "timeout": "60d", "on_timeout": "exit"}},
        {"send": {"action": "text", "channel": "sms"}},
    ]
    return way(trigger={"event": "Started"}, steps=steps)


def test_a_run_of_an_older_catalog_hears_of_a_segment_that_the_new_one_does_not_watch():
    world = Told(shop(waiting()))
    ada = world.customer("ada")
    ada.does("Started")
    world.takes(shop(way(trigger={"event": "Started"})))
    world.advance(days=1)
    ada.identifies(tier="gold")
    assert [entry.outcome for entry in ada.timeline if entry.kind == "send"][:1] == ["decided"]


def test_a_run_waits_for_a_segment_that_time_alone_puts_somebody_into():
    world = World(shop(waiting(on="lapsing")))
    ada = world.customer("ada")
    ada.does("Order Completed")
    ada.does("Started")
    world.advance(days=31)
    assert [e.at_ms - START_MS for e in ada.timeline if e.outcome == "decided"] == [30 * DAY]


def test_leaving_a_segment_in_the_turn_of_an_event_stops_a_message_of_the_same_turn():
    steps = [
        {"wait_for": {"event": "Order Completed", "timeout": "60d"}},
        {"send": {"action": "text", "channel": "sms"}},
    ]
    stops = [{"id": "back", "segment": {"id": "lapsing", "on": "exit"}}]
    world = World(shop(way(steps=steps, stops=stops)))
    ada = world.customer("ada")
    ada.does("Order Completed")
    world.advance(days=31)
    ada.does("Order Completed")
    assert ada.run("way").ended_by == "stop.back"
    assert ada.outcomes("decided") == []


def test_nothing_wakes_who_was_erased_or_has_moved_into_another_profile():
    world = World(shop(way()), shards=2)
    ada, visitor = world.customer("ada"), world.customer(anonymous="a1")
    ada.does("Order Completed")
    visitor.does("Order Completed")
    world.customer("ada", anonymous="a1").does("Identified", kind="identify")
    world.settle()
    timers = [key for windows in world.engine.windows for key in windows.shard.batch.keys_from("timers", b"")]
    assert [keys.timer_parts(key)[1] for key in timers] == [ada.id]
    world.engine.ask_profile(ada.id, Erase())
    assert [len(windows.shard.timers) for windows in world.engine.windows] == [0, 0]


@pytest.mark.parametrize(
    ("segment", "on", "days"),
    [
        ({"not": {"outcome": {"name": "clicked", "within": "7d"}}}, "enter", [0, 8]),
        ({"outcome": {"name": "clicked", "within": "7d"}}, "exit", [8]),
        ({"outcome": {"name": "clicked"}}, "exit", [367]),  # the last reaction on a channel is kept for so long
        ({"outcome": {"name": "sent", "within": "7d"}}, "exit", [8]),
        ({"outcome": {"name": "sent"}}, "exit", [31]),
        ({"outcome": {"name": "sent"}}, "enter", [1]),
    ],
)
def test_a_segment_that_asks_what_became_of_a_message_turns_with_it_and_with_time(
    segment: dict[str, Any], on: str, days: list[int]
):
    greeting = way("greeting", trigger={"event": "Started"}, steps=[{"send": {"action": "welcome", "channel": "sms"}}])
    asking = way(trigger={"segment": {"id": "asked", "on": on}}, steps=[{"wait": {"for": "1h"}}])
    world = World(shop(greeting, asking) | {"segments.yaml": {"segments": {"asked": segment}}})
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=1)
    ada.does("Started")
    world.settle()
    sent = next(e for e in ada.timeline if e.outcome == "sent")
    if "clicked" in str(segment):
        ada.does("SMS Link Clicked", send_id=sent.detail["send"])
    world.advance(days=400)
    assert [at_ms // DAY for at_ms in entered(ada)] == days


def test_a_message_that_leaves_while_the_clock_runs_out_begins_no_schedule():
    """Its run hears of it and goes on, which is when else everything is looked at."""
    steps = [
        {"wait": {"for": "36h"}},
        {"id": "text", "send": {"action": "text", "channel": "sms"}},
        {"wait_for": {"outcome": "sent", "of": "text", "timeout": "1h"}},
    ]
    world = World(shop(way(trigger={"schedule": {"cron": "0 9 * * *"}}, re_entry={"concurrent": 9}, steps=steps)))
    ada = world.customer("ada")
    ada.does("Seen")
    world.advance(days=2)
    world.drain()
    assert len(entered(ada)) == 2
