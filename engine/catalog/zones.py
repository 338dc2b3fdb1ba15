"""Time zones are data of a stated version: always those of the `tzdata` package, never the machine's own."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib import metadata, resources
from typing import Final
from zoneinfo import ZoneInfo

VERSION: Final[str] = metadata.version("tzdata")


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Every zone there is."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


@lru_cache
def zone(name: str) -> ZoneInfo:
    """The zone of one of `names()`."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, name)


def start_of_day_ms(day: date, zone_name: str, *, plus_days: int = 0) -> int:
    """The instant at which a day begins there, as UTC epoch milliseconds."""
    day += timedelta(days=plus_days)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone(zone_name)).timestamp() * 1000)
