"""A journey edited while customers are inside: the plan's numbers are what then happens (the sweep of `make prove`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.sweeps import edits


@pytest.mark.parametrize("customers", [150, 151, 152])
def test_what_a_plan_counts_is_what_then_happens(customers: int, tmp_path: Path):
    outcome = edits.sweep(customers, tmp_path)
    assert outcome.faults == []
    assert {figure.name: figure.value for figure in outcome.figures}["runs moved"] > customers / 4
