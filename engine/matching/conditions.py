"""What a comparison level asks of two records, as data: the engine tests it here, and training writes it in SQL.

A condition about a column that either record lacks does not hold. So `Not` of it does: say `Missing` where that counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from engine.matching.comparable import COLUMNS, Comparable

Test = Callable[[Comparable, Comparable], bool]
Columns = tuple[Any, ...]  # a record whose columns are found by their places


@dataclass(frozen=True, slots=True)
class Equal:
    """The column of one record is that of the other; with `other`, that of another column of the second record."""

    column: str
    other: str = ""


@dataclass(frozen=True, slots=True)
class Similar:
    """The Jaro–Winkler similarity is at least so much (0 to 1)."""

    column: str
    at_least: float
    other: str = ""


@dataclass(frozen=True, slots=True)
class Edits:
    """So many letters, at most, are changed, left out, added or exchanged with the next (Damerau–Levenshtein)."""

    column: str
    at_most: int


@dataclass(frozen=True, slots=True)
class Share:
    """The sets have a member in common."""

    column: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Either record lacks the column."""

    column: str


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition = Equal | Similar | Edits | Share | Missing | All | Some | Not


def all_of(*parts: Condition) -> All:
    """Every part holds."""
    return All(parts)


def some_of(*parts: Condition) -> Some:
    """At least one part holds."""
    return Some(parts)


def test_of(condition: Condition) -> Test:
    """The function that tests a condition."""
    match condition:
        case All(parts):
            return reduce(_both, map(test_of, parts))
        case Some(parts):
            return reduce(_either, map(test_of, parts))
        case Not(part):
            test = test_of(part)
            return lambda a, b: not test(a, b)
        case _:
            return _of_columns(condition)


def _both(first: Test, second: Test) -> Test:
    return lambda a, b: first(a, b) and second(a, b)


def _either(first: Test, second: Test) -> Test:
    return lambda a, b: first(a, b) or second(a, b)


def _of_columns(condition: Equal | Similar | Edits | Share | Missing) -> Test:
    at = COLUMNS.index(condition.column)
    match condition:
        case Equal(column, other):
            to = COLUMNS.index(other or column)
            return lambda a, b: a[at] == b[to] != ""
        case Similar(column, at_least, other):
            return _similar(at, COLUMNS.index(other or column), at_least)
        case Edits(_, at_most):
            return _edits(at, at_most)
        case Share():
            return _share(at)
        case Missing():
            return lambda a, b: not a[at] or not b[at]


def _similar(at: int, to: int, at_least: float) -> Test:
    similarity = JaroWinkler.similarity

    def test(a: Columns, b: Columns) -> bool:
        one, other = a[at], b[to]
        return one != "" != other and similarity(one, other) >= at_least

    return test


def _edits(at: int, at_most: int) -> Test:
    distance = DamerauLevenshtein.distance

    def test(a: Columns, b: Columns) -> bool:
        one, other = a[at], b[at]
        if not one or not other or abs(len(one) - len(other)) > at_most:
            return False
        return distance(one, other, score_cutoff=at_most) <= at_most

    return test


def _share(at: int) -> Test:
    def test(a: Columns, b: Columns) -> bool:
        return not a[at].isdisjoint(b[at])

    return test
