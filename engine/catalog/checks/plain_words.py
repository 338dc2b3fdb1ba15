"""Says pydantic's complaints about a file in words that a marketer understands, with the word that was probably
meant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails

from engine.catalog.checks.suggest import did_you_mean, fields_at
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.grammar import Model

UNKNOWN: Final = "is not known here"
# By pydantic's type of error. The types that are not here keep pydantic's own words.
_MESSAGES: Final = {
    "missing": "is required",
    "extra_forbidden": UNKNOWN,
    "model_type": "should be a mapping",
    "dict_type": "should be a mapping",
    "list_type": "should be a list",
    "string_type": "should be a text",
    "string_pattern_mismatch": "should match {pattern}",
    "string_too_short": "should not be empty",
    "too_short": "should not be empty",
    "int_type": "should be a whole number",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "literal_error": "should be {expected}",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "less_than_equal": "should be at most {le}",
    "finite_number": "should be a number",
}
_UNITS: Final = {"s": "s", "m": "m", "min": "m", "h": "h", "d": "d", "w": "w"}
_UNIT_WORDS: Final = re.compile(r"(s)ec(ond)?s?|(min)ute?s?|(h)(ou)?rs?|(d)ays?|(w)(ee)?ks?")


def of_validation(model: type[Model], file: str, data: Any, details: ErrorDetails) -> Problem:
    """One of pydantic's errors on `data`, in our words."""
    known = _MESSAGES.get(details["type"])
    message = known.format(**details.get("ctx", {})) if known else details["msg"].removeprefix("Value error, ")
    return Problem(file, written_at(data, details["loc"]), message + _mend(model, data, details))


def _mend(model: type[Model], data: Any, details: ErrorDetails) -> str:
    """The end of a message: what to write instead, where that can be guessed; it begins with its own punctuation."""
    kind, given, words = details["type"], details["input"], re.findall(r"'([^']*)'", details["msg"])
    if kind == "extra_forbidden":
        *home, key = details["loc"]
        near = did_you_mean(str(key), fields_at(model, tuple(home)))
        is_asked = home and home[-1] in ("trait", "context") and "name" not in _at(data, written_at(data, tuple(home)))
        if not near and is_asked and isinstance(given, str | int | float):
            return f"; it is asked for as {{name: {key}, is: {given}}}"
        return near
    if kind == "literal_error":
        return did_you_mean(given, words) if isinstance(given, str) else ""
    if kind in ("condition", "step", "trigger"):
        return _of_words(given, details["msg"].partition("exactly one of ")[2].split(", "))
    if kind == "string_type" and isinstance(given, bool | int | float):
        return f': put it in quotes, "{str(given).lower()}"'
    if kind == "list_type" and isinstance(given, str):
        return f": [{given}]"
    if kind in ("int_type", "float_type", "bool_type") and isinstance(given, str):
        return ", without quotes" if re.fullmatch(r"[0-9]+(\.[0-9]+)?|true|false", given) else ""
    if "a duration is a number and a unit" in details["msg"]:
        return _duration(given)
    return ""


def _of_words(given: Any, words: list[str]) -> str:
    """The end of a message about a mapping that should have one of these words."""
    if isinstance(given, list):
        return "; a list of them stands under all or any" if "all" in words else ""
    if not isinstance(given, Mapping):
        return ""
    there = [key for key in given if key in words]
    if len(there) > 1:
        return f", and here are {' and '.join(there)}" + ("; put them under all" if "all" in words else "")
    return next((near for key in given if (near := did_you_mean(str(key), words))), "")


def _duration(given: Any) -> str:
    """`1 day` is written 1d."""
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*([a-z]+)\.?\s*", given.lower()) if isinstance(given, str) else None
    if found is None:
        return ""
    word = _UNIT_WORDS.fullmatch(found[2])
    unit = next((part for part in word.groups() if part in _UNITS), "") if word else found[2]
    if unit not in _UNITS:
        return ""
    return f"; write {int(found[1]) * 7}d" if unit == "w" else f"; write {found[1]}{_UNITS[unit]}"


def _at(data: Any, loc: Loc) -> Any:
    for step in loc:
        data = data[step]
    return data


def written_at(data: Any, loc: Loc) -> Loc:
    """`loc` as it leads through the file: without the parts that pydantic puts in, which are tags of unions, marks of
    keys, and places in a list that is no list."""
    path: list[str | int] = []
    here = data
    for step in loc:
        if isinstance(step, str) and (step.startswith("<") or step == "[key]"):
            continue
        if isinstance(here, Mapping):
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            here = here[step]
        else:
            break
        path.append(step)
    return tuple(path) or ("file",)
