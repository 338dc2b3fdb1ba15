"""What starts a journey, and what ends it."""

from __future__ import annotations

from engine.catalog.schema.grammar import EventName, Id, Model, Where


class Trigger(Model):
    event: EventName
    where: Where | None = None


class JourneyStop(Model):
    id: Id
    on: EventName
    where: Where | None = None
