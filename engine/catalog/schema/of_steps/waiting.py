"""How long a step waits: for a duration, or until a moment of the customer's calendar."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.catalog.schema.grammar import EventNames, Model, Path, Some, Span, listed
from engine.catalog.schema.triggers import Days, TimeOfDay

WEEKDAYS: Final = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
Weekdays = Annotated[list[Weekday], BeforeValidator(listed, json_schema_input_type=Weekday | list[Weekday]), Some]


class DropIfLate(Model):
    drop_if_late: Span


# The rule for a timer that could not fire because the engine was down.
Late = Literal["fire", "coalesce"] | DropIfLate


class Until(Model):
    """A moment in the customer's own zone. `trait` (a date) and `offset` give the earliest day, else it is today; then
    comes the first such `weekday` and `time` that is not before it. `on_missing` says what becomes of a customer
    without that date, `on_past` of one whose moment was over before the wait began."""

    time: TimeOfDay | None = None
    weekday: Weekdays | None = None
    trait: Path | None = None
    offset: Days | None = None
    on_missing: Literal["exit", "continue"] | None = None
    on_past: Literal["continue", "exit"] | None = None

    @field_validator("offset", "on_missing", "on_past")
    @classmethod
    def _is_about_a_date(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and "trait" in info.data and info.data["trait"] is None:
            raise ValueError("is about the date of a trait, and none is named")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Until:
        if self.time is None and self.weekday is None and self.trait is None:
            raise ValueError("should say time, weekday or trait")
        return self


def _has_bound(until: int | None, info: ValidationInfo) -> int | None:
    if until is None:
        return None
    if not info.data.get("reset_on", [""]):
        raise ValueError("bounds nothing: no event of reset_on starts this wait anew")
    if until < (info.data.get("for_") or info.data.get("timeout") or 0):
        raise ValueError("should be at least as long as the wait itself, its `for`")
    return until


ResetBound = Annotated[Span | None, AfterValidator(_has_bound)]


class Wait(Model):
    """`for` a duration, which events may start anew (`reset_on`, bounded by `reset_until` from its first start), or
    `until` a moment."""

    for_: Span | None = Field(default=None, alias="for")
    until: Until | None = None
    reset_on: EventNames = []
    reset_until: ResetBound = None
    late: Late = "fire"

    @field_validator("reset_on")
    @classmethod
    def _resets_a_duration(cls, events: list[str], info: ValidationInfo) -> list[str]:
        if events and info.data.get("until") is not None:
            raise ValueError("starts nothing anew: a moment of the calendar stays where it is")
        return events

    @model_validator(mode="after")
    def _is_one(self) -> Wait:
        if (self.for_ is None) == (self.until is None):
            raise ValueError("a wait has either for or until")
        return self
