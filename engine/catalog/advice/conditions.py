"""Doubts about conditions: those that can never hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.catalog.problems import Loc, Problem

_TESTED = ("trait", "context")


def never_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Every test, every list of conditions and every `where` in which one part rules another out."""
    for file, data in document.items():
        if not file.startswith("templates/") and file != "tracking_plan.yaml":
            yield from _in(file, data, ())


def _in(file: str, data: Any, loc: Loc) -> Iterator[Problem]:
    if isinstance(data, list):
        for i, value in enumerate(data):
            yield from _in(file, value, (*loc, i))
    if not isinstance(data, Mapping):
        return
    for key, value in data.items():
        at = (*loc, key)
        if key in _TESTED and isinstance(value, Mapping) and "name" in value:
            yield from _of_test(file, at, value)
        elif key == "where" and isinstance(value, Mapping):
            for path, test in value.items():
                yield from _of_test(file, (*at, path), test if isinstance(test, Mapping) else {})
        elif key == "all" and isinstance(value, list):
            yield from _of_all(file, at, value)
            yield from _in(file, value, at)
        else:
            yield from _in(file, value, at)


def _of_test(file: str, loc: Loc, test: Mapping[str, Any]) -> Iterator[Problem]:
    """Tests on one value that cannot hold together."""
    low, high = _bound(test, ("at_least", "more_than"), max), _bound(test, ("at_most", "less_than"), min)
    if low is not None and high is not None:
        is_open = test.get("more_than") == low or test.get("less_than") == high
        if low > high or (low == high and is_open):
            yield Problem(file, loc, f"can never hold: nothing is {_words(test)} at once")
    wanted = test["in"] if isinstance(test.get("in"), list) else [test["is"]] if "is" in test else None
    refused = [*_listed(test.get("not_in")), *([test["not"]] if "not" in test else [])]
    if wanted is not None and all(value in refused for value in wanted):
        yield Problem(file, loc, "can never hold: what is asked for is ruled out beside it")
    if wanted is not None and all(_is_outside(value, low, high) for value in wanted):
        yield Problem(file, loc, f"can never hold: {wanted[0]!r} is not {_words(test)}")
    if "is" in test and isinstance(test.get("in"), list) and test["is"] not in test["in"] and not _is_fact(test):
        yield Problem(file, loc, f"can never hold: {test['is']!r} is not among those of in")
    if test.get("exists") is False and any(word not in ("name", "exists", "not", "not_in") for word in test):
        yield Problem(file, loc, "can never hold: what is not there passes no other test")


def _of_all(file: str, loc: Loc, conditions: list[Any]) -> Iterator[Problem]:
    """Parts of an `all` of which one rules another out. Two values of one trait do not, because it may be a list."""
    asked: dict[str, bool] = {}
    for i, condition in enumerate(conditions):
        if not isinstance(condition, Mapping):
            continue
        opposite = condition.get("not", {"not": condition})
        if any(other == opposite for other in conditions[:i]):
            yield Problem(file, (*loc, i), "can never hold: it is the opposite of a condition above it")
        trait = condition.get("trait")
        if isinstance(trait, Mapping) and isinstance(trait.get("name"), str):
            is_there = _asks_for(trait)
            if is_there is not None and asked.setdefault(trait["name"], is_there) != is_there:
                message = f"can never hold: {trait['name']} is not there and passes a test at once"
                yield Problem(file, (*loc, i), message)


def _asks_for(test: Mapping[str, Any]) -> bool | None:
    """True for a test that only a value passes, False for one that only its absence passes; None for all others."""
    if test.get("exists") is False:
        return False
    words = [word for word in test if word != "name"]
    return True if not words or any(word not in ("not", "not_in") for word in words) else None


def _is_fact(test: Mapping[str, Any]) -> bool:
    """Whether a test compares with a fact, whose value is known only when a customer is asked about."""
    return any(isinstance(value, str) and value.startswith("$") for value in (test["is"], *test["in"]))


def _bound(test: Mapping[str, Any], words: tuple[str, str], which: Any) -> float | None:
    given = [test[word] for word in words if isinstance(test.get(word), int | float)]
    return which(given) if given else None


def _is_outside(value: Any, low: float | None, high: float | None) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return (low is not None and value < low) or (high is not None and value > high)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _words(test: Mapping[str, Any]) -> str:
    words = ("at_least", "more_than", "at_most", "less_than")
    return " and ".join(f"{word} {test[word]}" for word in words if word in test)
