"""After a downtime: each overdue timer does what its step says, in order, once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faulty_store import FaultyStore, Fuse
from support.world import HOUR, MINUTE, YES_TO_MAIL, Customer, World, action, cart_journey, document

from actors.platform.clock import ReplayClock
from actors.replay_clock.in_process import LocalEngine
from actors.shard.shard import Shard
from engine.errors import CatalogError
from engine.profile import Profile


def waiting(late: Any, **wait: Any) -> dict[str, Any]:
    """The cart journey, whose wait has a catch-up rule."""
    steps = [{"wait": {"for": "1h", "late": late, **wait}}, {"send": {"action": "cart_reminder", "channel": "email"}}]
    return document(
        actions=[action("cart_reminder")],
        journeys=[cart_journey(steps=steps, re_entry={"concurrent": 5})],
        policies={},
    )


def after_downtime(files: dict[str, Any], carts_after_ms: list[int], back_after_ms: int) -> list[tuple[str, str]]:
    """(state, ended by) of each run of somebody whose carts were filled while the engine was up, by cart."""
    world = World(files)
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    start_ms = world.now_ms
    for number, at_ms in enumerate(carts_after_ms):
        world.advance(start_ms + at_ms - world.now_ms)
        ada.does("Product Added", cart_id=str(number))
    shard = world.engine.shard(ada.id)
    _sleep_until(shard, start_ms + back_after_ms)
    while shard.fire_timers(shard.clock.now_ms()):
        pass
    profile = shard.record(ada.id)
    assert isinstance(profile, Profile) and not any(
        run.due_ms for run in profile.runs if run.due_ms <= shard.clock.now_ms()
    )
    return [(run.state, run.ended_by) for run in sorted(profile.runs, key=lambda run: run.key)]


def _sleep_until(shard: Shard, at_ms: int) -> None:
    """Nobody fires anything meanwhile."""
    assert isinstance(shard.clock, ReplayClock)
    shard.clock.move_to(at_ms)


@settings(max_examples=40, deadline=None)
@given(
    carts=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    moments=st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=1, max_size=8),
)
def test_invariant_7_a_timer_fires_once_never_early_and_after_a_recovery(
    carts: list[int], moments: list[tuple[int, bool]]
):
    """Minutes at which carts are filled, steps of the clock in minutes, and whether everything dies after each."""
    stores: list[Any] = [FaultyStore()]
    world = World(waiting("fire"), stores=stores)
    start_ms = world.now_ms
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    world.engine.stage(
        ada.event("Product Added", at_ms=start_ms + minute * MINUTE, cart_id=str(number))
        for number, minute in enumerate(carts)
    )
    world.engine.windows[0].shard.commit()
    for minutes, dies in [*moments, (180, False)]:
        world.advance(minutes=minutes)
        if dies:
            stores = [stores[0].survivor(Fuse(), kept=0)]
            world.engine = LocalEngine(world.catalog, stores=stores)
    fired = [(entry.at_ms, entry.run) for entry in ada.timeline if entry.kind == "timer" and entry.outcome == "fired"]
    assert len({run for _, run in fired}) == len(fired), "one fired twice"
    due = sorted(start_ms + minute * MINUTE + HOUR for minute in carts)
    assert sorted(at_ms for at_ms, _ in fired) == due, "the last step of the clock is longer than any wait"


DONE, LATE, COALESCED = ("completed", "end"), ("exited", "timer.late"), ("exited", "timer.coalesced")


@pytest.mark.parametrize(
    ("late", "carts", "back", "ends"),
    [
        ("fire", [0, MINUTE], 9 * HOUR, [DONE, DONE]),
        ({"drop_if_late": "2h"}, [0, MINUTE], 3 * HOUR, [DONE, DONE]),
        ({"drop_if_late": "2h"}, [0, 30 * MINUTE], 3 * HOUR + MINUTE, [LATE, DONE]),
        ({"drop_if_late": "2h"}, [0, MINUTE], 9 * HOUR, [LATE, LATE]),
        ("coalesce", [0, MINUTE, 2 * MINUTE], 9 * HOUR, [COALESCED, COALESCED, DONE]),
        ("coalesce", [0, MINUTE], HOUR + MINUTE, [DONE, DONE]),
        ("coalesce", [0, 30 * MINUTE], HOUR + 10 * MINUTE, [DONE, ("active", "")]),
    ],
)
def test_an_overdue_timer_does_what_its_step_says(late: Any, carts: list[int], back: int, ends: list[tuple[str, str]]):
    assert after_downtime(waiting(late), carts, back) == ends


def test_coalescing_is_per_customer_and_per_journey():
    files = waiting("coalesce")
    other = cart_journey(id="other", trigger={"event": "Page Viewed"}, key=None)
    files |= {"journeys/other.yaml": other}
    world = World(files)
    people = [world.customer(f"p{number}@example.com", consents=YES_TO_MAIL) for number in range(2)]
    for person in people:
        person.does("Page Viewed")
        person.does("Product Added", cart_id="c")
    shard = world.engine.windows[0].shard
    _sleep_until(shard, world.now_ms + 5 * HOUR)
    while shard.fire_timers(shard.clock.now_ms()):
        pass
    assert all(run.state == "completed" for person in people for run in _runs(person))


def _runs(person: Customer) -> list[Any]:
    assert len(person.profile.runs) == 2
    return person.profile.runs


@pytest.mark.parametrize("late", ["never", {"drop_if_late": "0s"}, {"drop_if_late": 5}, {"other": "2h"}, 3])
def test_a_rule_that_is_none_is_refused(late: Any):
    with pytest.raises(CatalogError, match=r"steps\[1\]\.wait\.late"):
        World(waiting(late))
