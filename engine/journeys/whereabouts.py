"""Where somebody stands with each journey, for people who ask: inside, or why not. Changes nothing."""

from __future__ import annotations

from typing import Any

from engine.catalog import statuses
from engine.catalog.compiled import Catalog, Journey
from engine.explain.deciding_part import failing_test
from engine.journeys import refusals
from engine.journeys.watching import outlook
from engine.profile import Profile

NOT_ITS_TRIGGER = "journey.where"


def of(known: Profile, catalog: Catalog, journey: Journey, now_ms: int) -> dict[str, Any]:
    """`{"journeyId", "status", "inside", "reason", "condition"?, "at_ms"?}`. For somebody inside, `at_ms` is when they
    entered last. Else `reason` and `at_ms` are of the last run's end or the last refused trigger, whichever came
    later; without either, they say what the trigger waits for."""
    told: dict[str, Any] = {"journeyId": journey.id, "status": journey.status}
    runs = [run for run in known.runs if run.journey == journey.id]
    inside = [run.entered_ms for run in runs if run.state == "active"]
    if inside:
        return told | {"inside": True, "reason": "", "at_ms": max(inside)}
    return told | {"inside": False} | _outside(known, catalog, journey, now_ms)


def _outside(known: Profile, catalog: Catalog, journey: Journey, now_ms: int) -> dict[str, Any]:
    refusal = refusals.last(known, journey.id)
    ends = [(run.ended_ms, run.ended_by) for run in known.runs if run.journey == journey.id]
    if ends and (refusal is None or refusal.at_ms < max(ends)[0]):
        ended_ms, ended_by = max(ends)
        return {"reason": ended_by, "at_ms": ended_ms}
    if refusal is not None:
        behind = {"condition": refusal.condition} if refusal.condition else {}
        return {"reason": refusal.reason, "at_ms": refusal.at_ms, **behind}
    if journey.begins is not None and journey.status == "live":
        return outlook.of(known, catalog, journey, now_ms)
    return _not_triggered(known, journey)


def _not_triggered(known: Profile, journey: Journey) -> dict[str, Any]:
    """Why nothing triggered the journey, by the newest event of the trigger's name: an older one may have come before
    there was such a journey."""
    for event in known.history.named(journey.trigger.event)[:1]:
        part = failing_test(journey.trigger.tests, event.properties, ("trigger", "where"))
        if part is not None:
            return {"reason": NOT_ITS_TRIGGER, "at_ms": event.at_ms, "condition": part.plain}
    return {"reason": statuses.OF_JOURNEY.get(journey.status, outlook.NO_TRIGGER)}
