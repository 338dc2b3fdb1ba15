"""Which comparisons a pair of records goes through, and the levels of each, from the strongest down.

A pair is in the first level whose condition holds, else in the last one, `different`. A comparison that has nothing to
compare is left out and says nothing. This is the one configuration: the engine scores by it, and training estimates how
often each level occurs among pairs of one person and among others.

What depends on each other stands in one comparison, because the weights add up as if comparisons were independent: a
town follows from its postcode. For the same reason names or lines of an address that were put into each other's place
are one level, not two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.matching.conditions import (
    All,
    Condition,
    Edits,
    Equal,
    Missing,
    Not,
    Share,
    Similar,
    Some,
    all_of,
    some_of,
)

DIFFERENT: Final = "different"

# Who has the same, beside the person: nobody; a twin, who has all that a household has; whoever lives in the household.
NOBODY: Final = "nobody"
TWINS: Final = "twins"
HOUSEHOLD: Final = "household"


@dataclass(frozen=True, slots=True)
class Level:
    """One level of agreement. `m` and `u`: how often a pair of one person, and one of two, is in it, before anything is
    learnt. With `terms`, agreeing on a rare value of that column says more than on a common one."""

    name: str
    m: float
    u: float
    condition: Condition
    terms: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question about a pair. It is not asked where `left_out` holds. `shared` says who else agrees in it as often
    as two records of one person do."""

    name: str
    left_out: Condition
    levels: tuple[Level, ...]
    shared: str = NOBODY

    @property
    def level_names(self) -> tuple[str, ...]:
        """From the strongest to `different`."""
        return (*(level.name for level in self.levels), DIFFERENT)


def _crossed(first: str, second: str) -> Condition:
    """The columns stand in each other's place: both do, or one does and nothing stands in its own."""
    alike = 0.92
    one = some_of(Similar(first, alike, second), Similar(second, alike, first))  # first, because it seldom holds
    both = all_of(Similar(first, alike, second), Similar(second, alike, first))
    same = some_of(Equal(first), Equal(second))
    in_place = some_of(Similar(first, alike), Similar(second, alike))
    return all_of(one, some_of(all_of(both, Not(same)), Not(in_place)))


_NAMES_CROSSED: Final = _crossed("given_name", "surname")
_LINES_CROSSED: Final = _crossed("street", "street_extra")


def _name(column: str, sound: str) -> tuple[Level, ...]:
    return (
        Level("exact", 0.75, 0.004, Equal(column), terms=column),
        Level("close", 0.1, 0.002, some_of(Similar(column, 0.92), Edits(column, 1))),
        Level("sounds alike", 0.02, 0.004, Equal(sound)),
        Level("similar", 0.03, 0.01, some_of(Similar(column, 0.8), Edits(column, 2))),
    )


