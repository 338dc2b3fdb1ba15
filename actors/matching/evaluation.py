"""How good a model's links are, where the truth is known: precision, recall, F1, and how honest its probabilities."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

Pair = tuple[int, int]
Link = tuple[int, int, float]  # the places of two records, the smaller first, and how likely they are one person

LINK_MIN: Final = 0.01  # a pair that is less likely one person is no link
THRESHOLDS: Final = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999)
_BINS: Final = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
_CLUSTER_MAX: Final = 10_000  # records; more would make more pairs than anybody can hold


@dataclass(frozen=True, slots=True)
class Figures:
    """How many of the pairs found are true, and how many of the true ones are found; each is 1 where there are none."""

    found: int
    right: int
    true: int

    @property
    def precision(self) -> float:
        """The share of the pairs found that are true."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of the true pairs that are found."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.right / (self.found + self.true) if self.found + self.true else 1.0


@dataclass(frozen=True, slots=True)
class Bin:
    """The pairs whose probability is from `low` up to `high`: their mean, and the share that is one person."""

    low: float
    high: float
    pairs: int
    said: float
    true: float


def figures(found: Collection[Pair], truth: Collection[Pair]) -> Figures:
    """The figures of some pairs."""
    return Figures(len(found), len(set(truth).intersection(found)), len(truth))


def linked(links: Iterable[Link], at_least: float) -> set[Pair]:
    """The pairs that are at least so likely."""
    return {(a, b) for a, b, probability in links if probability >= at_least}


def clustered(pairs: Iterable[Pair]) -> set[Pair]:
    """All pairs within the groups that some pairs connect, as merging does: whoever is one with a third is one."""
    parent: dict[int, int] = {}

    def root(record: int) -> int:
        while (above := parent.setdefault(record, record)) != record:
            parent[record] = record = parent[above]
        return record

    for a, b in pairs:
        parent[root(b)] = root(a)
    groups: dict[int, list[int]] = {}
    for record in sorted(parent):
        groups.setdefault(root(record), []).append(record)
    return {pair for group in groups.values() for pair in combinations(group[:_CLUSTER_MAX], 2)}


def calibration(links: Sequence[Link], truth: Collection[Pair]) -> list[Bin]:
    """The bins of the probabilities that have a pair, from the lowest. Pairs that share no blocking key are in none."""
    true = set(truth)
    bins = []
    for low, high in pairwise(_BINS):
        inside = [link for link in links if low <= link[2] < high or (high == 1.0 and link[2] == 1.0)]
        if inside:
            said = sum(probability for _, _, probability in inside) / len(inside)
            right = sum((a, b) in true for a, b, _ in inside) / len(inside)
            bins.append(Bin(low, high, len(inside), said, right))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: how far what is said lies from what is true, on average over the pairs."""
    pairs = sum(each.pairs for each in bins)
    return sum(each.pairs * abs(each.said - each.true) for each in bins) / pairs if pairs else 0.0
