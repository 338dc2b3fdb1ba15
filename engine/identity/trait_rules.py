"""Which of two values of a trait stays, as identity.yaml says (`engine.catalog.identity_rules.TraitRule`).

A source that comes earlier in the rule's list comes first. Among equals the rule compares the values or their times;
what it cannot compare (a null beside a number, two objects) goes by the times. A union takes both, in an order of its
own, so it does not matter which of two profiles was merged into which.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

import msgspec

from engine.catalog.identity_rules import TraitRule
from engine.conditions.value_tests import number_of
from engine.profile import TraitValue
from engine.values.absence import is_absent

_FURTHER: Final[dict[str, Callable[[Any, Any], bool]]] = {"max": operator.gt, "min": operator.lt}
_spelled: Final = msgspec.msgpack.Encoder(order="deterministic").encode


def settled(rule: TraitRule, known: TraitValue, told: TraitValue, *, is_newer: bool) -> TraitValue:
    """What stays of a trait that is `known` when another word is `told`. `is_newer`: it is the later one of the two."""
    first, second = (_place(rule, trait) for trait in (known, told))
    if first != second:
        return known if first < second else told
    if rule.keep == "trusted" and known.public != told.public:
        trusted = told if known.public else known
        if not is_absent(trusted.value):
            return trusted
    if rule.keep == "oldest":
        return known if is_newer else told
    newest = told if is_newer else known
    if rule.keep == "union" and not (is_absent(known.value) or is_absent(told.value) or known.value == told.value):
        public = known.public or told.public
        return TraitValue(_both(known.value, told.value), newest.at_ms, public, newest.source, newest.by)
    further = _FURTHER.get(rule.keep)
    if further is not None:
        mine, theirs = _comparable(known.value, told.value)
        if mine is not None and mine != theirs:
            return told if further(theirs, mine) else known
    return newest


def _place(rule: TraitRule, trait: TraitValue) -> int:
    return rule.sources.index(trait.source) if trait.source in rule.sources else len(rule.sources)


def _comparable(one: Any, other: Any) -> tuple[Any, Any]:
    """Two values as numbers, else as texts; None twice where they are neither."""
    numbers = number_of(one), number_of(other)
    if None not in numbers:
        return numbers
    return (one, other) if isinstance(one, str) and isinstance(other, str) else (None, None)


def _both(one: Any, other: Any) -> list[Any]:
    elements = [*(one if isinstance(one, list) else [one]), *(other if isinstance(other, list) else [other])]
    return [each for _, each in sorted({_spelled(each): each for each in elements}.items())]
