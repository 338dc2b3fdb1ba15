"""What ends runs: an event, a segment, a trait, a time."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import model_validator

from engine.catalog.schema.grammar import EventName, Id, Model, Named, SegmentRef, Span, Where
from engine.catalog.schema.triggers import LocalTime

_WORDS: Final = ("on", "segment", "trait", "at", "after")


class SegmentEdge(Model):
    """Entering a segment, or leaving it."""

    id: SegmentRef
    on: Literal["enter", "exit"] = "enter"


class JourneyStop(Model):
    """Exactly one of `on` (an event), `segment`, `trait` (as in a condition: for as long as it holds), `at` (from that
    local time of the workspace on) and `after` (so long after the run was entered)."""

    id: Id
    on: EventName | None = None
    where: Where | None = None
    segment: SegmentEdge | None = None
    trait: Named | None = None
    at: LocalTime | None = None
    after: Span | None = None

    @model_validator(mode="after")
    def _is_one(self) -> JourneyStop:
        if sum(getattr(self, word) is not None for word in _WORDS) != 1:
            raise ValueError(f"a stop is exactly one of {', '.join(_WORDS)}")
        if self.where is not None and self.on is None:
            raise ValueError("where tests the properties of an event: it stands beside on")
        return self
