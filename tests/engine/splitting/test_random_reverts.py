"""What two sources did to random people is split, joined again, reverted and erased: the first worlds of the sweep."""

from __future__ import annotations

import pytest

from loadtest.sweeps import orders, reverts


@pytest.mark.parametrize("first", range(0, 12, 4))
def test_the_journals_say_what_is_stored_and_every_place_leads_to_somebody(first: int):
    catalog = orders.small_catalog()
    assert [fault for seed in range(first, first + 4) for fault in reverts.World(catalog, seed).play()] == []
