"""The tests that conditions put to single values: of a trait, of the context, of an event's properties.

A test is a scalar (equal), a list (one of), or a mapping of `is, not, in, not_in, at_least, at_most, more_than,
less_than, exists`; several hold together. A path is dotted and starts at the event's properties (or the traits, or the
context); one that leads through a list matches any element. `$action.x` as an operand is a fact of the action under
decision; where that is absent, `Absent` is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision

if TYPE_CHECKING:
    from engine.conditions import View

Test = Callable[[Any, "View"], bool]
Where = Callable[[Mapping[str, Any], "View"], bool]

ACTION_FACT = "$action."


def build_where(paths: Mapping[str, Any] | None) -> Where:
    """The predicate on an event's properties that all tests of `paths` hold."""
    if not paths:
        return lambda properties, view: True
    tests = [_build_at(tuple(path.split(".")), test) for path, test in paths.items()]
    if len(tests) == 1:
        return tests[0]

    def where(properties: Mapping[str, Any], view: View) -> bool:
        for test in tests:
            if not test(properties, view):
                return False
        return True

    return where


def _build_at(path: tuple[str, ...], test: Any) -> Where:
    """One test of one path. Most are one name that must be one text; a window asks that of each of its events."""
    built = build_test(test)
    if len(path) > 1:
        return lambda properties, view: any_at(properties, path, 0, built, view)
    (name,) = path
    is_text = isinstance(test, str) and not test.startswith(ACTION_FACT)

    def at_name(properties: Mapping[str, Any], view: View) -> bool:
        value = properties.get(name)
        if value.__class__ is list or value.__class__ is tuple:
            return any_at(value, path, 1, built, view)
        return bool(value == test) if is_text else built(value, view)

    return at_name


def any_at(data: Any, path: tuple[str, ...], depth: int, test: Test, view: View) -> bool:
    """Whether any of `values_at(data, path[depth:])` passes; without a generator, as a window asks it of each event."""
    if isinstance(data, (list, tuple)):
        if not data:
            return test(None, view)
        for element in data:
            if any_at(element, path, depth, test, view):
                return True
        return False
    if depth == len(path):
        return test(data, view)
    if isinstance(data, dict) and path[depth] in data:
        return any_at(data[path[depth]], path, depth + 1, test, view)
    return test(None, view)


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
        parts = [_OPERATORS[word](_operand(operand)) for word, operand in test.items()]
        return parts[0] if len(parts) == 1 else lambda value, view: all(part(value, view) for part in parts)
    return _is_in(_operand(test)) if isinstance(test, list | tuple) else _is(_operand(test))


class Absent(Exception):
    """A `$action.` fact that the action does not have: the whole atom is false, however it is nested."""


def _operand(operand: Any) -> Callable[[View], Any]:
    if isinstance(operand, str) and operand.startswith(ACTION_FACT):
        fact = operand.removeprefix(ACTION_FACT)

        def from_action(view: View) -> Any:
            value = view.action.get(fact)
            if value is None:
                raise Absent
            return value

        return from_action
    if isinstance(operand, list | tuple):
        members = [_operand(member) for member in operand]
        return lambda view: [member(view) for member in members]
    return lambda view: operand


def _same(value: Any, other: Any) -> bool:
    # True is 1 in Python, but not in YAML or JSON
    return bool(value == other) and isinstance(value, bool) == isinstance(other, bool)


def _is(get: Callable[[View], Any]) -> Test:
    return lambda value, view: _same(value, get(view))


def _is_in(get: Callable[[View], Any]) -> Test:
    return lambda value, view: any(_same(value, other) for other in get(view))


def _negated(make: Callable[[Callable[[View], Any]], Test]) -> Callable[[Callable[[View], Any]], Test]:
    def build_negated(get: Callable[[View], Any]) -> Test:
        test = make(get)
        return lambda value, view: not test(value, view)

    return build_negated


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Callable[[View], Any]], Test]:
    def build_comparison(get: Callable[[View], Any]) -> Test:
        def test(value: Any, view: View) -> bool:
            if value is None or isinstance(value, bool):
                return False
            try:
                return holds(value, get(view))
            except TypeError:  # a text where the catalog expects a number says nothing, and is no reason to fail a turn
                return False

        return test

    return build_comparison


_OPERATORS: dict[str, Callable[[Callable[[View], Any]], Test]] = {
    "is": _is,
    "not": _negated(_is),
    "in": _is_in,
    "not_in": _negated(_is_in),
    "at_least": _compare(lambda value, bound: bool(value >= bound)),
    "at_most": _compare(lambda value, bound: bool(value <= bound)),
    "more_than": _compare(lambda value, bound: bool(value > bound)),
    "less_than": _compare(lambda value, bound: bool(value < bound)),
    "exists": lambda get: lambda value, view: (value is not None) == get(view),
}
