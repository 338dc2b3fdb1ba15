"""The tests that conditions put to single values: of a trait, of the context, of an event's properties.

A test is a scalar (equal), a list (one of), or a mapping of `is, not, in, not_in, at_least, at_most, more_than,
less_than, exists, some`; several hold together; `some` is tests by path that one element of a list passes together. A
path is dotted and starts at the event's properties (or the traits, or the context); one that leads through a list
matches any element. Facts of an action (`$action.x`) stand in it already
(`engine.binding`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

Test = Callable[[Any], bool]
Where = Callable[[Mapping[str, Any]], bool]


def build_where(paths: Mapping[str, Any] | None) -> Where:
    """The predicate on an event's properties that all tests of `paths` hold."""
    if not paths:
        return lambda properties: True
    tests = [_build_at(tuple(path.split(".")), test) for path, test in paths.items()]
    if len(tests) == 1:
        return tests[0]

    def where(properties: Mapping[str, Any]) -> bool:
        for test in tests:
            if not test(properties):
                return False
        return True

    return where


def _build_at(path: tuple[str, ...], test: Any) -> Where:
    """One test of one path. Most are one name; a window asks that of each of its events."""
    built = build_test(test)
    if len(path) > 1:
        return lambda properties: any_at(properties, path, 0, built)
    (name,) = path

    def at_name(properties: Mapping[str, Any]) -> bool:
        value = properties.get(name)
        return any_at(value, path, 1, built) if value.__class__ is list else built(value)

    return at_name


def any_at(data: Any, path: tuple[str, ...], depth: int, test: Test) -> bool:
    """Whether any of `values_at(data, path[depth:])` passes; without a generator, as a window asks it of each event."""
    if isinstance(data, (list, tuple)):
        if not data:
            return test(None)
        for element in data:
            if any_at(element, path, depth, test):
                return True
        return False
    if depth == len(path):
        return test(data)
    if isinstance(data, dict) and path[depth] in data:
        return any_at(data[path[depth]], path, depth + 1, test)
    return test(None)


def values_at(data: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """Every value that `path` leads to; a list on the way stands for each of its elements. None where there is
    nothing."""
    if isinstance(data, list | tuple):
        if not data:
            yield None
        for element in data:
            yield from values_at(element, path)
    elif not path:
        yield data
    elif isinstance(data, dict) and path[0] in data:
        yield from values_at(data[path[0]], path[1:])
    else:
        yield None


def build_test(test: Any) -> Test:
    """The predicate of one test on one value."""
    if isinstance(test, Mapping):
        parts = [_OPERATORS[word](operand) for word, operand in test.items()]
        return parts[0] if len(parts) == 1 else lambda value: all(part(value) for part in parts)
    return _is_in(test) if isinstance(test, list | tuple) else _is(test)


def _same(value: Any, other: Any) -> bool:
    # True is 1 in Python, but not in YAML or JSON
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _is(operand: Any) -> Test:
    if isinstance(operand, str):
        return lambda value: bool(value == operand)
    return lambda value: _same(value, operand)


def _is_in(operands: Sequence[Any]) -> Test:
    if all(isinstance(operand, str) for operand in operands):
        texts = frozenset(operands)
        return lambda value: value.__class__ is str and value in texts
    return lambda value: any(_same(value, other) for other in operands)


def _negated(make: Callable[[Any], Test]) -> Callable[[Any], Test]:
    def build_negated(operand: Any) -> Test:
        test = make(operand)
        return lambda value: not test(value)

    return build_negated


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    def build_comparison(bound: Any) -> Test:
        def test(value: Any) -> bool:
            if value is None or value.__class__ is bool:
                return False
            try:
                return bool(holds(value, bound))
            except TypeError:  # a text where the catalog expects a number says nothing, and is no reason to fail a turn
                return False

        return test

    return build_comparison


def _has(where: Where) -> Test:
    return lambda value: isinstance(value, dict) and where(value)


_OPERATORS: dict[str, Callable[[Any], Test]] = {
    "is": _is,
    "not": _negated(_is),
    "in": _is_in,
    "not_in": _negated(_is_in),
    "at_least": _compare(operator.ge),
    "at_most": _compare(operator.le),
    "more_than": _compare(operator.gt),
    "less_than": _compare(operator.lt),
    "exists": lambda wanted: lambda value: (value is not None) == wanted,
    "some": lambda paths: _has(build_where(paths)),
}
