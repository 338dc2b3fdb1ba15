"""The steps of a journey."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from engine.catalog.schema.grammar import (
    Condition,
    EventName,
    EventNames,
    Id,
    Model,
    Some,
    Span,
    Where,
    one_of,
)
from engine.catalog.schema.sending import Send


class DropIfLate(Model):
    drop_if_late: Span


# The rule for a timer that could not fire in time, because the engine was down.
Late = Literal["fire", "coalesce"] | DropIfLate


class Wait(Model):
    """`reset_until` bounds a wait that is reset, from its first start."""

    for_: Span = Field(alias="for")
    reset_on: EventNames = []
    reset_until: Span | None = None
    late: Late = "fire"

    @field_validator("reset_until")
    @classmethod
    def _bounds_something(cls, until: int | None, info: ValidationInfo) -> int | None:
        if until is None:
            return None
        if not info.data.get("reset_on", [""]):
            raise ValueError("bounds nothing: no event of reset_on starts this wait anew")
        if until < info.data.get("for_", 0):
            raise ValueError("should be at least as long as the wait itself, its `for`")
        return until


class WaitFor(Model):
    event: EventName
    where: Where | None = None
    timeout: Span
    on_event: Literal["continue", "exit"] = "continue"
    on_timeout: Literal["continue", "exit"] = "continue"
    late: Late = "fire"


class Exit(Model):
    reason: str = ""


class AnyStep(Model):
    """What every step may carry: a name for reports and the timeline, else its path in the file."""

    id: Annotated[Id, Field(pattern="^[A-Za-z]")] | None = None


class SendStep(AnyStep):
    send: Send


class WaitStep(AnyStep):
    wait: Wait


class WaitForStep(AnyStep):
    wait_for: WaitFor


class ExitStep(AnyStep):
    exit: Annotated[Exit, BeforeValidator(lambda value: {} if value is None else value)]


class Arm(Model):
    """`{when, steps}`, or `{else: true, steps}` as the last one."""

    when: Condition | None = None
    else_: Literal[True] | None = Field(default=None, alias="else")
    steps: Annotated[list[Step], Some]

    @model_validator(mode="after")
    def _is_when_or_else(self) -> Arm:
        if (self.when is None) == (self.else_ is None):
            raise ValueError("an arm of a branch has either when or else: true")
        return self


def _else_is_last(arms: list[Arm]) -> list[Arm]:
    if any(arm.else_ for arm in arms[:-1]):
        raise ValueError("else is the last arm of a branch")
    return arms


class BranchStep(AnyStep):
    branch: Annotated[list[Arm], Some, AfterValidator(_else_is_last)]


Step = Annotated[
    Annotated[SendStep, Tag("<send>")]
    | Annotated[WaitStep, Tag("<wait>")]
    | Annotated[WaitForStep, Tag("<wait_for>")]
    | Annotated[BranchStep, Tag("<branch>")]
    | Annotated[ExitStep, Tag("<exit>")],
    one_of("step", "send, wait, wait_for, branch, exit"),
]
