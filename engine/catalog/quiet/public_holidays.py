"""Public holidays, by the `holidays` library: those of a country (`DE`) or of a part of one (`DE-BY`).

The library is asked for what the law calls public, and for nothing that only banks or schools keep. It is imported when
a catalog asks for the first time, because its tables take time to read and most catalogs have no use for them.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from importlib import metadata
from typing import Final

VERSION: Final[str] = metadata.version("holidays")


@lru_cache(maxsize=1)
def calendars() -> frozenset[str]:
    """Every calendar there is: countries by ISO 3166, and their parts."""
    from holidays import list_supported_countries

    known = list_supported_countries(include_aliases=False)
    return frozenset(known) | {f"{country}-{part}" for country, parts in known.items() for part in parts}


def is_holiday(calendar: str, day: date) -> bool:
    """Whether a day is a public holiday of one of `calendars()`; of any other calendar none is."""
    return day in _holidays(calendar, day.year)


@lru_cache(maxsize=2_048)
def _holidays(calendar: str, year: int) -> frozenset[date]:
    from holidays import country_holidays

    if calendar not in calendars():
        return frozenset()
    country, _, part = calendar.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))
