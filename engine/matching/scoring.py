"""How likely two records are one person, by Fellegi and Sunter (1969): weights of evidence that add up.

    bits = log2(prior / (1 − prior)) + Σ log2(m / u)          probability = 1 / (1 + 2^−bits)

Each comparison adds the weight of the level that the pair is in. Where a level has terms, `u` is the share of the very
value that both have: two Smiths are less of a surprise than two Wojciechowskis.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2
from typing import Final, NamedTuple

from engine.matching.comparable import COLUMNS, Comparable
from engine.matching.comparisons import COMPARISONS, DIFFERENT, Comparison, Level
from engine.matching.conditions import Test, test_of
from engine.matching.model import Chances, Model, Terms

_BITS_MAX: Final = 1_000.0  # beyond, a power of two is no float any more


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


@dataclass(frozen=True, slots=True)
class Matcher:
    """A model made ready to score pairs of a population."""

    prior_bits: float
    questions: tuple[_Question, ...]


def matcher(model: Model, population: int = 0) -> Matcher:
    """Make a model ready for so many records; without a number, for as many as it was trained on."""
    prior = model.prior(population)
    questions = tuple(_question(comparison, model) for comparison in COMPARISONS)
    return Matcher(log2(prior / (1 - prior)), questions)


def score(ready: Matcher, a: Comparable, b: Comparable) -> Score:
    """How likely two records are one person; the order of the two does not matter."""
    reasons = []
    bits = ready.prior_bits
    for left_out, steps, different in ready.questions:
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
        bits += found.bits
    return Score(probability_of(bits), tuple(reasons))


def probability_of(bits: float) -> float:
    """The probability behind a sum of evidence."""
    return float(1 / (1 + 2.0 ** -max(-_BITS_MAX, min(_BITS_MAX, bits))))


def _question(comparison: Comparison, model: Model) -> _Question:
    chances = model.comparisons[comparison.name]
    steps = tuple(_step(comparison.name, level, chances[level.name], model) for level in comparison.levels)
    different = Reason(comparison.name, DIFFERENT, _bits(chances[DIFFERENT]))
    return _Question(test_of(comparison.left_out), steps, different)


def _step(name: str, level: Level, chances: Chances, model: Model) -> _Step:
    reason = Reason(name, level.name, _bits(chances))
    shares = model.terms.get(level.terms) if level.terms else None
    column = COLUMNS.index(level.terms) if shares else -1
    return _Step(test_of(level.condition), reason, column, shares, log2(chances.m))


def _bits(chances: Chances) -> float:
    return log2(chances.m / chances.u)
