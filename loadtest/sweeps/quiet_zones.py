"""A sweep of `make prove`: quiet hours are broken in no zone at no time of a year.

In each of the 598 zones the engine is asked all through a year, and for several hours, from when on it is quiet no
more. The answer must be free by the clock on the wall there, and no minute before it may be: both are read off the zone
itself. Two zones at once are asked about too, as for somebody who may be in either.
"""

from __future__ import annotations

import multiprocessing
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from engine.catalog import zones
from engine.catalog.quiet.compiled import Hours, Place
from engine.catalog.quiet.windows import free_from_ms
from engine.vocabulary import MINUTE_MS
from loadtest.chaos.outcome import Figure, Outcome

DAYS: Final = 365
_STEP: Final = 97  # minutes between questions, so that every minute of an hour comes up
_QUARTER: Final = (
    15  # minutes: clocks are set at whole quarters of an hour, and the hours asked about begin and end at some
)
_MORE_DAYS: Final = 3  # in which the last answers lie
_PROCESSES: Final = 2
_FAULTS_MAX: Final = 20
_BEGIN: Final = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) // 60
_ASKED: Final = (
    Hours(21 * 60, 8 * 60),
    Hours(20 * 60 + 30, 2 * 60 + 30),
    Hours(0, 24 * 60, frozenset({6})),
    Hours(1 * 60 + 15, 24 * 60),
)
_BESIDE: Final = "America/New_York"

Shown = list[tuple[int, int]]  # (weekday, minute of the day) that a clock shows, for each quarter of an hour


def sweep(size: int, folder: Path) -> Outcome:
    """Ask about so many days in every zone."""
    began_s, names = time.monotonic(), sorted(zones.names())
    with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
        faults = [fault for found in pool.imap(partial(faults_of, days=size), names, chunksize=8) for fault in found]
    questions = len(names) * (len(_ASKED) + 1) * (size * 1_440 // _STEP)
    took_s = round(time.monotonic() - began_s)
    figures = [Figure("zones", len(names)), Figure("questions", questions), Figure("took", took_s, "s")]
    return Outcome(figures, faults[:_FAULTS_MAX])


def faults_of(name: str, *, days: int) -> list[str]:
    """What is wrong in one zone."""
    own, beside = _shown(name, days), _shown(_BESIDE, days)
    found = [fault for hours in _ASKED for fault in _faults(hours, {name: own}, days)]
    return found + _faults(_ASKED[0], {name: own, _BESIDE: beside}, days)


def _faults(hours: Hours, shown: dict[str, Shown], days: int) -> list[str]:
    quiet = [any(_is_quiet(hours, *clock) for clock in clocks) for clocks in zip(*shown.values(), strict=True)]
    next_free, asked, found = _next_free(quiet), [(hours, Place(name)) for name in shown], []
    for minute in range(0, days * 1_440, _STEP):
        told = free_from_ms(asked, (_BEGIN + minute) * MINUTE_MS) // MINUTE_MS - _BEGIN
        quarter = minute // _QUARTER
        first = next_free[quarter] * _QUARTER if quiet[quarter] else minute
        # Hours that begin within an hour that comes twice have begun: what is before their beginning the second time
        # may be passed over. Nothing is ever sent too early.
        if quiet[told // _QUARTER] or (told != first and not _begins_twice(hours, first, quiet)):
            found.append(f"{' and '.join(shown)}: {hours} at {_written(minute)} until {_written(told)}")
    return found


def _begins_twice(hours: Hours, first: int, quiet: list[bool]) -> bool:
    """Whether a free time is so short, between two quiet ones, that only a clock that was set back can have made it."""
    after = quiet[first // _QUARTER : first // _QUARTER + 60 // _QUARTER]
    return hours.start % 60 != 0 and any(after)


def _shown(name: str, days: int) -> Shown:
    info, end = zones.zone(name), (days + _MORE_DAYS) * 1_440
    clocks = (datetime.fromtimestamp((_BEGIN + minute) * 60, info) for minute in range(0, end, _QUARTER))
    return [(clock.weekday(), clock.hour * 60 + clock.minute) for clock in clocks]


def _is_quiet(hours: Hours, weekday: int, minute: int) -> bool:
    begins = not hours.days or weekday in hours.days
    began = not hours.days or (weekday - 1) % 7 in hours.days
    if hours.start < hours.end:
        return begins and hours.start <= minute < hours.end
    return (begins and minute >= hours.start) or (began and minute < hours.end)


def _next_free(quiet: list[bool]) -> list[int]:
    free, found = len(quiet), [0] * len(quiet)
    for at in range(len(quiet) - 1, -1, -1):
        free = free if quiet[at] else at
        found[at] = free
    return found


def _written(minute: int) -> str:
    return datetime.fromtimestamp((_BEGIN + minute) * 60, UTC).isoformat(timespec="minutes")
