"""What becomes of a weekly letter, read off a file of purchases alone: nothing here knows the engine.

Each Monday at six in Berlin whoever has bought within 182 days is to get a letter. It is held where they have bought
within seven days; where two letters went to them within twenty; and while it is quiet where they are, from nine in the
evening to eight and on public holidays of Germany. Only the quiet is waited for, and a purchase meanwhile is looked at.
A letter is handed over ten seconds after its decision; a purchase before that withdraws it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import holidays

WEEKS: Final = 78
CAP: Final = 2
HOURS: Final = "21:00-08:00"
IF_UNKNOWN: Final = ("DE", "GB")
BERLIN: Final = ZoneInfo("Europe/Berlin")
FIRST: Final = datetime(2026, 1, 5, 6, tzinfo=BERLIN)

_GERMAN: Final = holidays.country_holidays("DE", years=(2026, 2027))
_HAND_OVER: Final = timedelta(seconds=10)
_MINUTE: Final = timedelta(minutes=1)


class Row(NamedTuple):
    """One purchase: by whom, in which zone they are (empty: not known), and when, as seconds since 1970."""

    customer: str
    zone: str
    at: int


def told(rows: list[Row]) -> list[tuple[datetime, str]]:
    """When a letter to the customer of these rows was decided (with an empty reason), or held or withdrawn, and why."""
    orders = [datetime.fromtimestamp(row.at, UTC) for row in rows]
    zones = (rows[0].zone,) if rows[0].zone else ("Europe/Berlin", "Europe/London")
    found: list[tuple[datetime, str]] = []
    left: list[datetime] = []
    for week in range(WEEKS + 1):
        monday = (FIRST.replace(tzinfo=None) + timedelta(weeks=week)).replace(tzinfo=BERLIN).astimezone(UTC)
        if any(monday - timedelta(days=182) < each <= monday for each in orders):
            found += _letter(monday, orders, zones, left)
    return found


def _letter(
    now: datetime, orders: list[datetime], zones: tuple[str, ...], left: list[datetime]
) -> list[tuple[datetime, str]]:
    waits: list[tuple[datetime, str]] = []
    until = _free_from(now, zones)
    while True:
        if any(now - timedelta(days=7) < each <= now for each in orders):
            return [*waits, (now, "suppress.just_bought")]
        if sum(now - timedelta(days=20) < each for each in left) >= CAP:
            return [*waits, (now, "cap.two")]
        if now >= until and any(now < each < now + _HAND_OVER for each in orders):
            return [*waits, (now, ""), (now + _HAND_OVER, "suppress.just_bought")]
        if now >= until:
            left.append(now)
            return [*waits, (now, "")]
        waits = waits or [(now, "quiet_hours")]
        now = min([each for each in orders if now < each] + [until])


@cache
def _free_from(now: datetime, zones: tuple[str, ...]) -> datetime:
    """The first minute at which no clock in these zones shows a quiet time."""
    while any(_is_quiet(now.astimezone(ZoneInfo(zone))) for zone in zones):
        now += _MINUTE
    return now


def _is_quiet(clock: datetime) -> bool:
    return clock.hour >= 21 or clock.hour < 8 or clock.date() in _GERMAN
