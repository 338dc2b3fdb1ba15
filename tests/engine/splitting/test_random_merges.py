"""Random merges that are undone at once leave both profiles as they were; `make prove` plays 10,000 of them."""

from __future__ import annotations

import pytest

from loadtest.sweeps import splits


@pytest.mark.parametrize("first", range(0, 200, 50))
def test_both_come_back_as_they_were(first: int):
    assert [fault for seed in range(first, first + 50) for fault in splits.play(seed)] == []
