"""Refusals of unknown and missing fields of a body or a query, with the name that was probably meant."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from pydantic import BaseModel

from engine.errors import InvalidInput
from engine.values.nearest import meant, nearest
from serve.http.hostile_json import MISSING, UNREADABLE

# DOTALL, because a client may put any character into a name, a line break too.
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_NO_SUCH_VALUE: Final = re.compile(r"Invalid enum value '(.*)'", re.DOTALL)
_NAME_CHARS_MAX: Final = 100
_read: Final = msgspec.json.Decoder().decode


def unknown_field(name: str, fields: Iterable[str]) -> InvalidInput:
    """The refusal of a field that does not exist."""
    return InvalidInput(f"is no field of this; {meant(name, fields)}", name[:_NAME_CHARS_MAX])


def refusal(fault: Exception, struct: type[msgspec.Struct]) -> InvalidInput:
    """The refusal of a body that could not be read as `struct`, with the path of the field at fault."""
    message, _, path = str(fault).partition(" - at `$.")
    field = path.rstrip("`") or "body"
    if (found := _UNKNOWN.match(message)) is not None:
        return unknown_field(found[1], (known.encode_name for known in msgspec.structs.fields(struct)))
    if not path and (found := MISSING.fullmatch(message)) is not None:
        return InvalidInput("is missing", found[1])
    if (found := _NO_SUCH_VALUE.match(message)) is not None:
        values = next((known.type for known in msgspec.structs.fields(struct) if known.encode_name == field), None)
        return InvalidInput(f"is none of its values; {meant(found[1], typing.get_args(values))}", field)
    return InvalidInput(message, field)


def of_model(errors: Iterable[dict[str, Any]], model: type[BaseModel] | None) -> InvalidInput:
    """The refusal of a body for pydantic's errors. An unknown field is named before a missing one, because it is
    probably a misspelling of that one."""
    found = sorted(errors, key=lambda error: error["type"] != "extra_forbidden")
    field = ".".join(str(part) for part in found[0]["loc"][1:]) or "body"
    if found[0]["type"] == "extra_forbidden" and model is not None and len(found[0]["loc"]) == 2:
        return unknown_field(field, model.model_fields)
    return InvalidInput(found[0]["msg"], field)


def instead_of(field: str, raw: bytes | msgspec.Raw, known: Iterable[str]) -> str:
    """A hint to add to "`field` is missing": the name in the body `raw` that was probably meant for it."""
    try:
        names = _read(raw)
    except UNREADABLE:
        return ""
    fields = list(known)
    for name in names if isinstance(names, dict) else ():
        if name not in fields and nearest(name, fields) == field:
            return f"; did you mean {field}, where {name[:_NAME_CHARS_MAX]} stands?"
    return ""


def list_instead_of(field: str, raw: bytes) -> str:
    """The same hint for a `field` that holds a list: any other field with a list may stand in its place."""
    try:
        read = _read(raw)
    except UNREADABLE:
        return ""
    found = read.items() if isinstance(read, dict) else ()
    name = next((name for name, value in found if isinstance(value, list)), None)
    return "" if name is None else f"; did you mean {field}, where {name[:_NAME_CHARS_MAX]} stands?"
