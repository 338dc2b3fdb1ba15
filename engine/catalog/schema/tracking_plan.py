"""The shape of `tracking_plan.yaml`."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from engine.catalog.schema.grammar import EventName, Model

Mode = Literal["allow", "warn", "quarantine"]


class PlannedEvent(Model):
    """`schema` is a JSON Schema for its properties; `mode` says what becomes of an event that it refuses."""

    mode: Mode = "quarantine"
    schema_: dict[str, Any] = Field(default={}, alias="schema")


class TrackingPlan(Model):
    """tracking_plan.yaml. `unknown`: what becomes of events that the plan does not name."""

    unknown: Mode = "allow"
    events: dict[EventName, PlannedEvent] = {}
