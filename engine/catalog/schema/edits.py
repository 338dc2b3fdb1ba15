"""What becomes of the customers inside a journey when its steps change."""

# ruff: noqa: RUF012  pydantic copies a default that can change
from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from engine.catalog.schema.grammar import Model

Rest = Literal["follow", "finish", "stop"]
RESTS: Final[tuple[Rest, ...]] = ("follow", "finish", "stop")
MAP_MAX: Final = 200
StepName = Annotated[str, Field(min_length=1, max_length=100)]


class EditRule(Model):
    """`map`: who stands at the step on the left goes on at the step on the right, which the new version has. `rest` is
    about everybody else inside: they follow (go on in the new version at their step), finish the version that they are
    in, or stop."""

    rest: Rest = "finish"
    map: Annotated[dict[StepName, StepName], Field(max_length=MAP_MAX)] = {}


class Edit(EditRule):
    """An edit that somebody may still have to make. Edits of a journey are numbered. `version` is a catalog that has
    the journey as this edit made it; empty while that is the active one."""

    number: Annotated[int, Field(ge=1)]
    version: str = ""


def _rule(value: Any) -> Any:
    return {"rest": value} if isinstance(value, str) else value


OnEdit = Annotated[EditRule, BeforeValidator(_rule, json_schema_input_type=Rest | EditRule)]
