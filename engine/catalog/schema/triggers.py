"""What starts a journey: an event, a segment, a schedule, a date of the customer's, a fact about a thing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Discriminator, Field, PlainValidator, Tag, field_validator, model_validator

from engine.catalog import zones
from engine.catalog.schema.grammar import EventName, Id, Model, Path, SegmentRef, Span, Where
from engine.values.nearest import nearest

_DAYS: Final = r"^[+-]?[0-9]{1,4}d$"
_TIME: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
_INSTANT: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]$"
_DAYS_MAX: Final = 3_660
_ANY_DAY: Final = datetime(2026, 1, 1)
OF_CUSTOMER: Final = "customer"
OF_WORKSPACE: Final = "workspace"


def _cron(value: str) -> str:
    """A schedule of five fields, which comes round at some time."""
    if len(value.split()) != 5:
        raise ValueError('a cron has five fields, minute hour day month weekday: "0 9 * * MON" is Mondays at nine')
    try:
        next(CronSim(value, _ANY_DAY))
    except CronSimError as fault:
        field = str(fault).removeprefix("Bad ").replace("-", " ")
        raise ValueError(f"is no cron: the field for the {field} cannot be read, or never comes") from None
    except StopIteration:
        raise ValueError("is a cron that never comes round") from None
    return value


def _zone(value: str) -> str:
    if value in (OF_CUSTOMER, OF_WORKSPACE) or value in zones.names():
        return value
    near = next((name for name in sorted(zones.names()) if name.endswith(f"/{value}")), None)
    near = near or nearest(value, zones.names())
    meant = f", did you mean {near!r}?" if near else ""
    raise ValueError(f"no zone called {value!r}{meant}; customer and workspace are known too")


def days(value: Any) -> int:
    """A number of calendar days, perhaps backwards: `-14d` is -14."""
    if not isinstance(value, str) or not re.fullmatch(_DAYS, value):
        raise ValueError("a number of days: -14d is two weeks before, 3d is three days after")
    count = int(value[:-1])
    if abs(count) > _DAYS_MAX:
        raise ValueError("is at most ten years")
    return count


def minute_of_day(value: Any) -> int:
    """A time of day as minutes since midnight."""
    if not isinstance(value, str) or not re.fullmatch(_TIME, value):
        raise ValueError('a time of day is written "09:00"')
    return 60 * int(value[:2]) + int(value[3:])


def _once(value: Any) -> datetime:
    try:
        if not isinstance(value, str) or not re.fullmatch(_INSTANT, value):
            raise ValueError
        once = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError('a local time is written "2026-12-01 09:00", without a zone: that stands under zone') from None
    if not 1970 <= once.year < 2200:
        raise ValueError("lies between 1970 and 2199")
    return once


Cron = Annotated[str, AfterValidator(_cron)]
ZoneName = Annotated[str, AfterValidator(_zone)]
Days = Annotated[int, PlainValidator(days, json_schema_input_type=Annotated[str, Field(pattern=_DAYS)])]
TimeOfDay = Annotated[int, PlainValidator(minute_of_day, json_schema_input_type=Annotated[str, Field(pattern=_TIME)])]
LocalTime = Annotated[datetime, PlainValidator(_once, json_schema_input_type=Annotated[str, Field(pattern=_INSTANT)])]


class Edge(Model):
    """Entering or leaving a segment. `backfill`: who is inside when the journey goes live enters too, spread over
    `spread`."""

    id: SegmentRef
    on: Literal["enter", "exit"] = "enter"
    backfill: bool = False
    spread: Span | None = None

    @model_validator(mode="after")
    def _spreads_a_backfill(self) -> Edge:
        if self.backfill and self.on == "exit":
            raise ValueError("backfill is for on: enter: nobody leaves a segment because a journey goes live")
        if self.spread is not None and not self.backfill:
            raise ValueError("spread is for backfill: true: people enter a segment one by one, and wait for nobody")
        return self


class Schedule(Model):
    """Exactly one of `cron` (again and again) and `once`, both local times of `zone`. Who is in `segment` then enters,
    spread over `spread`."""

    cron: Cron | None = None
    once: LocalTime | None = None
    zone: ZoneName = OF_CUSTOMER
    spread: Span | None = None
    segment: SegmentRef | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Schedule:
        if (self.cron is None) == (self.once is None):
            raise ValueError("exactly one of cron and once")
        return self


class DateOf(Model):
    """The day that a trait names, `offset` days before or after it, at a local time. `yearly`: its anniversaries (a
    birthday); one of 29 February is on 28 February in other years."""

    trait: Path
    offset: Days = 0
    at: TimeOfDay = 9 * 60
    yearly: bool = False
    zone: ZoneName = OF_CUSTOMER
    spread: Span | None = None
    segment: SegmentRef | None = None

    @model_validator(mode="after")
    def _stays_in_its_year(self) -> DateOf:
        if self.yearly and abs(timedelta(days=self.offset)) >= timedelta(days=365):
            raise ValueError("a yearly date has an offset of less than a year")
        return self


class Interested(Model):
    """Who a fact about a thing concerns: those who did `event` within `within`. `id` is where that event names the
    thing; absent: `<kind>_id`."""

    event: EventName
    within: Span
    id: Path | None = None
    where: Where | None = None


class Thing(Model):
    """A fact about a thing: its price dropped, it is back in stock, its departure has changed. `where` tests the
    fact's properties."""

    kind: Id
    event: EventName
    where: Where | None = None
    interested: Interested

    @field_validator("where", mode="after")
    @classmethod
    def _of_the_fact(cls, where: Where | None) -> Where | None:
        if where and (taken := sorted({"thing.kind", "thing.event"} & where.keys())):
            raise ValueError(f"tests {taken[0]}, which stands beside it as {taken[0].partition('.')[2]}")
        return where


class EventTrigger(Model):
    """An event of the customer's."""

    event: EventName
    where: Where | None = None


class SegmentTrigger(Model):
    """The customer enters or leaves a segment."""

    segment: Edge


class ScheduleTrigger(Model):
    """A time for everybody."""

    schedule: Schedule


class DateTrigger(Model):
    """A time around a date of the customer's own."""

    date: DateOf


class ThingTrigger(Model):
    """A fact about a thing that the customer has looked at."""

    thing: Thing


_WORDS: Final = ("event", "segment", "schedule", "date", "thing")


def _kind_of_trigger(value: Any) -> str | None:
    """The tag of a mapping, or of the model that it became; without any of the words it is an event without a name."""
    named: Mapping[str, Any] = type(value).model_fields if isinstance(value, Model) else value
    words = [word for word in _WORDS if word in named] if isinstance(named, Mapping) else []
    return f"<{words[0] if words else 'event'}>" if len(words) < 2 else None


Trigger = Annotated[
    Annotated[EventTrigger, Tag("<event>")]
    | Annotated[SegmentTrigger, Tag("<segment>")]
    | Annotated[ScheduleTrigger, Tag("<schedule>")]
    | Annotated[DateTrigger, Tag("<date>")]
    | Annotated[ThingTrigger, Tag("<thing>")],
    Discriminator(
        _kind_of_trigger,
        custom_error_type="trigger",
        custom_error_message=f"a trigger is exactly one of {', '.join(_WORDS)}",
    ),
]
