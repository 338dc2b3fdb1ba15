"""Facts about things, from plain data to what the shards are told. A fault names the field as the wire does."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine import seeds
from engine.errors import InvalidInput
from engine.inputs import Fact
from engine.journeys.run_keys import KEY_CHARS_MAX, spelled
from engine.values.identifiers import is_clean
from engine.values.nearest import nearest
from engine.values.times import read_ms
from serve.http.hostile_json import object_of, text_of
from serve.ingest.wire_event import NAME_CHARS_MAX, message_id_of

PROPERTIES_BYTES_MAX: Final = 8 * 1024  # each run that a fact starts keeps them
FACTS_MAX: Final = 1_000  # in one batch
_TAKEN: Final = "thing"
_FIELDS: Final = ("kind", "id", "event", "properties", "timestamp", "messageId")
_digestible: Final = msgspec.json.Encoder(order="deterministic").encode


def read_fact(said: Any, source: str, heard_ms: int, id_key: bytes) -> Fact:
    """The fact that somebody states. Without a `messageId`, its content and its `timestamp` are its id; without these
    too, it is a new one each time. Raises InvalidInput."""
    if not isinstance(said, Mapping):
        raise InvalidInput("must be an object")
    for name in said:
        if name not in _FIELDS and name != "type":
            near = nearest(name, _FIELDS)
            raise InvalidInput("is no field of a fact" + (f"; did you mean {near}?" if near else ""), name[:100])
    at_ms = read_ms(said.get("timestamp"), "timestamp")
    return Fact(
        kind=_name(said, "kind"),
        id=_id(said.get("id")),
        event=_name(said, "event"),
        fact=_fact_id(said, source, at_ms, id_key),
        at_ms=heard_ms if at_ms is None else at_ms,
        properties=_properties(said.get("properties")),
    )


def _name(said: Mapping[str, Any], field: str) -> str:
    name = text_of(said.get(field), field)
    if not name:
        raise InvalidInput("is missing", field)
    if len(name) > NAME_CHARS_MAX:
        raise InvalidInput(f"is longer than {NAME_CHARS_MAX} characters", field)
    if not is_clean(name):
        raise InvalidInput("holds a control character", field)
    return name


def _id(value: Any) -> str:
    if isinstance(value, bool) or not (value is None or isinstance(value, str | int | float)):
        raise InvalidInput("must be a text or a number", "id")
    thing = spelled(value)
    if not thing:
        raise InvalidInput("is missing", "id")
    if not isinstance(value, str) or len(value.strip()) <= KEY_CHARS_MAX:
        return thing
    raise InvalidInput(f"is longer than {KEY_CHARS_MAX} characters", "id")


def _properties(value: Any) -> dict[str, Any]:
    properties = object_of(value, "properties")
    if _TAKEN in properties:
        raise InvalidInput(
            "is taken: texts and conditions read kind, id and event of the thing there", "properties.thing"
        )
    if (size := len(msgspec.json.encode(properties))) > PROPERTIES_BYTES_MAX:
        raise InvalidInput(f"have {size} bytes, a fact may have {PROPERTIES_BYTES_MAX}", "properties")
    return properties


def _fact_id(said: Mapping[str, Any], source: str, at_ms: int | None, id_key: bytes) -> str:
    name = message_id_of(said.get("messageId"))
    if name:
        return seeds.keyed(id_key, "fact", source, "id", name)
    if at_ms is None:
        return secrets.token_hex(12)
    content = {field: said.get(field) for field in _FIELDS}
    return seeds.keyed(id_key, "fact", source, "content", _digestible(content).decode())
