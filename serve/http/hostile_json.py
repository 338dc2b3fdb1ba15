"""JSON from clients that are not to be trusted: the errors of reading it, in our words, and checks for what can be read
and still not be stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from engine.errors import InvalidInput
from engine.values.absence import is_absent

LEVELS_MAX: Final = 64

# Every error that reading JSON can raise: malformed, a wrong type, bad UTF-8, huge numbers, deep nesting.
UNREADABLE: Final = (msgspec.DecodeError, ValueError, OverflowError, RecursionError)

_MANY_DIGITS: Final = re.compile(rb"\d{19}")  # no shorter integer is beyond 64 bits
MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_NUL: Final = b"\\u0000"
_plain: Final = msgspec.json.Decoder().decode
_fits: Final = msgspec.msgpack.Encoder().encode  # the journal's format: what this refuses, the journal could not hold


def unreadable(fault: Exception) -> InvalidInput:
    """The decoder's error in our words: the path of a wrong type becomes the field."""
    if isinstance(fault, msgspec.ValidationError):
        message, _, path = str(fault).partition(" - at `$")
        field = path.rstrip("`").removeprefix(".")
        if not field and (missing := MISSING.fullmatch(message)) is not None:
            return InvalidInput("is missing", missing[1])
        return InvalidInput(message.replace("Expected", "expected"), field)
    if isinstance(fault, RecursionError):
        return InvalidInput(f"is nested deeper than {LEVELS_MAX} levels")
    return InvalidInput("is not JSON in UTF-8, or holds half of a character (a lone surrogate)")


def object_of(value: Any, field: str) -> dict[str, Any]:
    """An object, empty where there is none: null, and what PHP writes for an empty one, `[]`. InvalidInput names
    `field` where it is something else."""
    if isinstance(value, dict):
        return value
    if not is_absent(value):
        raise InvalidInput("must be an object", field)
    return {}


def text_of(value: Any, field: str) -> str:
    """A text, empty where it is absent. InvalidInput names `field` where it is something else."""
    if is_absent(value):
        return ""
    if not isinstance(value, str):
        raise InvalidInput("must be a text", field)
    return value


def check_shape(data: bytes, sent: msgspec.Struct, whole: str = "") -> None:
    """Refuse what the journal could not hold, in what `data` was read to: integers beyond 64 bits, and nesting that no
    reader walks safely. Raises InvalidInput; `whole` is its field where no single one is at fault."""
    # A value is never deeper than it has brackets. Counting those is fast, and spares nearly every body the walk.
    if data.count(b"{") + data.count(b"[") > LEVELS_MAX and _levels(_fields(sent)) > LEVELS_MAX:
        raise InvalidInput(f"is nested deeper than {LEVELS_MAX} levels", whole)
    if _MANY_DIGITS.search(data) and not _is_kept(sent):
        fields = zip(_fields(sent), sent.__struct_encode_fields__, strict=True)
        field = next((wire_name for value, wire_name in fields if not _is_kept(value)), whole)
        raise InvalidInput("holds an integer beyond 64 bits", field)


def is_kept(value: Any) -> bool:
    """Whether the journal could hold a value that was read."""
    return _levels([value]) <= LEVELS_MAX and _is_kept(value)


def check_body(data: bytes) -> None:
    """The same checks for a body that FastAPI reads, which may hold no NUL either. Raises InvalidInput."""
    try:
        read = _plain(data)
    except UNREADABLE as fault:
        raise InvalidInput(unreadable(fault).message, "body") from None
    if data.count(b"{") + data.count(b"[") > LEVELS_MAX and _levels([read]) > LEVELS_MAX:
        raise InvalidInput(f"is nested deeper than {LEVELS_MAX} levels", "body")
    if _MANY_DIGITS.search(data) and not _is_kept(read):
        raise InvalidInput("holds an integer beyond 64 bits", "body")
    check_no_nul(data, [read])


def check_no_nul(data: bytes, read: Iterable[Any], whole: str = "body") -> None:
    """Refuse a NUL in any text or name of what `data` was read to. Raises InvalidInput."""
    if _NUL in data:
        for level in _by_level(read):
            if any(isinstance(value, str) and "\0" in value for value in level):
                raise InvalidInput("holds a NUL", whole)
            if any("\0" in name for value in level if isinstance(value, dict) for name in value):
                raise InvalidInput("holds a NUL", whole)


def _fields(sent: msgspec.Struct) -> list[Any]:
    return [getattr(sent, name) for name in sent.__struct_fields__]


def _levels(values: Iterable[Any]) -> int:
    """How deep the deepest value lies. The count stops one level beyond the limit."""
    return sum(1 for _, _ in zip(_by_level(values), range(LEVELS_MAX + 1), strict=False))


def _by_level(values: Iterable[Any]) -> Iterator[list[Any]]:
    """All values, level by level. No recursion, because deep nesting would exhaust the stack."""
    level = list(values)
    while level:
        yield level
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]


def _is_kept(value: Any) -> bool:
    try:
        _fits(value)
    except OverflowError:
        return False
    return True
