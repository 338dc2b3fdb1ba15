"""Quiet hours as they are compiled: which messages wait, when by the clock on a customer's wall, and where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hours:
    """Local times at which it is quiet: from minute `start` of a day that is one of `days` (0 is Monday; empty: any) to
    minute `end`, of the next day where that is not later; and whole public holidays.

    `of_country`: the public holidays of the customer's own country; `calendars` are named ones (`DE`, `DE-BY`). Where
    `start` equals `end` there are only holidays.
    """

    start: int
    end: int
    days: frozenset[int] = frozenset()
    of_country: bool = False
    calendars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QuietRule:
    """No message that matches leaves in these hours, in `countries` (ISO 3166; empty: everywhere). One that comes up
    then waits until they are over, or with `drops` never goes."""

    id: str
    match: Mapping[str, frozenset[str]]
    countries: frozenset[str]
    hours: Hours
    drops: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a customer may be: a zone, and the countries whose rules may bind us there (empty: any)."""

    zone: str
    countries: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class QuietHours:
    """All rules; and `anywhere`: where somebody may be of whom nothing is known."""

    rules: tuple[QuietRule, ...] = ()
    anywhere: tuple[Place, ...] = ()


NONE = QuietHours()
