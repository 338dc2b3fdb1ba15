"""What two sources did to random people is split, joined again, reverted and erased: the first worlds of the sweep."""

from __future__ import annotations

import pytest

from loadtest.sweeps import orders, reverts


@pytest.mark.parametrize("seed", [*range(8), 138])  # in the last one a question meets two erased profiles, one by one
def test_the_journals_say_what_is_stored_and_every_place_leads_to_somebody(seed: int):
    assert reverts.World(orders.small_catalog(), seed).play() == []
