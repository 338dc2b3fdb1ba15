"""Waits that start anew: for how long, and what of those that stood in a profile before they were bounded."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from support.told import Told
from support.world import DAY, HOUR, MINUTE, START_MS, World, action, compiled, document

from engine.catalog.compile import compile_document, problems_of
from engine.errors import CatalogError
from engine.inputs import Event
from engine.profile import Profile, Run
from engine.recent_events import encoder
from engine.turn import handle


def way(**wait: Any) -> dict[str, Any]:
    """A text that comes when somebody has been quiet for so long."""
    steps = [{"wait": {"reset_on": ["Seen"], **wait}}, {"send": {"action": "text", "channel": "sms"}}]
    return {"id": "way", "tier": "service", "trigger": {"event": "Started"}, "steps": steps}


def shop(**wait: Any) -> dict[str, Any]:
    text = action("text", tier="service", purpose="service", channels=["sms"])
    return document(actions=[text], journeys=[way(**wait)])


@pytest.mark.parametrize(
    ("wait", "quiet_for", "sent_after"),
    [
        ({"for": "1h"}, 59 * MINUTE, DAY),
        ({"for": "4h"}, 3 * HOUR, 28 * HOUR),
        ({"for": "2d"}, DAY, 14 * DAY),
        ({"for": "1h", "reset_until": "3h"}, 59 * MINUTE, 3 * HOUR),
        ({"for": "1h", "reset_until": "1h"}, 59 * MINUTE, HOUR),
        ({"for": "1h", "reset_until": "60d"}, 59 * MINUTE, 22 * DAY + 22 * MINUTE + HOUR),
    ],
)
def test_a_wait_that_is_reset_again_and_again_is_over_in_the_end(wait: dict[str, Any], quiet_for: int, sent_after: int):
    world = World(shop(**wait))
    ada = world.customer("ada")
    start_ms = world.now_ms
    ada.does("Started")
    seen = [ada.event("Seen", at_ms=start_ms + (number + 1) * quiet_for) for number in range(22 * DAY // quiet_for)]
    world.engine.stage(seen)
    world.drain()
    decided = [entry.at_ms - start_ms for entry in ada.timeline if entry.outcome == "decided"]
    assert decided == [sent_after] or (sent_after > 22 * DAY and decided == [seen[-1].at_ms + HOUR - start_ms])


def test_the_bound_counts_from_the_first_start_of_each_wait():
    journey = way(**{"for": "1h", "reset_until": "2h"})
    journey["steps"] = journey["steps"] * 2
    text = action("text", tier="service", purpose="service", channels=["sms"])
    world = World(document(actions=[text], journeys=[journey]))
    ada = world.customer("ada")
    start_ms = world.now_ms
    ada.does("Started")
    world.engine.stage([ada.event("Seen", at_ms=start_ms + number * 50 * MINUTE) for number in range(1, 30)])
    world.drain()
    assert [entry.at_ms - start_ms for entry in ada.timeline if entry.outcome == "decided"] == [2 * HOUR, 4 * HOUR]


def test_a_wait_that_a_profile_kept_before_there_was_a_bound_is_bounded_from_its_next_reset():
    catalog, ada = compiled(shop(**{"for": "1h"})), Profile("a" * 32)

    def told(name: str, minutes: int) -> None:
        at_ms = START_MS + minutes * MINUTE
        handle(ada, Event(kind="track", name=name, at_ms=at_ms, received_at_ms=at_ms, user_id="ada"), catalog, at_ms)

    told("Started", 0)
    (run,) = ada.runs
    run.since_ms = run.since_seq = run.began_ms = 0
    for number in range(1, 100):
        told("Seen", 50 * number)
        assert run.due_ms == min(START_MS + 50 * number * MINUTE + HOUR, START_MS + 50 * MINUTE + DAY)


def test_a_run_of_an_older_state_is_read():
    catalog, ada = compiled(shop(**{"for": "1h"})), Profile("a" * 32)
    handle(ada, Event(kind="track", name="Started", at_ms=START_MS, received_at_ms=START_MS), catalog, START_MS)
    fields = msgspec.msgpack.decode(encoder.encode(ada.runs[0]))
    older = msgspec.convert(fields[: Run.__struct_fields__.index("since_ms")], Run)
    assert (older.id, older.since_ms, older.since_seq, older.began_ms) == (ada.runs[0].id, 0, 0, 0)


def test_what_was_over_during_a_pause_is_due_at_its_bound():
    files = shop(**{"for": "1h", "reset_until": "2h", "late": {"drop_if_late": "30m"}})
    world = Told(files)
    ada = world.customer("ada")
    ada.does("Started")
    world.says("way", "paused")
    world.advance(hours=3)
    ada.does("Seen")
    assert ada.shown["timers"][0]["at"].startswith("2026-03-02T02:00")
    world.says("way", "live")
    world.settle()
    assert ada.run("way").ended_by == "timer.late"


@pytest.mark.parametrize(
    ("wait", "message"),
    [
        ({"for": "1h", "reset_until": "30m"}, "should be at least as long as the wait itself, its `for`"),
        ({"for": "1h", "reset_until": "2h", "reset_on": []}, "no event of reset_on starts this wait anew"),
        ({"for": "1h", "reset_until": "0m"}, "a duration of zero means nothing here"),
        ({"for": "1h", "reset_until": "soon"}, "a duration is a number and a unit"),
    ],
)
def test_a_bound_that_bounds_nothing_is_refused_by_name(wait: dict[str, Any], message: str):
    (problem,) = problems_of(shop(**wait))
    assert problem.loc == ("steps", 0, "wait", "reset_until") and message in problem.message
    with pytest.raises(CatalogError):
        compile_document(shop(**wait))
