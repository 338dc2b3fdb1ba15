"""The shape of `quiet_hours` in `policies.yaml`: when nothing is sent, by the clock where the customer is."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, model_validator

from engine.catalog import zones
from engine.catalog.quiet import public_holidays
from engine.catalog.schema.grammar import Id, Model, Some, listed
from engine.catalog.schema.of_policies.match import Match
from engine.catalog.schema.of_steps.waiting import Weekdays
from engine.values.nearest import nearest

_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_HOURS = rf"^{_TIME}-(?:{_TIME}|24:00)$"


def _hours(value: Any) -> tuple[int, int]:
    if not isinstance(value, str) or not re.fullmatch(_HOURS, value):
        raise ValueError('hours are written "21:00-08:00": until eight the next morning')
    start, end = (60 * int(time[:2]) + int(time[3:]) for time in value.split("-"))
    if start == end:
        raise ValueError('last no time at all: a whole day is "00:00-24:00"')
    return start, end


def _country(code: str) -> str:
    if not zones.of_country(code):
        raise ValueError("is no country by ISO 3166, two capital letters (DE), of which time zones are known")
    return code


def _calendar(name: str) -> str:
    if name not in public_holidays.calendars():
        near = nearest(name, public_holidays.calendars())
        meant = f", did you mean {near!r}?" if near else ""
        raise ValueError(f"no public holidays are known of {name!r}, as of DE or DE-BY{meant}")
    return name


def _holidays(value: Any) -> bool | list[str]:
    if isinstance(value, bool):
        return value
    names = listed(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("should be true, false or the names of calendars: DE, DE-BY")
    return [_calendar(name) for name in names]


_Hours = Annotated[
    tuple[int, int], PlainValidator(_hours, json_schema_input_type=Annotated[str, Field(pattern=_HOURS)])
]
_Country = Annotated[str, AfterValidator(_country)]
_Countries = Annotated[list[_Country], BeforeValidator(listed, json_schema_input_type=_Country | list[_Country]), Some]
_Holidays = Annotated[bool | list[str], PlainValidator(_holidays, json_schema_input_type=bool | str | list[str])]


class QuietRule(Model):
    """Messages of journeys that match do not leave in these `hours`, which may run over midnight. `days`: the days on
    which they begin; without `hours` the whole days. `holidays`: whole public holidays too, of the customer's own
    country or of named calendars. `in`: the countries whose customers the rule is about. `then`: a message that comes
    up meanwhile waits for the end, or is dropped. Without `match.tier` it is about every tier but service."""

    id: Id
    hours: _Hours | None = None
    days: Weekdays | None = None
    holidays: _Holidays = False
    in_: _Countries | None = Field(default=None, alias="in")
    match: Match = Match()
    then: Literal["hold", "drop"] = "hold"

    @model_validator(mode="after")
    def _names_a_time(self) -> QuietRule:
        if self.hours is None and self.days is None and not self.holidays:
            raise ValueError("should say hours, days or holidays")
        return self

    @model_validator(mode="after")
    def _knows_its_holidays(self) -> QuietRule:
        unknown = sorted({*(self.in_ or [])} - public_holidays.calendars()) if self.holidays is True else []
        if unknown:
            raise ValueError(f"no public holidays are known of {', '.join(unknown)}: take holidays: true away")
        return self


class QuietHours(Model):
    """`if_unknown`: the countries in which somebody may be of whom neither a zone nor a telephone nor an address is
    known. A message for them leaves when it is quiet nowhere there. Where it is absent, the workspace's own counts."""

    rules: list[QuietRule] = []
    if_unknown: _Countries | None = None
