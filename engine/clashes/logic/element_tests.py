"""What tests on one value say of it, so that two of them can be compared: does one imply the other, can they both hold?

It is the grammar of `engine.conditions.value_tests` for one element at one path. Facts that are put in later
(`$event.x`) and tests within an element (`some`) are opaque: they imply themselves alone, and rule nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from engine.conditions.value_tests import number_of
from engine.values.absence import is_absent

_BOUNDS = ("at_least", "at_most", "more_than", "less_than")


@dataclass(frozen=True, slots=True)
class ElementTest:
    """One element passes it that is among `allowed` (None: any), lies between `low` and `high`, and is as `opaque`
    says. An open end is not itself inside. Absence passes only where it is allowed by name."""

    allowed: tuple[Any, ...] | None = None
    low: float = -inf
    is_low_open: bool = False
    high: float = inf
    is_high_open: bool = False
    opaque: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tests: Mapping[str, Any]) -> ElementTest:
        """From the tests of one path that one element must pass together."""
        allowed: list[Any] | None = None
        opaque = set[str]()
        ends: dict[str, tuple[float, bool]] = {"low": (-inf, False), "high": (inf, False)}
        for word, operand in tests.items():
            bound = number_of(operand) if word in _BOUNDS else None
            if word in ("is", "in") and not _is_open(operand):
                members = list(operand) if isinstance(operand, list | tuple) else [operand]
                allowed = members if allowed is None else [each for each in allowed if _is_among(each, members)]
            elif bound is not None:
                end = "low" if word in ("at_least", "more_than") else "high"
                ends[end] = _tighter(end, ends[end], (float(bound), word in ("more_than", "less_than")))
            elif word != "exists":
                opaque.add(repr((word, operand)))
        (low, low_open), (high, high_open) = ends["low"], ends["high"]
        return cls(None if allowed is None else tuple(allowed), low, low_open, high, high_open, frozenset(opaque))

    @property
    def is_bounded(self) -> bool:
        """Whether it compares numbers. What is compared so is one number, never a list of them."""
        return self.low != -inf or self.high != inf

    @property
    def is_flag(self) -> bool:
        """Whether it asks for true or false."""
        return self.allowed is not None and all(isinstance(value, bool) for value in self.allowed)

    def is_possible(self) -> bool:
        """Whether any value passes."""
        if self.low > self.high or (self.low == self.high and (self.is_low_open or self.is_high_open)):
            return False
        return self.allowed is None or any(map(self._lies_between, self.allowed))

    def implies(self, other: ElementTest) -> bool:
        """Whether every value that passes this one passes the other too. An unclear answer is no."""
        if not other.opaque <= self.opaque:
            return False
        if self.allowed is not None:
            mine = [value for value in self.allowed if self._lies_between(value)]
            return all(map(other.passes, mine))
        return other.allowed is None and self._is_within(other)

    def passes(self, value: Any) -> bool:
        """Whether a plain value passes, opaque tests aside."""
        if self.allowed is not None and not _is_among(value, self.allowed):
            return False
        return self._lies_between(value) and (self.allowed is not None or not is_absent(value))

    def both(self, other: ElementTest) -> ElementTest:
        """The test that one value passes which passes both."""
        allowed = self.allowed if other.allowed is None else other.allowed
        if self.allowed is not None and other.allowed is not None:
            allowed = tuple(value for value in self.allowed if _is_among(value, other.allowed))
        low, low_open = _tighter("low", (self.low, self.is_low_open), (other.low, other.is_low_open))
        high, high_open = _tighter("high", (self.high, self.is_high_open), (other.high, other.is_high_open))
        return ElementTest(allowed, low, low_open, high, high_open, self.opaque | other.opaque)

    def _lies_between(self, value: Any) -> bool:
        if not self.is_bounded:
            return True
        number = number_of(value)
        if number is None:
            return False
        above = number > self.low if self.is_low_open else number >= self.low
        return above and (number < self.high if self.is_high_open else number <= self.high)

    def _is_within(self, other: ElementTest) -> bool:
        low = self.low > other.low or (self.low == other.low and (self.is_low_open or not other.is_low_open))
        high = self.high < other.high or (self.high == other.high and (self.is_high_open or not other.is_high_open))
        return low and high


def _tighter(end: str, one: tuple[float, bool], other: tuple[float, bool]) -> tuple[float, bool]:
    if one[0] == other[0]:
        return one[0], one[1] or other[1]
    return max(one, other) if end == "low" else min(one, other)


def _is_among(value: Any, members: Any) -> bool:
    return any(_is_same(value, member) for member in members)


def _is_same(one: Any, other: Any) -> bool:
    """Equal as tests compare: true is no number, and a text that is a plain number is that number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    numbers = number_of(one), number_of(other)
    if is_absent(one) or is_absent(other):
        return is_absent(one) and is_absent(other)
    return bool(one == other) or (None not in numbers and numbers[0] == numbers[1])


def _is_open(operand: Any) -> bool:
    """Whether a fact is to be put in later."""
    members = operand if isinstance(operand, list | tuple) else [operand]
    return any(isinstance(each, str) and each.startswith("$") for each in members)
