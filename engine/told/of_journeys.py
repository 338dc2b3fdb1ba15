"""What a customer is told so that journeys can begin without an event of theirs."""

# ruff: noqa: RUF012  msgspec copies a default that can change
from __future__ import annotations

from typing import Any

from engine.told.base import Input


class Reconsider(Input, frozen=True, kw_only=True, omit_defaults=True, tag="reconsider"):
    """Look anew at what journeys watch, because the catalog has changed: segments, schedules, dates, edits. A shard
    tells it all its profiles, some at a time."""


class Fact(Input, frozen=True, kw_only=True, omit_defaults=True, tag="fact"):
    """Something happened to a thing that this customer has looked at: its price dropped, say. `fact` is the id by which
    it is never told twice; `properties` are those of the fact."""

    kind: str
    id: str
    event: str
    fact: str
    at_ms: int
    properties: dict[str, Any] = {}
