"""Says in words what a part of a condition wants: `at least 2 in the last 30 days where category is "shoes"`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

_CHARS_MAX: Final = 200  # of one description
_UNITS = ((DAY_MS, "day"), (HOUR_MS, "hour"), (MINUTE_MS, "minute"))
_WORDS: Final = {
    "is": "is",
    "not": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "at_least": "at least",
    "at_most": "at most",
    "more_than": "more than",
    "less_than": "less than",
}


def span(ms: int) -> str:
    """A duration in words: `2 days`, `hour`."""
    unit_ms, name = next(((unit, name) for unit, name in _UNITS if ms % unit == 0), (1_000, "second"))
    count = ms // unit_ms
    return f"{count} {name}s" if count > 1 else name


def wanted(word: str, body: Mapping[str, Any]) -> str:
    """In words what would let an atom pass; `body` stands under its `word`."""
    if word == "consent":
        return "granted" if body.get("granted", True) else "not granted"
    if word == "event":
        return bounded(_events_wanted(body))
    if word == "outcome":
        within = f" in the last {span(body['within'])}" if "within" in body else ""
        return bounded(f"a message was {' or '.join(body['name'])}{within}")
    if word == "bought":
        return f"{'at full price' if body['full_price'] else 'bought'} in the last {span(body['within'])}"
    tests = {operator: operand for operator, operand in body.items() if operator != "name"}
    return bounded(_tests_in_words(tests or {"exists": True}))


def _events_wanted(body: Mapping[str, Any]) -> str:
    bounds = body.get("count") or {"at_least": 1}
    often = " and ".join(f"{_WORDS[word]} {bounds[word]}" for word in ("at_least", "at_most") if word in bounds)
    within = f" in the last {span(body['within'])}" if "within" in body else ""
    undo = body.get("undone_by")
    undone = f", not undone by {undo['name']}{_where(undo.get('where'))}" if undo else ""
    return f"{often}{within}{_where(body.get('where'))}{undone}"


def _where(paths: Mapping[str, Any] | None) -> str:
    return f" where {_paths_in_words(paths)}" if paths else ""


def _paths_in_words(paths: Mapping[str, Any]) -> str:
    return " and ".join(f"{path} {test_in_words(test)}" for path, test in paths.items())


def test_in_words(test: Any) -> str:
    """In words the values that a test passes."""
    if isinstance(test, Mapping):
        return _tests_in_words(test)
    return f"is one of {as_json(test)}" if isinstance(test, list | tuple) else f"is {as_json(test)}"


def _tests_in_words(tests: Mapping[str, Any]) -> str:
    return " and ".join(_operator_in_words(word, operand) for word, operand in tests.items())


def _operator_in_words(word: str, operand: Any) -> str:
    if word == "exists":
        return "exists" if operand else "does not exist"
    if word == "some":
        return f"has some with {_paths_in_words(operand)}"
    return f"{_WORDS[word]} {as_json(operand)}"


def at_time(ms: float) -> str:
    """An instant in UTC, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def as_json(value: Any) -> str:
    """A value as JSON, cut where it is long."""
    return bounded(json.dumps(value, ensure_ascii=False, default=str))


def bounded(text: str) -> str:
    """A text, cut where it is long."""
    return text if len(text) <= _CHARS_MAX else f"{text[: _CHARS_MAX - 1]}…"
