"""Worlds of `make prove ONLY=apart` in which several merges and splits cross: who asked late was once taken for who had
split, and a late answer once took a place away from who had it."""

from __future__ import annotations

import pytest

from loadtest.sweeps import apart, orders


@pytest.mark.parametrize("seed", [427, 569, *range(8)])
def test_nobody_waits_and_nothing_goes_round(seed: int):
    assert apart.play(orders.small_catalog(), seed).faults() == []
