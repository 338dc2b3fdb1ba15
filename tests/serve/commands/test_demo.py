"""`segue demo`: what it does before and after the engine runs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from support.running import run_segue

from serve.commands import demo
from serve.demo import story_page


@pytest.mark.parametrize(
    ("placements", "wanted"),
    [({"top": 1, "home_hero": 2}, "home_hero"), ({"home": 1, "top": 2}, "home"), ({}, None)],
)
def test_the_decision_is_for_a_placement_of_the_catalog(placements: dict[str, int], wanted: str | None):
    assert demo._placement(placements) == wanted


def test_a_catalog_without_a_placement_is_said():
    shown = StringIO()
    story_page.one_decision(Console(file=shown), None, None)
    assert "the catalog has no placement to decide for" in shown.getvalue()


def test_a_catalog_that_cannot_run_is_told_before_anything_is_done(tmp_path: Path):
    done = run_segue("demo", "--config", tmp_path / "nope", environment={"TMPDIR": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert "nope:1: directory" in done.stderr and done.stderr.count("\n") == 1
    assert [path for path in tmp_path.iterdir() if path.name.startswith("segue-")] == []
