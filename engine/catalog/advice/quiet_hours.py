"""Doubts about quiet hours: they leave no time at all, or nobody says where an unknown customer may be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from engine.catalog.compiling.quiet_hours import compile_quiet_hours
from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.catalog.problems import Problem
from engine.catalog.quiet.compiled import Place, QuietRule
from engine.catalog.quiet.windows import free_from_ms
from engine.catalog.schema.policies import Policies

_FILE: Final = "policies.yaml"
# Whether hours end at all is seen at any instant; with summer time and without.
_LOOKS_MS: Final = tuple(int(datetime(2026, month, 1, tzinfo=UTC).timestamp() * 1000) for month in (1, 7))


def quiet_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Rules that let nobody of unknown zone have a message, ever; and a workspace that does not say where they are."""
    policies = models.get(_FILE)
    if not isinstance(policies, Policies) or not policies.quiet_hours.rules:
        return
    known = compile_quiet_hours(policies)
    places = known.anywhere
    for i, rule in enumerate(known.rules):
        if not _ends([rule], places[:1]):
            yield Problem(_FILE, ("quiet_hours", "rules", i), "leaves no time: no message that matches ever goes")
            return
    if not any(place.countries for place in places):
        message = (
            f"a customer whose zone is unknown counts as in {places[0].zone}: write if_unknown, or workspace.country"
        )
        yield Problem(_FILE, ("quiet_hours",), message)
    elif not _ends([rule for rule in known.rules if not rule.drops], places):
        message = "leave no time that is free everywhere: a customer whose zone is unknown waits for 30 days in vain"
        yield Problem(_FILE, ("quiet_hours", "if_unknown"), f"these countries {message}")


def _ends(rules: list[QuietRule], places: tuple[Place, ...]) -> bool:
    asked = [
        (rule.hours, place)
        for rule in rules
        for place in places
        if not rule.countries or not place.countries or not rule.countries.isdisjoint(place.countries)
    ]
    return all(free_from_ms(asked, look_ms) for look_ms in _LOOKS_MS)
