"""When a wait `until` a moment of the calendar is over, in the customer's own zone.

The moment is worked out from the customer as they are now: who moves to another zone, or whose date changes, has the
new one (`moved`).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final

from engine.catalog.programs.instructions import Step, Until
from engine.occasions import dates, local_times
from engine.occasions.dates import Day
from engine.profile import Run
from engine.turn_state import Turn

NO_DATE: Final = "wait.no_date"
PAST: Final = "wait.past"
_DAYS: Final = 9  # a weekday comes within seven, and today's time may be over


def of(turn: Turn, run: Run, until: Until, since_ms: int) -> tuple[int, str]:
    """(when it is, why it is not as it was meant); the reason is empty, NO_DATE or PAST. A run that has gone back by a
    jump waits for the next such moment, not for the one that it is at."""
    zone = local_times.zone_of(turn.profile, turn.catalog, "customer")
    day = dates.named_by(turn.profile, until.trait, zone) if until.trait else None
    if until.trait and day is None:
        return since_ms, NO_DATE
    return moment(until, zone, day, since_ms, is_next=bool(run.jumps))


def moved(turn: Turn, run: Run, step: Step) -> int:
    """When the wait that a run is at is over by what is known now; its own time where nothing has changed."""
    due_ms = run.was_due_ms or run.due_ms
    if step.until is None or not run.began_ms:
        return due_ms
    found_ms, reason = of(turn, run, step.until, run.began_ms)
    return due_ms if reason == NO_DATE else found_ms


@lru_cache(maxsize=8_192)
def moment(until: Until, zone: str, day: Day | None, since_ms: int, *, is_next: bool) -> tuple[int, str]:
    """The same for a zone and the day of a trait, seen from an instant; `is_next`: the moment after that instant."""
    today = local_times.clock(local_times.local_of(since_ms, zone)).date()
    first = today if day is None else _first_day(day, until.offset_days, today)
    reason = PAST if day is not None and _meant_ms(until, zone, first) < since_ms else ""
    for day_after in range(_DAYS):
        there = max(first, today) + timedelta(days=day_after)
        if until.weekdays and there.weekday() not in until.weekdays:
            continue
        at_ms = _instant_ms(there, until.minute or 0, zone)
        if until.minute is None and there == today and not is_next:
            at_ms = since_ms  # the day has begun
        if at_ms > since_ms or (at_ms == since_ms and not is_next):
            return at_ms, reason
    raise AssertionError("every weekday comes within nine days")


def _first_day(day: Day, offset_days: int, today: date) -> date:
    """The day of a trait, moved; of a day without its year the next one."""
    offset = timedelta(days=offset_days)
    if day.year:
        return day.of(day.year) + offset
    years = range(today.year - 11, today.year + 13)  # an offset is ten years at most
    return next(moved for year in years if (moved := day.of(year) + offset) >= today)


def _meant_ms(until: Until, zone: str, first: date) -> int:
    """The moment that a date means, whether or not it is over; without a time, the day's last."""
    there = first
    while until.weekdays and there.weekday() not in until.weekdays:
        there += timedelta(days=1)
    if until.minute is None:
        return _instant_ms(there + timedelta(days=1), 0, zone) - 1
    return _instant_ms(there, until.minute, zone)


def _instant_ms(there: date, minute: int, zone: str) -> int:
    return local_times.instant_ms(local_times.minutes(datetime.combine(there, time())) + minute, zone)
