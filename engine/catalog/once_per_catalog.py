"""Keeps what rules work out of a catalog, beside it and not in it: a catalog is data, and never changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from weakref import finalize

from engine.catalog.compiled import Catalog

Made = TypeVar("Made")


def once_per_catalog(work_out: Callable[[Catalog], Made]) -> Callable[[Catalog], Made]:
    """`work_out`, called once for each catalog; what it made is forgotten when the catalog is.

    What it makes must not hold the catalog itself, or neither would ever go: an engine takes a new catalog whenever
    somebody edits it.
    """
    # By identity and not weakly by the catalog: a decision asks some six times, and a weak key costs it 4 % more.
    known: dict[int, Made] = {}

    def once(catalog: Catalog) -> Made:
        try:
            return known[id(catalog)]
        except KeyError:
            made = known[id(catalog)] = work_out(catalog)
            # Before the identity can be another catalog's. At the end of the process there is nothing to forget.
            finalize(catalog, known.pop, id(catalog), None).atexit = False
            return made

    return once
