"""The values at dotted paths in plain data: in traits, in a context, in an event's properties.

A list on the way, or at the end, stands for each of its elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

# ruff: noqa: SIM110  a generator costs more than the tests in it, and this is the hot loop of every decision


def any_at(data: Any, path: tuple[str, ...], depth: int, test: Callable[[Any], bool]) -> bool:
    """Whether any of `values_at(data, path[depth:])` passes. It uses no generator, because a window asks it of each
    event."""
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


def only(data: Any, paths: Sequence[tuple[str, ...]]) -> Any:
    """The part of plain data that stands at some paths, in its own shape. An object of objects that has none of the
    names may be rows under their numbers (as PHP writes lists with gaps): then that part of each row."""
    if () in paths:
        return data
    if isinstance(data, list | tuple):
        return [only(element, paths) for element in data]
    if not isinstance(data, Mapping):
        return data
    below: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        below.setdefault(path[0], []).append(path[1:])
    found = {name: only(data[name], rest) for name, rest in below.items() if name in data}
    if not found and all(isinstance(part, Mapping) for part in data.values()):
        rows = ((name, only(part, paths)) for name, part in data.items())
        return {name: row for name, row in rows if row}
    return found


def overlap(one: str, other: str) -> bool:
    """Whether one dotted path leads to the other, or through it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
