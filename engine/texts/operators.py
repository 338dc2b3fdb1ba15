"""The meaning of +, <, ~ and the like in a template, whatever the data is.

A text that people read as a number counts as one beside numbers. An operation that makes no sense, or lacks a part, is
absent, as in a database; a text to which an absent value is added stays as it is. Results are bounded.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

from jinja2.runtime import LoopContext, Undefined, markup_join, str_join

from engine.errors import Refused
from engine.texts.effort import check_power, check_product, spend, weigh
from engine.texts.values import Absent, is_nothing
from engine.values import amounts

UNFIT: Final = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)  # raised for unfit values
# A format with a width or a precision of four digits, or one that an argument gives.
_WIDE: Final = re.compile(r"%(\([^)]*\))?[-#0 +]*(\d{4}|\*|\d*\.(\d{4}|\*))|{[^{}]*:[^{}]*(\d{4}|{)")

_SHOWN_MAX: Final = 10_000  # elements of a list
_ARITHMETIC: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_ORDER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


def is_number(value: Any) -> bool:
    """Whether a value is a number as it is."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def reckoned(value: Any) -> Any:
    """The number that a text spells, as people write amounts; any other value as it is."""
    if not isinstance(value, str):
        return value
    found = amounts.number(value)
    if found is None:
        return value
    return int(found) if found == found.to_integral_value() and "." not in value and "," not in value else float(found)


def arithmetic(sign: str, left: Any, right: Any) -> Any:
    """The result of a binary operation; absent where it makes no sense."""
    spend()
    if isinstance(left, str) and sign == "%" and "%" in left:
        return formatted(left, right)
    if sign == "+" and (isinstance(left, str) or isinstance(right, str)):
        return _added(left, right)
    if isinstance(left, Undefined) or isinstance(right, Undefined):
        return Absent()
    try:
        left, right = reckoned(left), reckoned(right)
        if not (is_number(left) and is_number(right)) and not (isinstance(left, list) and isinstance(right, list)):
            return Absent()
        if sign == "*" and isinstance(left, int) and isinstance(right, int):
            check_product(left, right)
        if sign == "**":
            check_power(left, right)
        return _sized(_ARITHMETIC[sign](left, right))
    except UNFIT:
        return Absent()


def repeated(left: Any, right: Any) -> Any:
    """A product of which one part is a text or a list that the template itself holds."""
    for part, times in ((left, right), (right, left)):
        if isinstance(part, str | list | tuple) and isinstance(times, int):
            count = len(part) * max(0, times)
            spend(steps=count if isinstance(part, list | tuple) else 1, chars=count)
            return part * times
    return Absent()


def negated(sign: str, value: Any) -> Any:
    """The result of a sign before a value."""
    if isinstance(value, Undefined):
        return value
    try:
        return operator.neg(reckoned(value)) if sign == "-" else operator.pos(reckoned(value))
    except UNFIT:
        return Absent()


def compared(left: Any, *rest: Any) -> bool:
    """A chain of comparisons: a value, then the name of each test and the value that it is with."""
    for name, right in zip(rest[::2], rest[1::2], strict=True):
        spend()
        if not _holds(name, left, right):
            return False
        left = right
    return True


def joined(is_html: bool, parts: tuple[Any, ...]) -> str:
    """The texts of all parts behind one another."""
    texts = [written(part) for part in parts]
    spend(chars=sum(len(text) for text in texts if isinstance(text, str)))
    return markup_join(texts) if is_html else str_join(texts)


def written(value: Any) -> Any:
    """A value as it is written in a message: an absent one and an object as nothing, a list as its elements."""
    if value is None or isinstance(value, Undefined | dict):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return value
    if not isinstance(value, Iterable) or isinstance(value, LoopContext):
        return ""
    if isinstance(value, list | tuple):
        spend(len(value))
    parts = (str(written(part)) for part in islice(value, _SHOWN_MAX))
    return ", ".join(part for part in parts if part)


def formatted(pattern: str, values: Any) -> Any:
    """`pattern % values`, with texts read as numbers where the pattern wants some."""
    check_pattern(pattern)
    weigh(values)
    for given in (values, _reckoned_all(values)):
        try:
            return _sized(pattern % given)
        except UNFIT:
            continue
    return Absent()


def check_pattern(pattern: str) -> None:
    """Raises Refused for one that could fill up to any width."""
    if _WIDE.search(pattern):
        raise Refused("has a format that is too wide")


def _holds(name: str, left: Any, right: Any) -> bool:
    if isinstance(right, dict | list | tuple) and not isinstance(left, str | int | float):
        weigh(right)
    try:
        if name in ("in", "notin"):
            return (not isinstance(left, Undefined) and left in right) == (name == "in")
        if name in ("eq", "ne"):
            return bool(left == right) == (name == "eq")
        if is_nothing(left) or is_nothing(right):
            return False
        if is_number(left) or is_number(right):
            left, right = reckoned(left), reckoned(right)
        return bool(_ORDER[name](left, right))
    except UNFIT:
        return name == "notin"


def _added(left: Any, right: Any) -> Any:
    if is_number(left) or is_number(right):
        numbers = reckoned(left), reckoned(right)
        if all(map(is_number, numbers)):
            return numbers[0] + numbers[1]
    if isinstance(left, str) and isinstance(right, str):
        return _sized(left + right)  # where one of them is Markup, this escapes the other
    return _sized(left + str(written(right)) if isinstance(left, str) else str(written(left)) + right)


def _sized(made: Any) -> Any:
    if isinstance(made, complex):
        return Absent()
    if isinstance(made, str | list | tuple):
        spend(chars=len(made))
    return made


def _reckoned_all(values: Any) -> Any:
    return tuple(map(reckoned, values)) if isinstance(values, tuple) else reckoned(values)
