"""What the profile runtime's figures are made of, at small sizes. No test judges a time."""

from __future__ import annotations

import pytest

from loadtest.bench import million, runtime
from loadtest.bench import profiles as bench_profiles
from loadtest.bench.million import Opened
from loadtest.bench.runtime import EVENTS, Home, Measured
from loadtest.peers import two_ways
from loadtest.peers.two_ways import Actors

DISK = {"state": 600.0, "history": 100.0, "journal": 6_000.0, "audit": 0.0, "seen": 800.0, "keyring": 30.0}
MEASURED = Measured(17.0, 55.0, 120.0, 15_000.0, 9_000.0, 0.0, DISK, 11_000.0)
ACTORS = Actors(1_000.0, 1_700.0, 60.0)


def test_a_benchmark_customer_has_twenty_events_and_no_journey_in_memory_and_on_disk(tmp_path):
    home = Home.at(tmp_path)
    home.live(3)
    home.passivate()
    profile = home.shard.record(runtime.name_of(2))
    assert len(profile.history) == EVENTS
    assert profile.runs == []
    home.shard.close()


def test_sizes_are_of_the_files_and_name_what_was_written(tmp_path):
    home = Home.at(tmp_path)
    home.live(5)
    disk = runtime.disk_bytes(home, 5)
    assert all(disk[family] > 0 for family in ("state", "journal", "seen", "keyring"))
    assert disk["outbox"] == 0
    home.shard.close()


def test_every_due_timer_of_the_benchmark_is_a_step_of_a_journey(tmp_path):
    assert runtime.due_timers_per_s(tmp_path, 7) > 0


@pytest.mark.parametrize(("kind", "profiles", "timers"), [("profiles", 40, 0), ("timers", 1, 40)])
def test_what_was_made_before_the_kill_is_there_after_it(tmp_path, kind: str, profiles: int, timers: int):
    opened = million.after_kill(kind, tmp_path, 40)
    assert (opened.profiles, opened.timers) == (profiles, timers)


def test_sqlite_does_the_turns_that_it_counts(tmp_path):
    assert two_ways.sqlite_turns_per_s(tmp_path / "base", 5, 0.05, customers=3) > 0


def test_durable_turns_stand_beside_sqlite_and_plain_ray_actors():
    rows = [row for row in bench_profiles.turns(MEASURED, ACTORS, 300.0, 3_000.0) if row.unit == "turns/s"]
    assert [row.ratio for row in rows] == [5.0, 50.0, 15.0]


def test_state_and_history_are_one_figure_and_the_rest_stands_beside_it():
    rows = {row.name.strip(): row for row in bench_profiles.sizes(MEASURED, ACTORS)}
    assert rows["idle profile of 20 events, disk: state and history"].value == 0.7
    assert rows["journal"].value == 6.0


def test_only_a_million_is_held_against_the_budget_for_a_million():
    opened = Opened(1.0, 50.0, 1, 1)
    assert {row.target for row in bench_profiles.restarts(100_000, opened, opened)} == {""}
    assert {row.target for row in bench_profiles.restarts(1_000_000, opened, opened)} == {"≤ 3 s", "≤ 100 MB"}
