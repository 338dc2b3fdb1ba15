"""The operands of tests in conditions: texts, numbers, truth values, and facts of an action or of a run's trigger."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator

from engine.catalog import inner_events
from engine.conditions.binding import ACTION_FACT, EVENT_FACT

ACTION_FACTS: Final = ("id", "tier", "purpose", "category", "product", "group", "value")


def own_name(value: str) -> str:
    if value.startswith(EVENT_FACT):
        raise ValueError(f"{value} is a fact to compare with, no name: it may stand in a test")
    return value


def no_inner_name(value: str) -> str:
    if inner_events.is_reserved(value):
        raise ValueError(f"names that begin with {inner_events.PREFIX} are the engine's own, and no client sends them")
    return value


def path_of_names(value: str) -> str:
    if not all(value.split(".")):
        raise ValueError("a path is names with single dots between them")
    return value


def _scalar(value: Any) -> Any:
    if _is_event_fact(value):
        path_of_names(value.removeprefix(EVENT_FACT))
    elif isinstance(value, str) and value.startswith(ACTION_FACT):
        if value.removeprefix(ACTION_FACT) not in ACTION_FACTS:
            raise ValueError(f"{value} is none of the facts of an action: {', '.join(ACTION_FACTS)}")
    elif not isinstance(value, str | bool | int) and not (isinstance(value, float) and abs(value) < float("inf")):
        raise ValueError("should be a text, a number, true or false")
    return value


def _is_event_fact(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(EVENT_FACT)


def _bound(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if _is_event_fact(value):
        return _scalar(value)
    if not is_number and value != "$action.value":
        raise ValueError("should be a number")
    return value


def _of_one_kind(members: list[Any]) -> list[Any]:
    known = [member for member in members if not _is_event_fact(member)]
    kinds = {bool if isinstance(m, bool) else str if isinstance(m, str) else float for m in known}
    if len(kinds) > 1:
        raise ValueError("mixes texts, numbers or truth values")
    return members


_ScalarJson = str | int | float | bool
Scalar = Annotated[Any, PlainValidator(_scalar, json_schema_input_type=_ScalarJson)]
_EventFact = Annotated[str, Field(pattern=r"^\$event\..+$")]
Bound = Annotated[Any, PlainValidator(_bound, json_schema_input_type=float | Literal["$action.value"] | _EventFact)]
Members = Annotated[list[Scalar], Field(min_length=1), AfterValidator(_of_one_kind)]
