"""What is worked out of a catalog is worked out once, and goes when the catalog does."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

from support.letters import SHOP

from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.decide import placement_plan, receipt
from engine.events import history, kept, shedding
from engine.frequency import caps


def test_it_is_worked_out_once_for_each_catalog():
    asked: list[str] = []

    @once_per_catalog
    def zone_of(catalog: Catalog) -> str:
        asked.append(catalog.version)
        return catalog.zone

    one = compile_document(SHOP)
    other = replace(one, zone="Asia/Tokyo")
    assert [zone_of(one), zone_of(other), zone_of(one)] == [one.zone, "Asia/Tokyo", one.zone]
    assert len(asked) == 2


def test_nothing_that_the_rules_work_out_keeps_a_catalog_that_was_replaced():
    catalog = compile_document(SHOP)
    channel = next(iter(catalog.channels))
    for action in catalog.actions.values():
        placement_plan.of_send(catalog, channel, action, catalog.version)
        caps.over(catalog, caps.place_for(action, channel, "", 0))
    for placement in catalog.placements.values():
        placement_plan.of_placement(catalog, placement.channel, placement.id)
    receipt.reasons_of(catalog)
    history.counters_of(catalog)
    kept.listeners_of(catalog)
    shedding.events_kept(catalog)
    left = weakref.ref(catalog)
    del catalog
    gc.collect()
    assert left() is None
