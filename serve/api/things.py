"""The types of the routes about facts about things."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from serve.api.types import ABSENT, AT, Answer, Body, Time, ToldTime, example

# Described here, read where the elements of a batch are (`serve.ingest.facts`): so both have one set of errors.
_Text = Annotated[Any, WithJsonSchema({"type": ["string", "null"]})]
_Name = Annotated[Any, WithJsonSchema({"type": ["string", "number", "null"]})]
_Object = Annotated[Any, WithJsonSchema({"type": ["object", "null"], "additionalProperties": True})]


def _listed(value: Any) -> Any:
    """A list also where PHP wrote it as an object, because its indexes had a gap."""
    is_list = isinstance(value, dict) and value and all(str(index).isdecimal() for index in value)
    return [*value.values()] if is_list else value


_Facts = Annotated[
    list[Any] | None,
    BeforeValidator(_listed),
    WithJsonSchema({"type": ["array", "object", "null"], "items": {}, "minItems": 1, "additionalProperties": True}),
]


class ThingsBody(Body):
    """A fact about a thing; or up to 1,000 of them under `batch`, each with the same fields. `messageId` makes a
    repetition harmless. Without `timestamp` it happens now."""

    model_config = example(
        kind="product", id="sku-1", event="Price Dropped", properties={"percent": 15}, messageId="drop-2026-03-01-sku-1"
    )

    kind: _Text = None
    id: _Name = None
    event: _Text = None
    properties: _Object = None
    timestamp: ToldTime = None
    messageId: _Name = None
    batch: _Facts = Field(None, min_length=1)


class RejectedFact(Answer):
    """A fact that was not taken, by its position in the batch, and why."""

    index: int
    field: str
    message: str


class FactsAnswer(Answer):
    """What became of facts: `accepted` are new, `repeated` were known already. `wanted` is how many of all of them some
    journey asks for: nobody is told of the others."""

    model_config = example(accepted=1, repeated=0, wanted=1)

    accepted: int
    repeated: int
    wanted: int
    rejected: list[RejectedFact] = ABSENT


class FactRow(Answer):
    """A fact, and how many customers were told of it so far. It `waits` while some are still to be told."""

    fact: str
    kind: str
    id: str
    event: str
    at: Time
    told: int
    waits: bool


class FactsShown(Answer):
    """The newest facts about things, the newest first; they are kept for a day after they were told."""

    model_config = example(
        things=[
            {
                "fact": "0c5e77b1a2f94d3e8b6a1f20",
                "kind": "product",
                "id": "sku-1",
                "event": "Price Dropped",
                "at": AT,
                "told": 1_204,
                "waits": False,
            }
        ]
    )

    things: list[FactRow]
