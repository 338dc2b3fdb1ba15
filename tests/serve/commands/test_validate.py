"""`segue validate` over journeys that clash: what it prints, what it gives out as data, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.pairs import MAIL, catalog, journey
from typer.testing import CliRunner

from serve.cli import app
from serve.commands import validate

NOTE = {"send": {"action": "note", "channel": "email"}}
TWO = (journey("cart", "Product Added", {"wait": {"for": "1h"}}, MAIL), journey("visit", "Product Viewed", NOTE))
STOPS = [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]
SAID = "cart and visit can write to one customer within a day, and nothing keeps them apart: no cap counts both"


def written(directory: Path, *journeys: Any, **policies: Any) -> Path:
    """A directory with a catalog of these journeys."""
    plain = catalog(*journeys, **policies)
    del plain["actions/text.yaml"]  # nobody gets it
    plain["templates/plain.html"] = '<a href="{{ unsubscribe_url }}">Leave</a>'
    for file, data in plain.items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, str):
            path.write_text(data, "utf-8")
        else:
            YAML().dump(data, path)
    return directory


def run(*words: str) -> Any:
    return CliRunner().invoke(app, ["validate", *words], catch_exceptions=False)


def test_a_note_is_printed_with_its_story_and_fails_nothing(tmp_path: Path) -> None:
    done = run("--strict", "--config", str(written(tmp_path, *TWO, stops=STOPS)))
    assert done.exit_code == 0, done.output
    lines = done.stderr.splitlines()
    where = next(place for place, line in enumerate(lines) if line.startswith("note: "))
    assert lines[where].startswith("note: journeys/visit.yaml:") and lines[where].endswith(f": trigger: {SAID}")
    assert lines[where + 1 :] == [
        "    day 0 09:00  a customer is known, with an e-mail address",
        "    day 0 09:00  the customer says yes to marketing on email",
        "    day 0 09:10  Product Added",
        "    day 0 09:10  cart begins",
        "    day 0 09:15  Product Viewed",
        "    day 0 09:15  visit begins",
        "    day 0 09:15  email note goes out (visit)",
        "    day 0 10:10  email letter goes out (cart)",
    ]


def test_a_clash_in_one_journey_is_a_warning_and_fails_where_that_is_asked(tmp_path: Path) -> None:
    deaf = journey("deaf", "Product Added", {"wait": {"for": "1h", "reset_on": ["Order Completed"]}}, MAIL, NOTE)
    directory = str(written(tmp_path, deaf, stops=STOPS))
    assert run("--config", directory).exit_code == 0
    failed = run("--strict", "--config", directory)
    assert failed.exit_code == 1
    assert failed.stderr.splitlines() == [
        "warning: journeys/deaf.yaml:8: steps[1].wait.reset_on: never acts: the stop purchase ends the run on the "
        "'Order Completed' that reset_on waits for",
        "    day 0 09:10  Product Added",
        "    day 0 09:10  deaf begins",
        "    day 0 09:11  Order Completed",
        "    day 0 09:11  deaf ends: the stop purchase",
        "    day 0 09:11  email letter does not go out: the stop purchase (deaf)",
    ]


def test_as_data_each_finding_has_its_story_and_what_was_recorded(tmp_path: Path) -> None:
    done = run("--json", "--config", str(written(tmp_path, *TWO, stops=STOPS)))
    assert done.exit_code == 0 and done.stderr == ""
    found = json.loads(done.stdout)
    assert found["problems"] == [] and found["warnings"] == []
    (note,) = found["findings"]
    assert (note["kind"], note["message"]) == ("note", SAID)
    assert note["verdict"] == {"kind": "free", "winner": "cart", "loser": "visit", "rule": "", "action": ""}
    assert [each["event"] for each in note["witness"]["story"]["happenings"] if each["type"] == "event"] == [
        "Product Added",
        "Product Viewed",
    ]
    sent = [each for each in note["witness"]["told"]["entries"] if each["kind"] == "send"]
    assert [each["action"] for each in sent if each["outcome"] == "simulated"] == ["note", "letter"]


def test_problems_are_data_too(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("caps: [{id: a, limit: many, per: 7d}]")
    done = run("--json", "--config", str(tmp_path))
    assert done.exit_code == 2
    assert json.loads(done.stdout)["problems"][0].startswith("policies.yaml:1: caps[1].limit: ")


def test_of_many_notes_the_first_have_their_story_and_of_the_others_it_is_said_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(validate, "STORIES_MAX", 1)
    third = journey("third", "Product Shared", NOTE)
    done = run("--config", str(written(tmp_path, *TWO, third, stops=STOPS)))
    assert sum(line.startswith("note: journeys/") for line in done.stderr.splitlines()) == 3
    assert sum("a customer is known" in line for line in done.stderr.splitlines()) == 1
    assert done.stderr.splitlines()[-1] == "note: `segue validate --json` has the story of each finding"