COMPARISONS: Final = (
    Comparison(
        "given_name",
        all_of(Missing("given_name"), Not(_NAMES_CROSSED)),
        (Level("swapped with the surname", 0.02, 1e-4, _NAMES_CROSSED), *_name("given_name", "given_sound")),
    ),
    Comparison("surname", some_of(Missing("surname"), _NAMES_CROSSED), _name("surname", "surname_sound"), HOUSEHOLD),
    Comparison(
        "birth",
        Missing("birth"),
        (
            Level("exact", 0.9, 4e-5, Equal("birth"), terms="birth"),
            Level("day and month swapped", 0.01, 2e-5, Equal("birth", "birth_crossed")),
            Level("one digit", 0.03, 1e-3, Edits("birth", 1)),
            Level(
                "two of three parts",
                0.01,
                3e-3,
                some_of(Equal("birth_year_month"), Equal("birth_year_day"), Equal("birth_month_day")),
            ),
            Level("two digits", 0.01, 0.01, Edits("birth", 2)),
        ),
        TWINS,
    ),
    Comparison(
        "national_id",
        Missing("national_id"),
        (Level("exact", 0.9, 1e-7, Equal("national_id")), Level("one digit", 0.05, 1e-5, Edits("national_id", 1))),
    ),
    Comparison(
        "street_number",
        Missing("street_number"),
        (
            Level("exact", 0.8, 0.015, Equal("street_number"), terms="street_number"),
            Level("one digit", 0.06, 0.2, Edits("street_number", 1)),
        ),
        HOUSEHOLD,
    ),
    Comparison(
        "street",
        all_of(Missing("street"), Not(_LINES_CROSSED)),
        (
            Level("lines swapped", 0.01, 5e-5, _LINES_CROSSED),
            Level("exact", 0.7, 5e-4, Equal("street"), terms="street"),
            Level("close", 0.15, 5e-4, some_of(Similar("street", 0.94), Edits("street", 2))),
            Level("similar", 0.02, 2e-3, Similar("street", 0.86)),
        ),
        HOUSEHOLD,
    ),
    Comparison(
        "street_extra",
        some_of(Missing("street_extra"), _LINES_CROSSED),
        (
            Level("exact", 0.6, 1e-3, Equal("street_extra")),
            Level("close", 0.15, 5e-4, some_of(Similar("street_extra", 0.92), Edits("street_extra", 2))),
            Level("similar", 0.03, 2e-3, Similar("street_extra", 0.8)),
        ),
        HOUSEHOLD,
    ),
    Comparison(
        "place",
        all_of(Missing("city"), Missing("postcode")),
        (
            Level("city and postcode", 0.65, 5e-4, all_of(Equal("city"), Equal("postcode"))),
            Level("postcode, city close", 0.1, 2e-4, all_of(Equal("postcode"), Similar("city", 0.88))),
            Level("city, postcode close", 0.06, 1e-4, all_of(Equal("city"), Edits("postcode", 1))),
            Level("both close", 0.02, 5e-5, all_of(Similar("city", 0.88), Edits("postcode", 1))),
            Level("postcode", 0.05, 1e-3, Equal("postcode")),
            Level("city", 0.03, 2e-3, Equal("city"), terms="city"),
            Level("city close", 0.01, 1e-3, Similar("city", 0.92)),
            Level("postcode close", 0.01, 0.01, Edits("postcode", 1)),
        ),
        HOUSEHOLD,
    ),
    Comparison(
        "region",
        some_of(Missing("region"), Equal("postcode"), Equal("city")),  # it follows from either
        (Level("exact", 0.9, 0.2, Equal("region"), terms="region"),),
        HOUSEHOLD,
    ),
    Comparison(
        "email",
        Missing("email"),
        (
            Level("exact", 0.7, 1e-7, Equal("email")),
            Level("same name at another host", 0.05, 1e-5, Equal("email_name")),
            Level("close", 0.05, 1e-4, some_of(Edits("email", 2), Similar("email_name", 0.94))),
        ),
        HOUSEHOLD,
    ),
    Comparison(
        "phone",
        Missing("phone"),
        (
            Level("exact", 0.75, 1e-6, Equal("phone")),
            Level("one digit", 0.05, 1e-5, Edits("phone", 1)),
        ),
        HOUSEHOLD,
    ),
    Comparison("devices", Missing("devices"), (Level("shared", 0.3, 1e-6, Share("devices")),), HOUSEHOLD),
    Comparison("networks", Missing("networks"), (Level("shared", 0.3, 1e-4, Share("networks")),), HOUSEHOLD),
)

TERMS: Final = tuple(dict.fromkeys(level.terms for each in COMPARISONS for level in each.levels if level.terms))


def looked_at(comparison: Comparison) -> frozenset[str]:
    """The columns that a comparison looks at."""
    return frozenset[str]().union(
        columns_of(comparison.left_out), *(columns_of(each.condition) for each in comparison.levels)
    )


def columns_of(condition: Condition) -> frozenset[str]:
    """The columns that a condition looks at."""
    match condition:
        case All(parts) | Some(parts):
            return frozenset[str]().union(*map(columns_of, parts))
        case Not(part):
            return columns_of(part)
        case Equal(column, other) | Similar(column, _, other):
            return frozenset((column, other or column))
        case _:
            return frozenset((condition.column,))
