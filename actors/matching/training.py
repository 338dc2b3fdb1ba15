"""Learns a model from records without knowing who is who: expectation–maximisation, by `splink` on DuckDB.

1. `u` of each level from random pairs, with a fixed seed; of plain equality from counting, which is exact.
2. `m` by expectation–maximisation, in sessions that each look at pairs alike in one respect and learn about the others.
3. All pairs of the blocking passes are scored. What is expected among them renews `m`, the prior, and `u`, from which
   the matches are taken out: a small table has so many of them among its random pairs that `u` would be far too high.
   This is repeated until the number of expected matches stands still.

The same records in the same order give the same bytes: one thread, a fixed seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from msgspec.structs import replace

from actors.matching.pairs_table import PairsTable, Tally
from engine.errors import InvalidInput
from engine.matching.comparable import COLUMNS, Comparable
from engine.matching.comparisons import COMPARISONS, TERMS, Comparison, columns_of, looked_at
from engine.matching.conditions import Equal, test_of
from engine.matching.model import TERM_RECORDS_MIN, TERM_VALUES_MAX, Chances, Model, Terms, first_guess, untrained

RECORDS_MIN: Final = 100  # fewer say nothing about how often what occurs
RANDOM_PAIRS: Final = 1_000_000
SEED: Final = 1969  # Fellegi and Sunter's year
_ROUNDS_MAX: Final = 25
_STANDS_STILL: Final = 1e-3  # the number of expected matches changes by no larger share
_PSEUDO: Final = 0.5  # pairs added to each level, so that none is impossible
_BELIEF: Final = 20.0  # matches that the first guess counts as, so that what was never seen is as rare as one thinks
_PER_RECORD_MIN: Final = 1e-3
_LOOKED_AT: Final = 20_000  # random pairs that tell how often a comparison is left out
# Sessions: pairs that are equal in these columns; what has to do with these columns is learnt in another. None is about
# what a household shares, where most pairs would be two people.
_SESSIONS: Final = (
    ("birth",),
    ("given_name", "surname"),
    ("national_id",),
    ("email",),
)


@dataclass(frozen=True, slots=True)
class Training:
    """A model, and what it was made from."""

    model: Model
    pairs: int  # that share a blocking key
    matches: float  # expected among them
    rounds: int
    learnt: tuple[str, ...]  # comparisons; of the others the records say nothing, so the start stays


@dataclass(frozen=True, slots=True)
class _Among:
    """How many of all pairs are in each level of a comparison, matches included, and how finely that is known."""

    levels: Mapping[str, float]
    step: Mapping[str, float]  # pairs that one counted pair stands for


def train(records: Sequence[Comparable], seed: int = SEED) -> Training:
    """The model of these records.

    InvalidInput where there are too few records, or none has a column that feeds a comparison.
    """
    if len(records) < RECORDS_MIN:
        raise InvalidInput(f"there are {len(records)} records; at least {RECORDS_MIN} are needed to learn", "--records")
    filled = {column for place, column in enumerate(COLUMNS) if any(record[place] for record in records)}
    asked = tuple(each for each in COMPARISONS if _can_agree(each, filled))
    if not asked:
        raise InvalidInput("no column of the records feeds a comparison", "--records")
    first = replace(untrained(len(records)), terms=_terms(records, filled))
    with PairsTable(records, asked, seed) as table:
        model = table.learn(first, [each for each in _SESSIONS if _teaches(each, asked, filled)], RANDOM_PAIRS)
        return _settle(table, model, _among_all(records, asked, model, seed))


def _teaches(session: Sequence[str], asked: Sequence[Comparison], filled: set[str]) -> bool:
    """Whether the records have the columns of a session, and some comparison that has nothing to do with them."""
    return filled.issuperset(session) and any(not looked_at(each).intersection(session) for each in asked)


def _can_agree(comparison: Comparison, filled: set[str]) -> bool:
    return any(columns_of(level.condition) <= filled for level in comparison.levels)


def _settle(table: PairsTable, model: Model, among: Mapping[Comparison, _Among]) -> Training:
    matches, rounds = -1.0, 0
    while True:
        tally = table.tally(model)
        model, rounds = _renewed(model, tally, among), rounds + 1
        if rounds == _ROUNDS_MAX or abs(tally.matches - matches) <= _STANDS_STILL * tally.matches:
            return Training(_rounded(model), tally.pairs, tally.matches, rounds, tuple(each.name for each in among))
        matches = tally.matches


def _renewed(model: Model, tally: Tally, among: Mapping[Comparison, _Among]) -> Model:
    """One step: the chances and the prior by what the scored pairs say."""
    comparisons = dict(model.comparisons)
    for comparison, all_pairs in among.items():
        name, guess = comparison.name, first_guess(comparison)
        matched, near = tally.of_one[name], tally.of_household[name]
        strangers = {level: count - matched[level] - near[level] for level, count in all_pairs.levels.items()}
        if not sum(matched.values()) or not sum(all_pairs.levels.values()):
            continue  # nobody to learn from
        m = _shares({level: count + _BELIEF * guess[level].m for level, count in matched.items()})
        u = _shares({level: max(count, 0.0) + _PSEUDO * all_pairs.step[level] for level, count in strangers.items()})
        comparisons[name] = {level: Chances(m[level], u[level]) for level in m}
    matches, housemates = (
        max(2 * count / model.records, _PER_RECORD_MIN) for count in (tally.matches, tally.housemates)
    )
    return replace(model, matches_per_record=matches, housemates_per_record=housemates, comparisons=comparisons)


def _among_all(
    records: Sequence[Comparable], asked: Sequence[Comparison], model: Model, seed: int
) -> dict[Comparison, _Among]:
    every = len(records) * (len(records) - 1) / 2
    random = Random(seed)
    pairs = [random.sample(records, 2) for _ in range(_LOOKED_AT)]
    found = {}
    for comparison in asked:
        left_out = test_of(comparison.left_out)
        compared = every * sum(not left_out(a, b) for a, b in pairs) / len(pairs)
        counted = _counted(records, comparison)
        chances = model.comparisons[comparison.name]
        rest = sum(chances[level].u for level in chances if level not in counted)
        scale = max(compared - sum(counted.values()), 0.0) / rest
        levels = {level: counted.get(level, chances[level].u * scale) for level in chances}
        step = {level: 1.0 if level in counted else max(every / RANDOM_PAIRS, 1.0) for level in chances}
        found[comparison] = _Among(levels, step)
    return found


def _counted(records: Sequence[Comparable], comparison: Comparison) -> dict[str, float]:
    """The pairs in levels of plain equality, exactly: a value that n records have makes n (n − 1) / 2 of them."""
    found = {}
    for level in comparison.levels:
        match level.condition:
            case Equal(column, ""):
                place = COLUMNS.index(column)
                counts = Counter(record[place] for record in records if record[place])
                found[level.name] = sum(count * (count - 1) / 2 for count in counts.values())
    return found


def _terms(records: Sequence[Comparable], filled: set[str]) -> dict[str, Terms]:
    """How common the common values of each column are."""
    found = {}
    for column in TERMS:
        if column not in filled:
            continue
        place = COLUMNS.index(column)
        counts = Counter(str(record[place]) for record in records if record[place])
        total = sum(counts.values())
        many = [(value, count) for value, count in counts.items() if count >= TERM_RECORDS_MIN]
        common = dict(sorted(many, key=lambda each: (-each[1], each[0]))[:TERM_VALUES_MAX])
        rare = [count for value, count in counts.items() if value not in common]
        others = sum(count * count for count in rare) / (total * sum(rare)) if rare else 1 / total
        found[column] = Terms(others, {value: count / total for value, count in common.items()})
    return found


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def _rounded(model: Model) -> Model:
    """To six digits, which is more than is known."""

    def short(number: float) -> float:
        return float(f"{number:.6g}")

    comparisons = {
        name: {level: Chances(short(each.m), short(each.u)) for level, each in levels.items()}
        for name, levels in model.comparisons.items()
    }
    terms = {
        column: Terms(short(each.others), {value: short(share) for value, share in sorted(each.values.items())})
        for column, each in model.terms.items()
    }
    return replace(
        model,
        matches_per_record=short(model.matches_per_record),
        housemates_per_record=short(model.housemates_per_record),
        comparisons=comparisons,
        terms=terms,
    )
