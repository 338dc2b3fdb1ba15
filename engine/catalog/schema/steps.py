"""The steps of a journey. Some of them hold lists of steps themselves."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
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
    SegmentRef,
    Some,
    Span,
    Where,
    listed,
    one_of,
)
from engine.catalog.schema.of_steps.doing import Update, Webhook
from engine.catalog.schema.of_steps.sending import Send
from engine.catalog.schema.of_steps.waiting import Late, ResetBound, Wait
from engine.vocabulary import OutcomeWord

GOTO_MAX: Final = 10  # how often a run takes a jump that says no number
SPLIT_ARMS_MAX: Final = 20
PARALLEL_ARMS_MAX: Final = 8

StepId = Annotated[Id, Field(pattern="^[A-Za-z]")]


class AnyStep(Model):
    """What every step may carry: a name for reports and the timeline, else its path in the file."""

    id: StepId | None = None

    @property
    def name(self) -> str | None:
        """The name that a step was given; None where its path names it."""
        return self.id


class SendStep(AnyStep):
    send: Send


class WaitStep(AnyStep):
    wait: Wait


_Outcomes = Annotated[
    list[OutcomeWord], BeforeValidator(listed, json_schema_input_type=OutcomeWord | list[OutcomeWord]), Some
]


class Inside(Model):
    """Belonging to a segment (`enter`), or not belonging to it any more (`exit`)."""

    id: SegmentRef
    on: Literal["enter", "exit"] = "enter"


def _inside(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class Goto(Model):
    """A jump to a named step. A run takes it `at_most` so often; after that it goes on behind the jump."""

    goto: StepId
    at_most: Annotated[int, Field(ge=1, le=1_000)] = GOTO_MAX


class Steps(Model):
    steps: Annotated[list[Step], Some]


def _kind_of_ending(value: Any) -> str:
    if isinstance(value, dict):
        return "<goto>" if "goto" in value else "<steps>"
    return "<goto>" if isinstance(value, Goto) else "<steps>" if isinstance(value, Steps) else "<word>"


Ending = Annotated[
    Annotated[Literal["continue", "exit"], Tag("<word>")]
    | Annotated[Goto, Tag("<goto>")]
    | Annotated[Steps, Tag("<steps>")],
    Discriminator(_kind_of_ending),
]


class WaitFor(Model):
    """Waits for one of: an `event`, belonging to a `segment`, the `outcome` of a message. `of` names the step that sent
    the message, else it is the last one of the run. `reset_on` starts the time-out anew."""

    event: EventName | None = None
    where: Where | None = None
    segment: Annotated[Inside, BeforeValidator(_inside, json_schema_input_type=str | Inside)] | None = None
    outcome: _Outcomes | None = None
    of: StepId | None = None
    timeout: Span
    reset_on: EventNames = []
    reset_until: ResetBound = None
    on_event: Ending = "continue"
    on_timeout: Ending = "continue"
    late: Late = "fire"

    @field_validator("where")
    @classmethod
    def _is_of_an_event(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("event", "") is None:
            raise ValueError("asks about the properties of an event, and none is named")
        return value

    @field_validator("of")
    @classmethod
    def _is_of_an_outcome(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("outcome", "") is None:
            raise ValueError("names the step whose outcome is awaited, and no outcome is")
        return value

    @model_validator(mode="after")
    def _is_one(self) -> WaitFor:
        if sum(each is not None for each in (self.event, self.segment, self.outcome)) != 1:
            raise ValueError("waits for exactly one of event, segment and outcome")
        return self


class WaitForStep(AnyStep):
    wait_for: WaitFor


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


def _several(arms: dict[str, Any]) -> dict[str, Any]:
    if len(arms) < 2:
        raise ValueError("should have at least two arms")
    return arms


class Split(Model):
    """Draws one of `arms` by their weights, once for each customer. An arm without `steps` goes on behind the split."""

    id: StepId
    arms: Annotated[
        dict[Id, Annotated[float, Field(gt=0, le=1e6)]],
        AfterValidator(_several),
        Field(max_length=SPLIT_ARMS_MAX),
    ]
    steps: dict[Id, list[Step]] = {}

    @field_validator("steps")
    @classmethod
    def _are_of_arms(cls, steps: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        arms = info.data.get("arms", steps)
        for name in steps:
            if name not in arms:
                raise ValueError(f"{name!r} is none of the arms: {', '.join(arms)}")
        return steps


class SplitStep(AnyStep):
    split: Split

    @property
    def name(self) -> str | None:
        """Its split has a name, which is its own where it has none."""
        return self.id or self.split.id


class Parallel(Model):
    """Goes all `arms` at once; behind it when `all` of them have come to their end, or `any` of them."""

    id: StepId | None = None
    arms: Annotated[
        dict[Id, Annotated[list[Step], Some]],
        AfterValidator(_several),
        Field(max_length=PARALLEL_ARMS_MAX),
    ]
    join: Literal["all", "any"] = "all"


class ParallelStep(AnyStep):
    parallel: Parallel

    @property
    def name(self) -> str | None:
        """Its own name, or the one beside its arms."""
        return self.id or self.parallel.id


class UpdateStep(AnyStep):
    update: Update


class WebhookStep(AnyStep):
    webhook: Webhook


class GotoStep(AnyStep, Goto):
    pass


class Exit(Model):
    reason: str = ""


class ExitStep(AnyStep):
    exit: Annotated[Exit, BeforeValidator(lambda value: {} if value is None else value)]


Step = Annotated[
    Annotated[
        Annotated[SendStep, Tag("<send>")]
        | Annotated[WaitStep, Tag("<wait>")]
        | Annotated[WaitForStep, Tag("<wait_for>")]
        | Annotated[BranchStep, Tag("<branch>")]
        | Annotated[SplitStep, Tag("<split>")]
        | Annotated[ParallelStep, Tag("<parallel>")]
        | Annotated[UpdateStep, Tag("<update>")]
        | Annotated[WebhookStep, Tag("<webhook>")]
        | Annotated[GotoStep, Tag("<goto>")]
        | Annotated[ExitStep, Tag("<exit>")],
        one_of("step", "send, wait, wait_for, branch, split, parallel, update, webhook, goto, exit"),
    ],
    BeforeValidator(lambda value: {"exit": None} if value == "exit" else value),
]
