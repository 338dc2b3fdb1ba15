"""How likely two records are one person, by Fellegi and Sunter (1969): weights of evidence, in bits, that add up.

Each comparison adds log2(m / u) for the level that the pair is in. Where a level has terms, `u` is the share of the
very value that both have: two Smiths are less of a surprise than two Wojciechowskis.

The pair could be three other things than one person, and the evidence has to beat each of them:

    two strangers     log2(prior / (1 − prior))   + the weights of all comparisons
    two housemates    log2(matches / housemates)  + those that a household does not share
    twins             log2(matches / twins)       + those that twins do not share either

    probability = 1 / (1 + 2^−strangers + 2^−housemates + 2^−twins)

Without the last two, who lives together would be one person: surname, address and telephone agree by more bits than
anything else. With them, these say that two records belong to one household, and the rest has to say whose they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Final, NamedTuple

from engine.matching.comparable import COLUMNS, Comparable
from engine.matching.comparisons import COMPARISONS, DIFFERENT, HOUSEHOLD, NOBODY, Comparison, Level
from engine.matching.conditions import Test, test_of
from engine.matching.model import Chances, Model, Terms

BITS_MAX: Final = 1_000.0  # beyond, a power of two is no float any more


class Reason(NamedTuple):
    """What one comparison said: its level, and the evidence in bits, below 0 where it speaks against."""

    comparison: str
    level: str
    bits: float


class Score(NamedTuple):
    """How likely a pair is one person, and why. Comparisons that had nothing to compare are not among the reasons."""

    probability: float
    reasons: tuple[Reason, ...]


class _Step(NamedTuple):
    test: Test
    reason: Reason
    column: int  # the column whose value's share counts; −1 for none
    shares: Terms | None
    m_bits: float


class _Question(NamedTuple):
    left_out: Test
    steps: tuple[_Step, ...]
    different: Reason
    tells_housemates: bool  # apart
    tells_twins: bool


@dataclass(frozen=True, slots=True)
class Matcher:
    """A model made ready to score pairs of a population. The bits are what speaks for one person before anything is
    compared, against each of the other possibilities."""

    against_strangers: float
    against_housemates: float
    against_twins: float
    questions: tuple[_Question, ...]


def matcher(model: Model, population: int = 0) -> Matcher:
    """Make a model ready for so many records; without a number, for as many as it was trained on."""
    prior, matches = model.prior(population), model.matches_per_record
    return Matcher(
        log2(prior / (1 - prior)),
        log2(matches / model.housemates_per_record),
        log2(matches / model.twins_per_record),
        tuple(_question(comparison, model) for comparison in COMPARISONS),
    )


def score(ready: Matcher, a: Comparable, b: Comparable) -> Score:
    """How likely two records are one person; the order of the two does not matter."""
    reasons = []
    strangers, housemates, twins = ready.against_strangers, ready.against_housemates, ready.against_twins
    for left_out, steps, different, tells_housemates, tells_twins in ready.questions:
        if left_out(a, b):
            continue
        found = different
        for test, reason, column, shares, m_bits in steps:
            if test(a, b):
                found = reason
                if shares is not None:
                    found = Reason(reason.comparison, reason.level, m_bits - log2(shares.share_of(str(a[column]))))
                break
        reasons.append(found)
        bits = found.bits
        strangers += bits
        if tells_housemates:
            housemates += bits
            if tells_twins:
                twins += bits
    return Score(1 / (1 + _odds(-strangers) + _odds(-housemates) + _odds(-twins)), tuple(reasons))


def _odds(bits: float) -> float:
    return float(2.0 ** max(-BITS_MAX, min(BITS_MAX, bits)))


def _question(comparison: Comparison, model: Model) -> _Question:
    chances = model.comparisons[comparison.name]
    steps = tuple(_step(comparison.name, level, chances[level.name], model) for level in comparison.levels)
    different = Reason(comparison.name, DIFFERENT, _bits(chances[DIFFERENT]))
    shared = comparison.shared
    return _Question(test_of(comparison.left_out), steps, different, shared != HOUSEHOLD, shared == NOBODY)


def _step(name: str, level: Level, chances: Chances, model: Model) -> _Step:
    reason = Reason(name, level.name, _bits(chances))
    shares = model.terms.get(level.terms) if level.terms else None
    column = COLUMNS.index(level.terms) if shares else -1
    return _Step(test_of(level.condition), reason, column, shares, log2(chances.m))


def _bits(chances: Chances) -> float:
    return log2(chances.m / chances.u)
