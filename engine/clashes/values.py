"""Finds plain data that passes tests: the properties of an event, or the traits of a customer.

It guesses few values for each path, those that the tests themselves name and their neighbours, and lets the tests of
the engine judge them. So what it finds passes; what it does not find may exist all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

from engine.conditions.value_tests import build_at

_ABSENT: Final = object()
_GUESSES_MAX: Final = 200  # for one path
_OF_NUMBERS: Final = ("at_least", "at_most", "more_than", "less_than")


class Wanted(NamedTuple):
    """The values at a path pass a test, or (`passes` false) do not."""

    path: tuple[str, ...]
    test: Any
    passes: bool = True


def data_for(wanted: Sequence[Wanted]) -> dict[str, Any] | None:
    """Data of which all of this holds; None where none was found."""
    found: dict[str, Any] = {}
    paths = sorted({each.path for each in wanted}, key=lambda path: (-len(path), path))
    for path in paths:
        if _holds_more(found, path):  # paths that lead further have put something here
            continue
        own = [each for each in wanted if each.path == path]
        value = next((guess for guess in islice(_guesses(own), _GUESSES_MAX) if _passes(own, path, guess)), None)
        if value is None:
            return None
        _put(found, path, value[0])
    return found if all(build_at(each.path, each.test)(found) == each.passes for each in wanted) else None


def _passes(own: Sequence[Wanted], path: tuple[str, ...], guess: tuple[Any]) -> bool:
    data: dict[str, Any] = {}
    _put(data, path, guess[0])
    return all(build_at(path, each.test)(data) == each.passes for each in own)


def _guesses(own: Sequence[Wanted]) -> Iterator[tuple[Any]]:
    """Values to try, each as a tuple of one: nothing where nothing is asked to be there, then what the tests name."""
    if not any(each.passes for each in own):
        yield (_ABSENT,)
    named = [value for each in sorted(own, key=lambda one: not one.passes) for value in _named(each.test)]
    yield from ((value,) for value in named)
    numbers = sorted({value for value in named if isinstance(value, int | float) and not isinstance(value, bool)})
    yield from (((one + other) / 2,) for one, other in pairwise(numbers))
    for number in numbers:
        yield from ((number + 1,), (number - 1,))
    yield from ((_word(own[0].path),), ("something else",), (1,), (0,), (True,), (False,), (_ABSENT,))


def _word(path: tuple[str, ...]) -> str:
    """A text for a value of which nothing else is known: `cart-1` for a `cart_id`."""
    return f"{path[-1].removesuffix('_id')}-1" if path else "something"


def _named(test: Any) -> Iterator[Any]:
    """The values that a test names, with the structures that its `some` asks for."""
    if isinstance(test, Mapping):
        for word, operand in test.items():
            if word == "some":
                inner = [Wanted((*path.split("."),), each) for path, each in operand.items()]
                made = data_for(inner)
                yield from [] if made is None else [made]
            elif word in _OF_NUMBERS and isinstance(operand, int | float) and not isinstance(operand, bool):
                yield from (operand + 1, operand) if word == "more_than" else (operand,)
                yield from (operand - 1,) if word == "less_than" else ()
            elif word != "exists":
                yield from _named(operand)
    elif isinstance(test, list | tuple):
        yield from test
    elif test is not None:
        yield test


def _holds_more(data: dict[str, Any], path: tuple[str, ...]) -> bool:
    here: Any = data
    for name in path:
        if not isinstance(here, dict) or name not in here:
            return False
        here = here[name]
    return True


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    if value is _ABSENT:
        return
    for name in path[:-1]:
        data = data.setdefault(name, {})
    data[path[-1]] = value
