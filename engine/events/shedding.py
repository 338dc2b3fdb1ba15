"""Which inputs an overloaded engine may refuse, so that those that must not wait get through. The catalog decides it,
not a queue (`docs/decisions/0010-what-is-shed.md`).

Consent changes, purchases and stops are never shed. So an event is kept that carries consent, or that any stop of the
policies or of a journey is on (a purchase is such an event), also in older catalogs that runs still name. Inputs that
end, settle or count something begun are never shed either: exposures, receipts, timers, messages between profiles. All
others, which are other events and decisions, may be refused; their sender repeats them with the same ids.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.compiled import Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.consent import statements
from engine.inputs import AnyInput, Decide, Event


def is_sheddable(catalog: Catalog, told: AnyInput) -> bool:
    """Whether an overloaded queue may refuse this input."""
    if isinstance(told, Event):
        return told.name not in events_kept(catalog) and not statements.carries(catalog, told.name)
    return isinstance(told, Decide)


@once_per_catalog
def events_kept(catalog: Catalog) -> frozenset[str]:
    """The names of the events that are never shed. `archive` must be complete at the first call."""
    return frozenset(name for each in (catalog, *catalog.archive.values()) for name in _kept(each))


def _kept(catalog: Catalog) -> Iterator[str]:
    yield from catalog.consent_events
    yield from catalog.stops_on
    for journey in catalog.journeys.values():
        yield from (stop.on.event for stop in journey.stops)
