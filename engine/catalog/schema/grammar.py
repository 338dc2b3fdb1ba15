"""The words, values and conditions that the files of `configs/` are made of (`engine.catalog.schema.files` has the
files).

A reference is checked where it stands, against the names that the validation context holds by kind. A condition dumped
by alias, without what was not written, is the tree of `engine.conditions.predicates`. Tags of unions are spelled
`<word>`, so that they can be told from keys in an error's location.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationInfo,
    model_validator,
)

from engine.catalog.schema.operands import Bound, Members, Scalar, no_inner_name, own_name, path_of_names
from engine.values.nearest import nearest
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS, OutcomeWord

_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
_DURATION: Final = r"^([0-9]{1,9})(s|m|h|d)$"
_UNIT_MS: Final = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION_MS_MAX: Final = 3_660 * DAY_MS


class Model(BaseModel):
    """Nothing unknown, nothing converted: a number in quotes is a text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# Words and values


def _identifier(value: str) -> str:
    if not re.fullmatch(_ID, value) or len(value) > 100:
        raise ValueError("an id is made of letters, digits, _ and -, at most 100 of them")
    return value


def milliseconds(value: Any) -> int:
    match = re.fullmatch(_DURATION, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is a number and a unit: 30s, 30m, 2h or 7d")
    duration_ms = int(match[1]) * _UNIT_MS[match[2]]
    if duration_ms > _DURATION_MS_MAX:
        raise ValueError("a duration is at most ten years")
    return duration_ms


def _not_zero(duration_ms: int) -> int:
    if duration_ms == 0:
        raise ValueError("a duration of zero means nothing here")
    return duration_ms


def _date(value: Any) -> date:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("a date is written 2026-03-01") from None
    if not 1970 <= day.year < 2200:
        raise ValueError("a date lies between 1970 and 2199")
    return day


def listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Some = Field(min_length=1)
Id = Annotated[str, AfterValidator(_identifier), Field(json_schema_extra={"pattern": _ID})]
EventName = Annotated[str, Field(min_length=1), AfterValidator(own_name), AfterValidator(no_inner_name)]
Path = Annotated[str, AfterValidator(path_of_names), AfterValidator(own_name)]
DurationText = Annotated[str, Field(pattern=_DURATION)]
Duration = Annotated[int, PlainValidator(milliseconds, json_schema_input_type=DurationText)]
Span = Annotated[Duration, AfterValidator(_not_zero)]
LocalDate = Annotated[date, PlainValidator(_date, json_schema_input_type=date)]
Probability = Annotated[float, Field(ge=0, le=1)]
EventNames = Annotated[list[EventName], BeforeValidator(listed, json_schema_input_type=EventName | list[EventName])]


_ALIKE: Final = 0.6  # lower than for other words: ids are long, and an unknown one is surely a slip


def _known(kind: str) -> AfterValidator:
    """The check that a name of `kind` exists; without names of that kind in the context everything does."""

    def known(value: str, info: ValidationInfo) -> str:
        names: Collection[str] | None = (info.context or {}).get(kind)
        if names is not None and value not in names:
            near = nearest(value, names, _ALIKE)
            raise ValueError(f"no {kind} called {value!r}" + (f", did you mean {near!r}?" if near else " is known"))
        return value

    return AfterValidator(known)


ActionRef = Annotated[str, _known("action")]
ChannelRef = Annotated[str, _known("channel")]
ModelRef = Annotated[str, _known("model")]
NamespaceRef = Annotated[str, _known("namespace")]
PlacementRef = Annotated[str, _known("placement")]
PurposeRef = Annotated[str, _known("purpose")]
SegmentRef = Annotated[str, _known("segment")]
SuppressionRef = Annotated[str, _known("suppression")]


# Conditions: the one grammar


class Operators(Model):
    """Tests on one value; several hold together."""

    is_: Scalar = Field(default=None, alias="is")
    not_: Scalar = Field(default=None, alias="not")
    in_: Members = Field(default=[], alias="in")
    not_in: Members = []
    at_least: Bound = None
    at_most: Bound = None
    more_than: Bound = None
    less_than: Bound = None
    exists: bool = True
    some: Annotated[dict[Path, Test], Some] = {}


class Tests(Operators):
    """At least one test on a value found by its path."""

    @model_validator(mode="after")
    def _says_something(self) -> Tests:
        if not self.model_fields_set:
            raise ValueError("should not be empty")
        return self


class Named(Operators):
    """A trait or a context value by its path; without a test it need only exist."""

    name: Path


def _kind_of_test(value: Any) -> str:
    return "<tests>" if isinstance(value, dict | Operators) else "<list>" if isinstance(value, list) else "<scalar>"


Test = Annotated[
    Annotated[Scalar, Tag("<scalar>")] | Annotated[Members, Tag("<list>")] | Annotated[Tests, Tag("<tests>")],
    Discriminator(_kind_of_test),
]
Where = dict[Path, Test]


class Count(Model):
    """How often; without it at least once."""

    at_least: Annotated[int, Field(ge=1)] = 1
    at_most: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _is_possible(self) -> Count:
        if not self.model_fields_set:
            raise ValueError("should say at_least, at_most or both")
        if "at_least" in self.model_fields_set and self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("at_most is less than at_least")
        return self


class Undoing(Model):
    """An event that takes back what happened before it (a refund takes back the purchases)."""

    name: EventName
    where: Where | None = None


class Happened(Model):
    """Events of a name in the customer's history, in the window that ends now."""

    name: EventName
    count: Count | None = None
    within: Span | None = None
    where: Where | None = None
    undone_by: Undoing | None = None


class ConsentState(Model):
    purpose: PurposeRef
    channel: ChannelRef
    granted: bool = True


class All(Model):
    all: Annotated[list[Condition], Some]


class Any_(Model):
    any: Annotated[list[Condition], Some]


class Not(Model):
    not_: Condition = Field(alias="not")


class OfTrait(Model):
    trait: Named


class OfContext(Model):
    context: Named


class OfEvent(Model):
    event: Happened


class Outcome(Model):
    """What became of a message: the newest of each kind, of the last 30 days. A `step` is one of `journey`."""

    name: Annotated[
        list[OutcomeWord], BeforeValidator(listed, json_schema_input_type=OutcomeWord | list[OutcomeWord]), Some
    ]
    journey: str | None = None
    step: str | None = None
    action: ActionRef | None = None
    channel: ChannelRef | None = None
    within: Span | None = None

    @model_validator(mode="after")
    def _names_the_journey_of_its_step(self) -> Outcome:
        if self.step is not None and self.journey is None:
            raise ValueError("step is a step of a journey: name the journey too")
        return self


class OfOutcome(Model):
    outcome: Outcome


class OfSegment(Model):
    segment: SegmentRef


class OfConsent(Model):
    consent: ConsentState


class OfSuppression(Model):
    suppression: SuppressionRef


_BESIDE: Final = ("id", "at_most")  # what a step may have beside its one word


def _one_word(value: Any) -> str | None:
    """The tag of a mapping with one word, or of the model that it became."""
    words: Mapping[str, Any] = type(value).model_fields if isinstance(value, Model) else value
    named = [str(word).rstrip("_") for word in words if word not in _BESIDE] if isinstance(words, Mapping) else []
    return f"<{named[0]}>" if len(named) == 1 else None


def one_of(what: str, words: str) -> Discriminator:
    return Discriminator(_one_word, custom_error_type=what, custom_error_message=f"a {what} is exactly one of {words}")


Condition = Annotated[
    Annotated[All, Tag("<all>")]
    | Annotated[Any_, Tag("<any>")]
    | Annotated[Not, Tag("<not>")]
    | Annotated[OfTrait, Tag("<trait>")]
    | Annotated[OfContext, Tag("<context>")]
    | Annotated[OfEvent, Tag("<event>")]
    | Annotated[OfSegment, Tag("<segment>")]
    | Annotated[OfConsent, Tag("<consent>")]
    | Annotated[OfSuppression, Tag("<suppression>")]
    | Annotated[OfOutcome, Tag("<outcome>")],
    one_of("condition", "all, any, not, trait, context, event, segment, consent, suppression, outcome"),
]


def tree_of(model: BaseModel | None) -> dict[str, Any] | None:
    """A condition as the plain tree of `engine.conditions.predicates`; None stays None."""
    return None if model is None else model.model_dump(by_alias=True, exclude_unset=True)
