"""Days that traits name: how they are read, and when the time around such a day comes.

Birthdays and renewals come from many systems. A day is a text in ISO 8601 (`2026-05-04`), a day without its year
(`--05-04`), an instant, or seconds or milliseconds since 1970. An instant is the day that it is in the zone. Midnight
in UTC is the day as it stands, whatever the zone, because that is how most systems send the days of a calendar.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

from engine.catalog import zones
from engine.catalog.triggers import DateOf
from engine.errors import InvalidInput
from engine.occasions import local_times
from engine.occasions.occasions import Occasions, Once
from engine.profile import Profile
from engine.values import times
from engine.values.paths import values_at

_YEARLESS: Final = re.compile(r"--([0-9]{2})-?([0-9]{2})")
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_ANY_LEAP_YEAR: Final = 2000
_YEARS: Final = range(1800, 2201)


class Day(NamedTuple):
    """A day of a calendar; `year` 0: not said."""

    year: int
    month: int
    day: int

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}-{self.day:02}" if self.year else f"--{self.month:02}-{self.day:02}"

    def of(self, year: int) -> date:
        """This day in a year. 29 February is 28 February where there is none, so it stays in its month."""
        try:
            return date(year, self.month, self.day)
        except ValueError:
            return date(year, self.month, 28)


class Yearly(NamedTuple):
    """The anniversaries of a day, moved by days, at a minute of the day."""

    day: Day
    offset_days: int
    at_minute: int

    def after(self, local: int) -> int | None:
        """As in `Occasions`."""
        year = local_times.clock(local).year
        return next((at for at in map(self._in, range(year - 1, year + 4)) if at > local), None)

    def until(self, local: int) -> int | None:
        """As in `Occasions`."""
        year = local_times.clock(local).year
        return next((at for at in map(self._in, range(year + 1, year - 4, -1)) if at <= local), None)

    def _in(self, year: int) -> int:
        return _minute_of(self.day.of(year), self.offset_days, self.at_minute)


def day_of(value: Any, zone: str) -> Day | None:
    """The day that a trait's value names in a zone; None where it names none."""
    if isinstance(value, str):
        text = value.strip()
        if found := _YEARLESS.fullmatch(text):
            return _checked(0, int(found[1]), int(found[2]))
        if found := _DAY.fullmatch(text):
            return _checked(*map(int, found.groups()))
    try:
        instant = _instant(value)
    except (InvalidInput, ValueError, OverflowError):
        return None
    if instant is None:
        return None
    if instant.tzinfo is not None and instant.astimezone(UTC).time() != datetime.min.time():
        instant = instant.astimezone(zones.zone(zone))
    elif instant.tzinfo is not None:
        instant = instant.astimezone(UTC)
    return _checked(instant.year, instant.month, instant.day)


def named_by(profile: Profile, trait: str, zone: str) -> Day | None:
    """The day that a trait of a customer names, by its dotted path; None without."""
    name, *below = trait.split(".")
    known = profile.traits.get(name)
    if known is None:
        return None
    if not below:
        return day_of(known.value, zone)
    return next((day for value in values_at(known.value, tuple(below)) if (day := day_of(value, zone))), None)


def occasions_of(day: Day, around: DateOf) -> Occasions | None:
    """When the time around a day comes; None where the day lacks the year that it needs."""
    if around.yearly:
        return Yearly(day, around.offset_days, around.at_minute)
    if not day.year:
        return None
    return Once(_minute_of(day.of(day.year), around.offset_days, around.at_minute))


def _instant(value: Any) -> datetime | None:
    if isinstance(value, str) and not times.is_number(value.strip()):  # before 1970 too, unlike the times of events
        return times.of_text(value.strip())
    at_ms = times.read_ms(value, "")
    return None if at_ms is None else datetime.fromtimestamp(at_ms // 1000, UTC)


def _checked(year: int, month: int, day: int) -> Day | None:
    try:
        date(year or _ANY_LEAP_YEAR, month, day)
    except ValueError:
        return None
    return Day(year, month, day) if not year or year in _YEARS else None


def _minute_of(day: date, offset_days: int, at_minute: int) -> int:
    there = datetime.combine(day, datetime.min.time()) + timedelta(days=offset_days, minutes=at_minute)
    return local_times.minutes(there)
