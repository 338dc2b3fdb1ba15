"""`make prove` runs what is registered, prints and writes its figures, and fails where a sweep found a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.chaos.outcome import Figure, Outcome
from loadtest.sweeps import apart, orders, prove
from loadtest.sweeps.prove import SWEEPS, Sweep, main


@pytest.fixture
def two_sweeps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, Path]]:
    ran: list[tuple[str, int, Path]] = []

    def good(size: int, folder: Path) -> Outcome:
        ran.append(("good", size, folder))
        return Outcome([Figure("letters", size), Figure("took", 1.5, "s")])

    def bad(size: int, folder: Path) -> Outcome:
        ran.append(("bad", size, folder))
        return Outcome([Figure("lost", 3)], ["3 letters never arrived"])

    made = {"good": Sweep(good, 500, "letters", "all is well"), "bad": Sweep(bad, 9, "seconds", "it is not")}
    monkeypatch.setattr(prove, "SWEEPS", made)
    return ran


def test_a_sweep_that_is_as_it_must_be_gives_its_figures_and_leaves_nothing(two_sweeps, tmp_path, capsys):
    assert main(["--only", "good", "--json", str(tmp_path / "prove.json")]) == 0
    ((name, size, folder),) = two_sweeps
    assert (name, size, folder.exists()) == ("good", 500, False)
    said = capsys.readouterr().out
    assert "letters" in said and "500" in said and "1.5 s" in said and "as it must be" in said
    written = json.loads((tmp_path / "prove.json").read_text())
    assert written["good"]["figures"][0] == {"name": "letters", "value": 500, "unit": ""}
    assert written["good"]["faults"] == []


def test_the_table_is_not_cut_in_a_pipe(two_sweeps, monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "a figure whose name says all that there is to say of it, which is more than eighty columns have room for"
    monkeypatch.setitem(prove.SWEEPS, "good", Sweep(lambda *_: Outcome([Figure(long, 1)]), 1, "letters", "well"))
    assert main(["--only", "good"]) == 0
    assert long in capsys.readouterr().out


def test_a_fault_is_named_and_its_folder_is_kept(two_sweeps, capsys):
    assert main(["--size", "good=2"]) == 1
    assert [(name, size) for name, size, _ in two_sweeps] == [("good", 2), ("bad", 9)]
    folder = two_sweeps[1][2]
    assert folder.exists()
    folder.rmdir()
    assert "NOT PROVED: bad: 3 letters never arrived" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["good", "good=", "good=0", "good=-1", "good=x", "nothing=3"])
def test_a_size_that_means_nothing_is_refused(two_sweeps, size, capsys):
    with pytest.raises(SystemExit):
        main(["--size", size])
    assert "a size from 1 on" in capsys.readouterr().err and two_sweeps == []


def test_the_register_has_the_long_sweeps():
    assert {"delivery", "chaos", "joining", "orders", "apart"} <= SWEEPS.keys()
    assert SWEEPS["delivery"].size == 500


def test_people_come_to_the_same_end_in_any_order_and_a_lost_event_would_be_found(tmp_path, monkeypatch):
    outcome = orders.sweep(3, tmp_path)
    assert outcome.faults == []
    assert outcome.figures[1].value >= 3 * 3 * 5, "each person was several profiles, in each order"
    monkeypatch.setattr(orders.LocalEngine, "stage", lambda engine, told: _stage(engine, list(told)[1:]))
    assert any("has" in fault or "profiles" in fault for fault in orders.sweep(1, tmp_path).faults)


def test_people_who_are_joined_and_taken_apart_lose_nothing_and_a_fault_would_be_found(tmp_path, monkeypatch):
    outcome = apart.sweep(8, tmp_path)
    assert outcome.faults == [] and outcome.figures[2].value > 5
    monkeypatch.setattr(orders.LocalEngine, "stage", lambda engine, told: _stage(engine, list(told)[1:]))
    assert any("lost" in fault for fault in apart.sweep(1, tmp_path).faults)


_stage = orders.LocalEngine.stage
