"""Data as templates see it: without all values that are absent by the one rule of `engine.values.absence`.

A customer without an address, one whose address is null and one whose address is blank look the same. An absent value
can be asked for further parts, printed, looped over and called: it stays absent, and no message is refused for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Never

from jinja2.runtime import Undefined

from engine.values.absence import is_absent


class Absent(Undefined):
    """Stands for an absent value. It equals every other absent value."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__":  # how Python looks for abilities
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __eq__(self, other: Any) -> bool:
        return is_nothing(other)

    def __ne__(self, other: Any) -> bool:
        return not is_nothing(other)

    def __hash__(self) -> int:
        return hash(None)

    def __contains__(self, value: Any) -> bool:
        return False

    def __html__(self) -> str:
        return ""

    def _none(self, *args: Any, **named: Any) -> Never:
        raise TypeError("nothing is no number")

    __int__ = __float__ = __complex__ = _none


def is_nothing(value: Any) -> bool:
    """Whether a value is absent, one of the data or one that the template worked out."""
    return isinstance(value, Undefined) or is_absent(value)


def present(value: Any) -> Any:
    """A copy of data without its absent parts, however deep; a value that has no other parts is absent itself. None
    where nothing is left."""
    if isinstance(value, dict):
        parts = ((name, present(part)) for name, part in value.items())
        return {name: part for name, part in parts if part is not None} or None
    if isinstance(value, list | tuple):
        return [part for part in map(present, value) if part is not None] or None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if is_absent(value) else value


def elements(value: Any) -> Any:
    """The value that a filter is given: a list or a series without its absent elements, any other value as it is."""
    if isinstance(value, list | tuple):
        return [part for part in value if not is_nothing(part)] if any(map(is_nothing, value)) else value
    return _each(value) if isinstance(value, Iterator) else value


def _each(series: Iterator[Any]) -> Iterator[Any]:
    return (part for part in series if not is_nothing(part))
