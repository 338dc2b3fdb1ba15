"""When the times of a schedule, or of a customer's date, come round; which one is due; and which comes next.

A customer meets each local time once. The one that was looked at last is remembered as a local time, so whoever moves
west does not meet Monday at nine a second time, and whoever moves east past it meets it at once. Of several that were
missed the newest is due.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, Protocol

from cronsim import CronSim

from engine.catalog.triggers import Schedule
from engine.occasions import local_times


class Occasions(Protocol):
    """Local times (minutes) in their order."""

    def after(self, local: int) -> int | None:
        """The first one later than `local`; None: there is none."""
        ...

    def until(self, local: int) -> int | None:
        """The last one that is not later than `local`; None: there is none."""
        ...


class Found(NamedTuple):
    """The newest occasion that has come since the last, as a local time (None: none has), and the next instant to look
    at (None: never)."""

    due: int | None
    next_ms: int | None


def find(occasions: Occasions, last: int, now_ms: int, zone: str, later_ms: int) -> Found:
    """What has come since the local time `last`. Each occasion comes `later_ms` after its time."""
    following = occasions.after(last)
    if following is None:
        return Found(None, None)
    next_ms = local_times.instant_ms(following, zone) + later_ms
    if next_ms > now_ms:  # nearly always
        return Found(None, next_ms)

    def moment_ms(local: int) -> int:
        return local_times.instant_ms(local, zone) + later_ms

    due, leap = following, occasions.until(local_times.local_of(now_ms - later_ms, zone))
    while leap is not None and leap > due and moment_ms(leap) > now_ms:  # summer time skips it: it comes in a moment
        leap = occasions.until(leap - 1)
    due = due if leap is None else max(due, leap)
    while (following := occasions.after(due)) is not None and moment_ms(following) <= now_ms:
        due = following
    return Found(due, None if following is None else moment_ms(following))


class Cron(NamedTuple):
    """The local times of a cron."""

    cron: str

    def after(self, local: int) -> int | None:
        """As in `Occasions`."""
        return _after(self.cron, local)

    def until(self, local: int) -> int | None:
        """As in `Occasions`."""
        return _until(self.cron, local)


class Once(NamedTuple):
    """A single local time."""

    at: int

    @classmethod
    def of(cls, there: datetime) -> Once:
        """The local time that a clock shows."""
        return cls(local_times.minutes(there))

    def after(self, local: int) -> int | None:
        """As in `Occasions`."""
        return self.at if self.at > local else None

    def until(self, local: int) -> int | None:
        """As in `Occasions`."""
        return self.at if self.at <= local else None


def of_schedule(begins: Schedule) -> Occasions:
    """The times of a schedule."""
    return Cron(begins.cron) if begins.once is None else Once.of(begins.once)


# Nearly everybody asks from the same occasion on, so the cache finds nearly every question again.
@lru_cache(maxsize=8_192)
def _after(cron: str, local: int) -> int | None:
    return _first(CronSim(cron, local_times.clock(local)))


@lru_cache(maxsize=8_192)
def _until(cron: str, local: int) -> int | None:
    return _first(CronSim(cron, local_times.clock(local + 1), reverse=True))


def _first(times: CronSim) -> int | None:
    there = next(times, None)
    return None if there is None else local_times.minutes(there)
