"""The tests of conditions on the values at a path: in traits, in a context, in an event's properties.

A test is a scalar (equal), a list (one of), or a mapping of `is, not, in, not_in, at_least, at_most, more_than,
less_than, exists, some`. A path is dotted; a list that it leads to or through stands for each of its elements.
`docs/reference.md` has the table of what each test means. In short:

- One element passes `is`, `in`, the comparisons, `exists` and `some`, all that stand in one mapping together.
- `not`, `not_in` and `exists: false` are the negations of `is`, `in` and `exists`: no element may be so.
- An absent value (`engine.values.absence`) does not exist, equals no value that is there, and is neither more nor less
  than anything.
- Texts are compared in their composed form (Unicode's NFC), however either was written.
- A text that is a plain number (`19.90`) counts as that number where it is compared with one. True and false are no
  numbers.

Facts of an action and of what started a run (`$action.x`, `$event.x`) were put into a test before
(`engine.conditions.binding`). A fact may be several values; a test against them passes if it passes against one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from engine.values.absence import is_absent
from engine.values.paths import any_at
from engine.values.spelling import composed

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

Test = Callable[[Any], bool]  # on one element; None where there is nothing
Where = Callable[[Mapping[str, Any]], bool]

# Raised whenever a test comes to mean something else, so that events that were counted by the old rules are counted
# anew.
RULES: Final = 3

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_DIGITS_MAX: Final = 40  # of a text that is read as a number


def build_where(paths: Mapping[str, Any] | None) -> Where:
    """The predicate on an event's properties: whether all tests of `paths` hold."""
    return _all([build_at(tuple(path.split(".")), test) for path, test in (paths or {}).items()])


def build_at(path: tuple[str, ...], test: Any) -> Test:
    """The predicate on data: whether its values at a path pass a test."""
    tests = test if isinstance(test, Mapping) else {"in" if isinstance(test, list | tuple) else "is": test}
    each = [_OF_ONE[word](operand) for word, operand in tests.items() if word in _OF_ONE]
    none = [_OF_NONE[word](operand) for word, operand in tests.items() if word in _OF_NONE]
    for wanted in [operand for word, operand in tests.items() if word == "exists"]:
        (each if wanted else none).append(_exists)
    parts = [_reaching(path, _all(each))] if each else []
    return _all([*parts, *(_none(_reaching(path, unwanted)) for unwanted in none)])


def paths_of(paths: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every path at which tests look."""
    for path, test in paths.items():
        steps = tuple(path.split("."))
        some = test.get("some") if isinstance(test, Mapping) else None
        if some is None or len(test) > 1:
            yield steps
        yield from ((*steps, *below) for below in paths_of(some or {}))


def is_about_texts(paths: Mapping[str, Any] | None) -> bool:
    """Whether each path is only compared with one text. The meaning of such a test of ASCII has never changed
    (`RULES`)."""
    return all(isinstance(test, str) and not is_absent(test) for test in (paths or {}).values())


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def each(value: Any) -> bool:
        for test in tests:
            if not test(value):
                return False
        return True

    return each


def _none(test: Test) -> Test:
    return lambda value: not test(value)


def _reaching(path: tuple[str, ...], test: Test) -> Test:
    """Whether an element at a path passes. Most paths are one name, and a window asks it of each of its events, so that
    case has a short cut of its own."""
    if not path:
        return lambda value: any_at(value, path, 0, test) if value.__class__ is list else test(value)
    if len(path) > 1:
        return lambda data: any_at(data, path, 0, test)
    (name,) = path

    def at_name(data: Any) -> bool:
        if data.__class__ is not dict:
            return any_at(data, path, 0, test)
        value = data.get(name)
        return any_at(value, path, 1, test) if value.__class__ is list else test(value)

    return at_name


def number_of(value: Any) -> int | float | None:
    """The number that a value is, or that a text spells plainly; None for all others, true and false among them."""
    if value.__class__ is float or value.__class__ is int:
        return value
    if value.__class__ is str and len(value) <= _DIGITS_MAX and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return None


def _is(operand: Any) -> Test:
    if isinstance(operand, list | tuple):
        return _is_in(operand)
    if is_absent(operand):
        return is_absent
    if isinstance(operand, bool):
        return lambda value: value is operand
    if isinstance(operand, str):
        return _is_text(operand)
    return lambda value: number_of(value) == operand


def _is_text(operand: str) -> Test:
    if operand.isascii():
        return lambda value: bool(value == operand)
    wanted = composed(operand)
    return lambda value: value.__class__ is str and composed(value) == wanted


def _is_in(operands: Sequence[Any]) -> Test:
    if all(isinstance(operand, str) and not is_absent(operand) for operand in operands):
        texts = frozenset(map(composed, operands))
        if all(map(str.isascii, texts)):
            return lambda value: value.__class__ is str and value in texts
        return lambda value: value.__class__ is str and composed(value) in texts
    return _any([_is(operand) for operand in operands])


def _any(tests: Sequence[Test]) -> Test:
    return lambda value: any(test(value) for test in tests)


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    def build_comparison(operand: Any) -> Test:
        if isinstance(operand, list | tuple):
            return _any([build_comparison(member) for member in operand])
        bound = number_of(operand)

        def test(value: Any) -> bool:
            number = number_of(value)
            return number is not None and bound is not None and holds(number, bound)

        return test

    return build_comparison


def _exists(value: Any) -> bool:
    return not is_absent(value)


def _some(paths: Mapping[str, Any]) -> Test:
    where = build_where(paths)
    return lambda value: isinstance(value, dict) and bool(value) and where(value)  # an empty one is absent


_OF_ONE: Final[dict[str, Callable[[Any], Test]]] = {
    "is": _is,
    "in": _is_in,
    "at_least": _compare(operator.ge),
    "at_most": _compare(operator.le),
    "more_than": _compare(operator.gt),
    "less_than": _compare(operator.lt),
    "some": _some,
}
_OF_NONE: Final[dict[str, Callable[[Any], Test]]] = {"not": _is, "not_in": _is_in}
