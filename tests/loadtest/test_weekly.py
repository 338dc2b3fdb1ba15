"""A weekly letter to the people in a file: what the engine does is what an oracle reads off the file."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import pytest

from loadtest.sweeps import quiet_zones, weekly, weekly_oracle


def test_what_goes_out_each_monday_is_what_the_file_says(tmp_path: Path):
    file = tmp_path / "purchases.csv"
    weekly.write(file, 25, "a few")
    rows = weekly.read(file)
    faults, sent, held = weekly.play(rows)
    assert faults == []
    told = [each for _, own in groupby(rows, key=lambda row: row.customer) for each in weekly_oracle.told(list(own))]
    reasons = Counter(reason for _, reason in told)
    assert set(reasons) == {"", "quiet_hours", "cap.two", "suppress.just_bought"}, "the file is too small to tell"
    assert (reasons.pop(""), reasons.total()) == (sent, held)


def test_a_purchase_between_decision_and_hand_over_withdraws_the_letter():
    eight = weekly_oracle.FIRST.replace(hour=17) + timedelta(weeks=2)  # in the morning, where they are
    orders = [weekly_oracle.FIRST + timedelta(days=1), eight + timedelta(seconds=4)]
    rows = [weekly_oracle.Row("ada", "America/Los_Angeles", int(each.timestamp())) for each in orders]
    reasons = [reason for _, reason in weekly_oracle.told(rows)]
    assert reasons[:4] == ["suppress.just_bought", "quiet_hours", "", "suppress.just_bought"]
    assert weekly.play(rows)[0] == []


def test_a_rule_that_the_oracle_does_not_know_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "purchases.csv"
    weekly.write(file, 4, "very few")
    monkeypatch.setattr(weekly, "HOURS", "21:00-09:00")
    faults, _, _ = weekly.play(weekly.read(file))
    assert faults


def test_the_same_seed_makes_the_same_file(tmp_path: Path):
    weekly.write(tmp_path / "one", 50, "s")
    weekly.write(tmp_path / "two", 50, "s")
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()


def test_the_sweep_over_all_zones_sees_a_zone():
    assert quiet_zones.faults_of("America/New_York", days=20) == []
