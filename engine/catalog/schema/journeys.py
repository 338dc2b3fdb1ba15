"""The shape of `journeys/*.yaml`: a trigger, rules of entry, and steps."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated

from pydantic import Field

from engine.catalog.schema.edits import EditRule, OnEdit
from engine.catalog.schema.grammar import Condition, Duration, EventName, Id, Model, Path, Some, Where
from engine.catalog.schema.of_steps.sending import Guards
from engine.catalog.schema.steps import Step
from engine.catalog.schema.stops import JourneyStop
from engine.catalog.schema.triggers import Trigger
from engine.vocabulary import DAY_MS, Status, Tier


class ReEntry(Model):
    """Per key: `after` the end of the last run, and no more than `concurrent` runs at once."""

    after: Duration = 0
    concurrent: Annotated[int, Field(ge=1)] = 1


class Outcome(Model):
    """The event that a journey is measured by: a run converts by one that follows its trigger `within` this time."""

    event: EventName
    where: Where | None = None
    within: Duration = 7 * DAY_MS


class Journey(Model):
    """journeys/*.yaml, one journey a file. `key`: one run per value of this property of the triggering event.
    `on_edit`: what becomes of whoever is inside when this file takes the place of another version of it."""

    id: Id
    status: Status = "live"
    tier: Tier
    trigger: Trigger
    when: Condition | None = None
    key: Path | None = None
    re_entry: ReEntry = ReEntry()
    stops: list[JourneyStop] = []
    outcome: Outcome | None = None
    guards: Guards = Guards()
    steps: Annotated[list[Step], Some]
    on_edit: OnEdit = EditRule()
