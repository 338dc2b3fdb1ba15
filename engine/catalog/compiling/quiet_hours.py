"""Compiles quiet hours from their checked models."""

from __future__ import annotations

from engine.catalog import zones
from engine.catalog.quiet.compiled import NONE, Hours, Place, QuietHours, QuietRule
from engine.catalog.schema.of_policies import quiet_hours as schema
from engine.catalog.schema.of_steps.waiting import WEEKDAYS
from engine.catalog.schema.policies import Policies, Workspace

_WHOLE_DAY = (0, 1_440)
_NEVER = (0, 0)
_TIERS = frozenset(("lifecycle", "promotional"))  # what a customer has asked for, or has to know, does not wait


def compile_quiet_hours(policies: Policies) -> QuietHours:
    """The rules of a workspace, and where its customers may be of whom nothing is known."""
    told = policies.quiet_hours
    if not told.rules:
        return NONE
    return QuietHours(tuple(map(_rule, told.rules)), _anywhere(told, policies.workspace))


def _rule(rule: schema.QuietRule) -> QuietRule:
    match = {key: frozenset(values) for key, values in rule.match.model_dump(exclude_none=True).items()}
    return QuietRule(
        id=rule.id,
        match={"tier": _TIERS} | match,
        countries=frozenset(rule.in_ or ()),
        hours=_hours(rule),
        drops=rule.then == "drop",
    )


def _hours(rule: schema.QuietRule) -> Hours:
    start, end = rule.hours or (_WHOLE_DAY if rule.days else _NEVER)
    days = frozenset(WEEKDAYS.index(day) for day in rule.days or ())
    calendars = tuple(rule.holidays) if isinstance(rule.holidays, list) else ()
    return Hours(start, end, days, rule.holidays is True, calendars)


def _anywhere(told: schema.QuietHours, space: Workspace) -> tuple[Place, ...]:
    own = zones.country_of(space.zone)
    countries = set(told.if_unknown or filter(None, (space.country, own)))
    found = {Place(zone, frozenset((code,))) for code in countries for zone in zones.of_country(code)}
    if told.if_unknown is None and not any(place.zone == space.zone for place in found):
        found.add(Place(space.zone, frozenset((own,)) if own else frozenset()))
    return tuple(sorted(found, key=lambda place: (place.zone, sorted(place.countries))))
