"""Local times: a time on a clock on the wall, in the zone of a customer, as the engine's instants and back.

A local time is counted in minutes since 1970 began on that clock, so that two of them compare as numbers whatever the
zone. One that summer time skips is the instant when the clock has gone on by as much; one that comes twice is the
first.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

from engine.catalog import zones
from engine.catalog.compiled import Catalog
from engine.contact import whereabouts
from engine.profile import Profile

_DAY: Final = 1_440
LAST: Final = 1_000_000_000  # no local time is later: that is in the year 3871
_EPOCH: Final = datetime(1970, 1, 1)
_MINUTE: Final = timedelta(minutes=1)


def zone_of(profile: Profile, catalog: Catalog, named: str) -> str:
    """The zone that `customer`, `workspace` or a zone's own name means for a customer."""
    if named == "customer":
        return whereabouts.zone_of(profile, catalog)
    return catalog.zone if named == "workspace" else named


@lru_cache(maxsize=8_192)
def instant_ms(local: int, zone: str) -> int:
    """The instant of a local time (minutes) in a zone, as UTC epoch milliseconds."""
    return int(clock(local).replace(tzinfo=zones.zone(zone)).timestamp()) * 1000


def local_of(at_ms: int, zone: str) -> int:
    """The local time of an instant, the minute that has begun."""
    there = datetime.fromtimestamp(at_ms // 1000, zones.zone(zone)).replace(tzinfo=None)
    return minutes(there)


def minutes(there: datetime) -> int:
    """A local time in minutes."""
    return (there - _EPOCH) // _MINUTE


def clock(local: int) -> datetime:
    """What the clock on the wall shows then."""
    return _EPOCH + local * _MINUTE


def day_of(local: int) -> date:
    """The day of a local time."""
    return clock(local).date()


def end_of_day(local: int) -> int:
    """The last minute of the day of a local time."""
    return (local // _DAY + 1) * _DAY - 1


def written(local: int) -> str:
    """A local time in ISO 8601, to the minute."""
    return clock(local).isoformat(timespec="minutes")
