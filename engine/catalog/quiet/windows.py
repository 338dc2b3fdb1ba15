"""When it is quiet somewhere, and when it is no more.

It is quiet at an instant when the clock on the wall there shows a time in the hours. So an hour that summer time skips
is short by as much, and one that comes twice is quiet twice. Nothing here looks at a customer.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from engine.catalog import zones
from engine.catalog.quiet import public_holidays
from engine.catalog.quiet.compiled import Hours, Place
from engine.vocabulary import DAY_MS, MINUTE_MS

HORIZON_MS: Final = 31 * DAY_MS
DAY_MINUTES: Final = 1_440

Asked = tuple[tuple[Hours, Place], ...]

_ONE_DAY: Final = timedelta(days=1)


def free_from_ms(asked: Iterable[tuple[Hours, Place]], at_ms: int) -> int:
    """The first instant, not before `at_ms`, at which it is quiet at none of the places; 0 where there is none within
    `HORIZON_MS`. It is `at_ms` itself where it is quiet nowhere then."""
    found = _free_from(tuple(asked), at_ms // MINUTE_MS)
    return max(found * MINUTE_MS, at_ms) if found else 0


def is_quiet(hours: Hours, place: Place, at_ms: int) -> bool:
    """Whether it is quiet there at that instant."""
    return _ends(hours, place, _clock(at_ms // MINUTE_MS, place.zone)) is not None


@lru_cache(maxsize=16_384)
def _free_from(asked: Asked, minute: int) -> int:
    """The same in minutes. All zones of today differ from UTC by whole minutes."""
    last, now = minute + HORIZON_MS // MINUTE_MS, minute
    while now <= last:
        over = max((_quiet_until(hours, place, now) for hours, place in asked), default=0)
        if not over:
            return now
        now = over
    return 0


def _quiet_until(hours: Hours, place: Place, now: int) -> int:
    """The minute at which the quiet that there is now ends; 0 where there is none."""
    ends = _ends(hours, place, _clock(now, place.zone))
    return 0 if ends is None else _first_at(ends, place.zone, now)


def _ends(hours: Hours, place: Place, there: datetime) -> datetime | None:
    """When by the clock on the wall the quiet of that moment is over; None where it is not quiet."""
    today, minute = there.date(), there.hour * 60 + there.minute
    found = []
    if _begins_on(hours, today) and hours.start <= minute and (minute < hours.end or hours.end < hours.start):
        found.append(_at(today, hours.end) if hours.start < hours.end else _at(today + _ONE_DAY, hours.end))
    if hours.end < hours.start and minute < hours.end and _begins_on(hours, today - _ONE_DAY):
        found.append(_at(today, hours.end))
    if _is_holiday(hours, place, today):
        found.append(_at(today + _ONE_DAY, 0))
    return max(found, default=None)


def _begins_on(hours: Hours, day: date) -> bool:
    return hours.start != hours.end and (not hours.days or day.weekday() in hours.days)


def _is_holiday(hours: Hours, place: Place, day: date) -> bool:
    if any(public_holidays.is_holiday(calendar, day) for calendar in hours.calendars):
        return True
    return hours.of_country and any(public_holidays.is_holiday(country, day) for country in place.countries)


def _at(day: date, minute: int) -> datetime:
    return datetime.combine(day, time()) + timedelta(minutes=minute)


def _clock(minute: int, zone: str) -> datetime:
    """What the clock on the wall shows."""
    return datetime.fromtimestamp(minute * 60, zones.zone(zone)).replace(tzinfo=None, fold=0)


def _first_at(there: datetime, zone: str, now: int) -> int:
    """The first minute after `now` at which the clock on the wall has come to `there`, from an earlier time."""
    both = (there.replace(fold=fold, tzinfo=zones.zone(zone)).timestamp() for fold in (0, 1))
    known = sorted(int(each) // 60 for each in both)
    for minute in known:
        if minute > now and _clock(minute, zone) == there:
            return minute
    return _first_past(there, zone, now, max(known[-1], now + 1))


def _first_past(there: datetime, zone: str, before: int, after: int) -> int:
    """The minute at which the clock jumps over `there`, which summer time skips."""
    while after - before > 1:
        between = (before + after) // 2
        if _clock(between, zone) < there:
            before = between
        else:
            after = between
    return after
