"""Time zones, always those of the `tzdata` package and never the machine's own: so every process of every machine reads
a date as the same instant, and a catalog's version names the data."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib import metadata, resources
from typing import Final
from zoneinfo import ZoneInfo

VERSION: Final[str] = metadata.version("tzdata")

# Names for a time of several countries, which `tzdata` keeps as other names of one country's zone.
_OF_NO_COUNTRY: Final = frozenset(
    ("CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT", "WET")
)


@lru_cache(maxsize=1)
def names() -> frozenset[str]:
    """Every zone there is."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


@lru_cache(maxsize=1_024)
def zone(name: str) -> ZoneInfo:
    """The zone of one of `names()`."""
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, name)


def start_of_day_ms(day: date, zone_name: str, *, plus_days: int = 0) -> int:
    """The instant at which a day begins there, as UTC epoch milliseconds."""
    day += timedelta(days=plus_days)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone(zone_name)).timestamp() * 1000)


@lru_cache(maxsize=4_096)
def start_of_period_ms(now_minute: int, zone_name: str, period: str) -> int:
    """The start of the day, week (from Monday) or month in which a minute since the epoch lies there. Minutes, so that
    the cache finds most questions again."""
    day = datetime.fromtimestamp(now_minute * 60, zone(zone_name)).date()
    return start_of_day_ms(_first_day(day, period), zone_name)


@lru_cache(maxsize=4_096)
def end_of_period_ms(now_minute: int, zone_name: str, period: str) -> int:
    """The end of that period, which is the start of the next."""
    first = _first_day(datetime.fromtimestamp(now_minute * 60, zone(zone_name)).date(), period)
    days = {"day": 1, "week": 7, "month": calendar.monthrange(first.year, first.month)[1]}
    return start_of_day_ms(first, zone_name, plus_days=days[period])


def _first_day(day: date, period: str) -> date:
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday() if period == "week" else 0)


@lru_cache(maxsize=1)
def _zones_of_countries() -> dict[str, frozenset[str]]:
    rows = [row.split("\t") for row in _table("zone.tab") if row and not row.startswith("#")]
    countries = {row[0] for row in rows}
    return {code: frozenset(row[2] for row in rows if row[0] == code) for code in countries}


@lru_cache(maxsize=1)
def _countries_of_zones() -> dict[str, str]:
    found = {name: code for code, known in _zones_of_countries().items() for name in known}
    for row in _table("tzdata.zi"):
        kind, _, rest = row.partition(" ")
        if kind == "L":  # another name of a zone: its older one, or one that a country has beside
            target, name = rest.split()
            if name not in found and name not in _OF_NO_COUNTRY and target in found:
                found[name] = found[target]
    return found


def of_country(code: str) -> frozenset[str]:
    """The zones of a country (ISO 3166, two capital letters); none where it is not known."""
    return _zones_of_countries().get(code, frozenset())


def country_of(name: str) -> str:
    """The country that a zone lies in; empty where it lies in none (`Etc/UTC`, `CET`)."""
    return _countries_of_zones().get(name, "")


def _table(name: str) -> list[str]:
    return resources.files("tzdata").joinpath("zoneinfo", name).read_text("utf-8").splitlines()
