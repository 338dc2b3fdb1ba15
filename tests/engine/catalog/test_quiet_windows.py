"""When it is quiet somewhere: the clock on the wall there decides, at both edges of summer time too."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from engine.catalog import zones
from engine.catalog.document import canonical, version_of
from engine.catalog.quiet import public_holidays
from engine.catalog.quiet.compiled import Hours, Place
from engine.catalog.quiet.windows import HORIZON_MS, free_from_ms, is_quiet
from engine.vocabulary import DAY_MS, MINUTE_MS

NIGHT = Hours(21 * 60, 8 * 60)
BERLIN = Place("Europe/Berlin", frozenset({"DE"}))


def at(written: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    return int(datetime.fromisoformat(written).replace(tzinfo=zones.zone(zone), fold=fold).timestamp() * 1000)


def there(at_ms: int, zone: str = "Europe/Berlin") -> str:
    return datetime.fromtimestamp(at_ms / 1000, zones.zone(zone)).replace(tzinfo=None).isoformat(" ")


@pytest.mark.parametrize(
    ("hours", "now", "free"),
    [
        (NIGHT, "2026-03-02 20:59:59", "2026-03-02 20:59:59"),
        (NIGHT, "2026-03-02 21:00:00", "2026-03-03 08:00:00"),
        (NIGHT, "2026-03-03 00:00:00", "2026-03-03 08:00:00"),
        (NIGHT, "2026-03-03 07:59:59", "2026-03-03 08:00:00"),
        (NIGHT, "2026-03-03 08:00:00", "2026-03-03 08:00:00"),
        (Hours(12 * 60, 14 * 60), "2026-03-03 13:00:00", "2026-03-03 14:00:00"),
        (Hours(20 * 60, 24 * 60), "2026-03-03 23:59:59", "2026-03-04 00:00:00"),
        (Hours(20 * 60, 0), "2026-03-03 23:59:59", "2026-03-04 00:00:00"),
        # Fridays at 21:00 until Saturday at 8:00, and on no other night.
        (Hours(21 * 60, 8 * 60, frozenset({4})), "2026-03-06 22:00:00", "2026-03-07 08:00:00"),
        (Hours(21 * 60, 8 * 60, frozenset({4})), "2026-03-07 22:00:00", "2026-03-07 22:00:00"),
        (Hours(21 * 60, 8 * 60, frozenset({4})), "2026-03-06 07:00:00", "2026-03-06 07:00:00"),
        # Whole Sundays.
        (Hours(0, 24 * 60, frozenset({6})), "2026-03-08 10:00:00", "2026-03-09 00:00:00"),
    ],
)
def test_hours_of_a_day(hours: Hours, now: str, free: str):
    assert there(free_from_ms([(hours, BERLIN)], at(now))) == free


def test_an_hour_that_summer_time_skips_ends_when_the_clock_jumps():
    """On 29 March 2026 the clock goes from 2:00 to 3:00: hours until 2:30 are over at 3:00, which is half an hour
    earlier than half past two would have been."""
    hours = Hours(22 * 60, 2 * 60 + 30)
    free = free_from_ms([(hours, BERLIN)], at("2026-03-29 01:59"))
    assert (there(free), free - at("2026-03-29 01:59")) == ("2026-03-29 03:00:00", MINUTE_MS)


def test_a_night_of_summer_time_is_an_hour_shorter_and_one_of_winter_time_longer():
    shorter = free_from_ms([(NIGHT, BERLIN)], at("2026-03-28 21:00")) - at("2026-03-28 21:00")
    longer = free_from_ms([(NIGHT, BERLIN)], at("2026-10-24 21:00")) - at("2026-10-24 21:00")
    assert (shorter, longer) == (10 * 60 * MINUTE_MS, 12 * 60 * MINUTE_MS)


def test_an_hour_that_comes_twice_is_quiet_twice():
    """On 25 October 2026 the clock goes back from 3:00 to 2:00. Hours until 2:30 end at the first 2:30, and from the
    second 2:00 on it is quiet again."""
    hours = Hours(22 * 60, 2 * 60 + 30)
    first, second = at("2026-10-25 02:30"), at("2026-10-25 02:30", fold=1)
    assert free_from_ms([(hours, BERLIN)], at("2026-10-25 01:00")) == first
    assert is_quiet(hours, BERLIN, first + 30 * MINUTE_MS)
    assert free_from_ms([(hours, BERLIN)], first + 30 * MINUTE_MS) == second


def test_midnight_that_summer_time_skips():
    """In Beirut 0:00 of 29 March 2026 does not exist: the clock goes from 23:59 to 1:00."""
    place = Place("Asia/Beirut")
    free = free_from_ms([(Hours(20 * 60, 24 * 60), place)], at("2026-03-28 21:00", "Asia/Beirut"))
    assert there(free, "Asia/Beirut") == "2026-03-29 01:00:00"


def test_it_has_to_be_quiet_at_no_place():
    """New York and Honolulu are five hours apart in winter: only 13:00 to 21:00 in New York is free in both."""
    asked = [(NIGHT, Place("America/New_York")), (NIGHT, Place("Pacific/Honolulu"))]
    now = at("2026-01-05 09:00", "America/New_York")
    assert there(free_from_ms(asked, now), "America/New_York") == "2026-01-05 13:00:00"
    late = at("2026-01-05 21:00", "America/New_York")
    assert there(free_from_ms(asked, late), "America/New_York") == "2026-01-06 13:00:00"


def test_where_it_is_always_quiet_somewhere_there_is_no_time():
    asked = [(NIGHT, Place(name)) for name in ("Asia/Tokyo", "Europe/Berlin", "America/Los_Angeles")]
    assert free_from_ms(asked, at("2026-01-05 09:00")) == 0


def test_a_public_holiday_is_quiet_as_a_whole_and_joins_the_nights_around_it():
    """Easter Monday of 2026 is 6 April; the night before and the one after belong to the hours."""
    hours = Hours(21 * 60, 8 * 60, of_country=True)
    assert there(free_from_ms([(hours, BERLIN)], at("2026-04-05 22:00"))) == "2026-04-07 08:00:00"
    only = Hours(0, 0, of_country=True)
    assert there(free_from_ms([(only, BERLIN)], at("2026-04-06 12:00"))) == "2026-04-07 00:00:00"
    assert there(free_from_ms([(only, Place("Europe/Berlin"))], at("2026-04-06 12:00"))) == "2026-04-06 12:00:00"


def test_holidays_of_a_named_calendar_count_for_everybody():
    """Corpus Christi, 4 June 2026, is one in Bavaria and not in Berlin."""
    assert public_holidays.is_holiday("DE-BY", date(2026, 6, 4))
    assert not public_holidays.is_holiday("DE", date(2026, 6, 4))
    hours = Hours(0, 0, calendars=("DE-BY",))
    paris = Place("Europe/Paris", frozenset({"FR"}))
    assert there(free_from_ms([(hours, paris)], at("2026-06-04 09:00", "Europe/Paris"))) == "2026-06-05 00:00:00"


def test_whole_weeks_of_quiet_have_no_end_within_the_horizon():
    assert free_from_ms([(Hours(0, 24 * 60), BERLIN)], at("2026-03-03 09:00")) == 0


# -- in every zone, over a year

SAMPLED = (
    Hours(21 * 60, 8 * 60),
    Hours(0, 2 * 60 + 30),
    Hours(1 * 60 + 15, 24 * 60),
    Hours(22 * 60, 5, frozenset({5})),
)


def edges(zone: str, year: int) -> list[int]:
    """The instants of a year, to the minute, at which a zone's clock is set; and the first minute of each month."""
    info = zones.zone(zone)
    start = datetime(year, 1, 1, tzinfo=UTC)
    found = [int(datetime(year, month, 1, tzinfo=UTC).timestamp()) // 60 for month in range(1, 13)]
    for day in range(365):
        before, after = start + timedelta(days=day), start + timedelta(days=day + 1)
        if before.astimezone(info).utcoffset() != after.astimezone(info).utcoffset():
            low, high = int(before.timestamp()) // 60, int(after.timestamp()) // 60
            first = before.astimezone(info).utcoffset()
            while high - low > 1:
                middle = (low + high) // 2
                same = datetime.fromtimestamp(middle * 60, info).utcoffset() == first
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
    return found


def shows_quiet(hours: Hours, zone: str, minute: int) -> bool:
    """Read off the clock on the wall, without anything of ours."""
    clock = datetime.fromtimestamp(minute * 60, zones.zone(zone))
    shown, yesterday = clock.hour * 60 + clock.minute, (clock.weekday() - 1) % 7
    begins, began = (not hours.days or each in hours.days for each in (clock.weekday(), yesterday))
    if hours.start < hours.end:
        return begins and hours.start <= shown < hours.end
    return (begins and shown >= hours.start) or (began and shown < hours.end)


def test_no_zone_is_ever_woken_at_the_edges_of_its_year():
    """Around every change of a clock, and some days of each month: the instant that is named is free, by the clock on
    the wall, and no earlier minute is."""
    assert len(zones.names()) == 598
    for number, zone in enumerate(sorted(zones.names())):
        place, hours = Place(zone), SAMPLED[number % len(SAMPLED)]
        for edge in edges(zone, 2026 + number % 2):
            for minute in range(edge - 26 * 60, edge + 4 * 60, 193):
                free = free_from_ms([(hours, place)], minute * MINUTE_MS) // MINUTE_MS
                assert not shows_quiet(hours, zone, free), (zone, minute, free)
                assert free == minute or shows_quiet(hours, zone, minute), (zone, minute, free)
                assert free == minute or shows_quiet(hours, zone, free - 1), (zone, minute, free)
                assert free * MINUTE_MS - minute * MINUTE_MS < HORIZON_MS and free - minute < 2 * DAY_MS // MINUTE_MS


def test_other_holidays_make_another_version_of_a_catalog_that_asks_for_them(monkeypatch: pytest.MonkeyPatch):
    asks, asks_not = ({"policies.yaml": {"quiet_hours": {"rules": [rule]}}} for rule in ({"holidays": True}, {}))
    before = [version_of(canonical(each)) for each in (asks, asks_not)]
    monkeypatch.setattr(public_holidays, "VERSION", "another")
    after = [version_of(canonical(each)) for each in (asks, asks_not)]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)
