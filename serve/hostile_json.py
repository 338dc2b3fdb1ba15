"""JSON from anybody: what reading it can raise, in our words, and what is readable and still not fit to be kept."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from engine.errors import InvalidInput

LEVELS_MAX: Final = 64

# All that reading it can raise: malformed, a wrong type, bad UTF-8, huge numbers, deep nesting.
UNREADABLE: Final = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)

_MANY_DIGITS: Final = re.compile(rb"\d{19}")  # no shorter integer is beyond 64 bits
_fits: Final = msgspec.msgpack.Encoder().encode


def unreadable(fault: Exception) -> InvalidInput:
    """What the decoder found, in our words: the path of a wrong type becomes the field."""
    if isinstance(fault, msgspec.ValidationError):
        message, _, path = str(fault).partition(" - at `$")
        return InvalidInput(message.replace("Expected", "expected"), path.rstrip("`").removeprefix("."))
    if isinstance(fault, RecursionError):
        return InvalidInput(f"is nested deeper than {LEVELS_MAX} levels")
    return InvalidInput("is not JSON in UTF-8, or holds half of a character (a lone surrogate)")


def check_shape(data: bytes, sent: msgspec.Struct) -> None:
    """Refuse what the journal could not hold, in what `data` was read to: integers beyond 64 bits, and nesting that no
    reader walks safely. Raises InvalidInput."""
    if data.count(b"{") + data.count(b"[") > LEVELS_MAX and _levels(sent) > LEVELS_MAX:
        raise InvalidInput(f"is nested deeper than {LEVELS_MAX} levels")
    if _MANY_DIGITS.search(data):
        try:
            _fits(sent)
        except OverflowError:
            raise InvalidInput("holds an integer beyond 64 bits", _field_of_large_integer(sent)) from None


def _levels(sent: msgspec.Struct) -> int:
    """How deep the deepest value lies, level by level: recursion is what this protects against."""
    depth, level = 0, [getattr(sent, name) for name in sent.__struct_fields__]
    while level and depth <= LEVELS_MAX:
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        depth += 1
    return depth


def _field_of_large_integer(sent: msgspec.Struct) -> str:
    for name, wire_name in zip(sent.__struct_fields__, sent.__struct_encode_fields__, strict=True):
        try:
            _fits(getattr(sent, name))
        except OverflowError:
            return wire_name
    return ""
