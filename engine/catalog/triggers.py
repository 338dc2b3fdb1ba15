"""What starts runs, stops them, and what runs wait for, as they are compiled.

All of it comes as an event, of the customer's or an inner one (`engine.catalog.inner_events`). What has to be watched
so that an inner event can come stands beside the trigger, as its `Beginning`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.catalog import inner_events
from engine.conditions.binding import bind_event, names_event
from engine.conditions.readable import Condition
from engine.conditions.value_tests import Where, build_where


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event by name, with tests on its properties: as they are asked (by
    `engine.conditions.value_tests.build_where`), and as plain data, by path. Tests that name what started a run are
    asked for a run alone; `may_pass` asks the others."""

    event: str
    where: Where
    tests: Mapping[str, Any] | None
    is_of_run: bool
    may_pass: Where

    @classmethod
    def of(cls, event: str, tests: Mapping[str, Any] | None) -> Trigger:
        """An event by name, with checked tests."""
        known = {path: test for path, test in (tests or {}).items() if not names_event(test)}
        return cls(event, build_where(tests), tests, names_event(tests), build_where(known))

    @classmethod
    def on_any(cls, event: str) -> Trigger:
        """Any event of a name."""
        return cls.of(event, None)

    def passes(self, properties: Mapping[str, Any], trigger: Mapping[str, Any]) -> bool:
        """Whether an event of this name passes, for a run that an event with `trigger` started."""
        if not self.is_of_run:
            return self.where(properties)
        tests = bind_event(self.tests, trigger)
        return tests is not None and build_where(tests)(properties)


@dataclass(frozen=True, slots=True)
class Edge:
    """Entering or leaving a segment (`on`). `backfill`: who is inside when the journey goes live enters too, each at a
    moment of its own within `spread_ms`."""

    segment: str
    on: inner_events.Edge
    backfill: bool
    spread_ms: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The times of `cron`, or the time `once`, in `zone` (`customer`, `workspace` or the name of one). Who is in
    `segment` (empty: everybody) enters, each at a moment of its own within `spread_ms`."""

    cron: str
    once: datetime | None
    zone: str
    spread_ms: int
    segment: str


@dataclass(frozen=True, slots=True)
class DateOf:
    """The day that a trait names, or its anniversaries (`yearly`), moved by `offset_days`, at `at_minute` of the day in
    `zone`. `spread_ms` and `segment` as in `Schedule`."""

    trait: str
    offset_days: int
    at_minute: int
    yearly: bool
    zone: str
    spread_ms: int
    segment: str


@dataclass(frozen=True, slots=True)
class ThingFact:
    """A fact `event` about a thing of `kind`. It concerns those who did `interest` within `within_ms`; that event names
    the thing at the path `id_path`."""

    kind: str
    event: str
    interest: Trigger
    within_ms: int
    id_path: str


Beginning = Edge | Schedule | DateOf | ThingFact


@dataclass(frozen=True, slots=True)
class LastingStop:
    """Ends runs of `tier` (None: any) for as long as it holds: a condition on a trait, the time from `at_ms` on, or the
    time from `after_ms` after the run was entered on. Its reason is `stop.<id>`."""

    id: str
    tier: str | None
    holds: Condition | None = None
    at_ms: int = 0
    after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a journey is measured by: an event that follows a run's trigger within so much time, by its own time."""

    on: Trigger
    within_ms: int


@dataclass(frozen=True, slots=True)
class StopRule:
    """Ends runs of `tier` (None: any) when its event happens. Its reason is `stop.<id>`."""

    id: str
    on: Trigger
    tier: str | None
