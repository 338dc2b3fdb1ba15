"""Many questions about one customer, each asked on behalf of many candidates, answered together.

Questions of events differ mostly in their count and their window, so they are grouped by the events that they count.
The n-th newest of these events is found once. Its age strikes every candidate whose window is too short for it, and
every candidate that wants no such event in a window that is long enough for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from engine.conditions.binding import Tree, names_event
from engine.conditions.event_atoms import EventAtom
from engine.conditions.predicates import build
from engine.conditions.readable import Condition, Readable

_NOTHING: Mapping[str, list[int]] = {}


class _Bound(NamedTuple):
    """That at least `n` events happened in a window (in milliseconds), or (`happened` is false) that fewer did."""

    n: int
    window: float
    happened: bool


@dataclass(frozen=True, slots=True)
class Nth:
    """What the age of the n-th newest event decides. `left[k]` are the candidates whose answer is yes where `k` of the
    windows (in milliseconds, the shortest first) are no longer than that age."""

    n: int
    windows: tuple[float, ...]
    left: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counting:
    """All questions that count the events of one atom. `asking` are the candidates that ask them, `without` the
    candidates whose answer is yes where there are no such events."""

    atom: EventAtom
    asking: int
    without: int
    nths: tuple[Nth, ...]


@dataclass(frozen=True, slots=True)
class ByText:
    """All questions that count events by the text that they have at one path. `without` are the candidates whose answer
    to all of them is yes where there are no such events at all."""

    at: tuple[str, str]
    without: int
    texts: tuple[tuple[str, Counting], ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions, and the candidates that ask them. Those that count events by one text at a path are in `by_text`,
    those that count other events in `counting`, all others in `simple`."""

    asking: int
    simple: tuple[tuple[Condition, int, int], ...]  # (question, those that ask it, those left where the answer is no)
    by_text: tuple[ByText, ...]
    counting: tuple[Counting, ...]

    @classmethod
    def of(cls, asked: Iterable[tuple[Tree, int]]) -> Questions:
        """The questions of checked trees with an action's facts in them, each asked by the candidates in its mask."""
        asking = 0
        simple: defaultdict[Condition, int] = defaultdict(int)
        wanted: defaultdict[str, defaultdict[_Bound, int]] = defaultdict(lambda: defaultdict(int))
        atoms: dict[str, EventAtom] = {}
        for tree, mask in asked:
            asking |= mask
            counts = list(_counts(tree, happened=True))
            if not counts:
                simple[build(tree)] |= mask
            for atom, bound in counts:
                atoms[atom.digest] = atom
                wanted[atom.digest][bound] |= mask
        counting = [_counting(atoms[digest], bounds, asking) for digest, bounds in wanted.items()]
        by_text: defaultdict[tuple[str, str], list[tuple[str, Counting]]] = defaultdict(list)
        for each in counting:
            if each.atom.text_at is not None:
                by_text[each.atom.text_at].append((each.atom.text, each))
        return cls(
            asking,
            # Those of most candidates first: where the answer is no, their other questions need not be asked.
            tuple(
                (condition, mask, asking & ~mask)
                for condition, mask in sorted(simple.items(), key=lambda question: -question[1].bit_count())
            ),
            tuple(_by_text(at, texts, asking) for at, texts in by_text.items()),
            tuple(each for each in counting if each.atom.text_at is None),
        )

    def refusing(self, view: Readable, alive: int) -> int:
        """The candidates of `alive` that have a question whose answer is no."""
        asking = left = alive & self.asking
        for condition, mask, others in self.simple:
            if left & mask and not condition(view):
                left &= others
        older = view.profile.tallies if view.profile.spilled else _NOTHING  # times of events that are not recent
        now_ms = view.now_ms
        for group in self.by_text:
            index = view.history.by_text(group.at)
            if not index and not older:
                left &= group.without
                continue
            for text, counting in group.texts:
                times = index.get(text)
                if times is None and not older:
                    left &= counting.without
                elif left & counting.asking:
                    left = _answered(counting, left, now_ms, times, older)
        for counting in self.counting:
            if left & counting.asking:
                left = _answered(counting, left, now_ms, view.times(counting.atom), older)
        return asking ^ left


def _answered(
    counting: Counting, left: int, now_ms: int, times: list[int] | None, older: Mapping[str, list[int]]
) -> int:
    if older and (spilled := older.get(counting.atom.digest)):
        times = sorted((*(times or ()), *spilled), reverse=True)
    if not times:
        return left & counting.without
    known = len(times)
    for nth in counting.nths:
        age = now_ms - times[nth.n - 1] if nth.n <= known else inf
        left &= nth.left[bisect_right(nth.windows, age)]
    return left


def _counts(tree: Tree, *, happened: bool) -> Iterator[tuple[EventAtom, _Bound]]:
    """A question as bounds on how often events happened; none where it is another kind of question. Two bounds are two
    questions that must both hold. Negated, one of them is enough, which is no longer this kind."""
    ((word, body),) = tree.items()
    if word == "not":
        yield from _counts(body, happened=not happened)
    if word != "event" or body.get("undone_by") or names_event(body):
        return
    count, window = body.get("count") or {"at_least": 1}, body.get("within", inf)
    least, most = count.get("at_least", 0), count.get("at_most")
    if least and most is not None and not happened:
        return
    if least:
        yield EventAtom.of(body["name"], body.get("where"), least), _Bound(least, window, happened)
    if most is not None:
        yield EventAtom.of(body["name"], body.get("where"), most + 1), _Bound(most + 1, window, not happened)


def _by_text(at: tuple[str, str], texts: list[tuple[str, Counting]], everyone: int) -> ByText:
    without = everyone
    for _, counting in texts:
        without &= counting.without
    return ByText(at, without, tuple(texts))


def _counting(atom: EventAtom, bounds: Mapping[_Bound, int], everyone: int) -> Counting:
    nths = tuple(_nth(n, bounds, everyone) for n in sorted({bound.n for bound in bounds}))
    asking, without = 0, everyone
    for mask in bounds.values():
        asking |= mask
    for nth in nths:
        without &= nth.left[-1]
    return Counting(atom, asking, without, nths)


def _nth(n: int, bounds: Mapping[_Bound, int], everyone: int) -> Nth:
    mine = [(bound, mask) for bound, mask in bounds.items() if bound.n == n]
    windows = tuple(sorted({bound.window for bound, _ in mine}))
    left = []
    for k in range(len(windows) + 1):
        struck = 0
        for bound, mask in mine:
            if (bound.window in windows[:k]) == bound.happened:
                struck |= mask
        left.append(everyone & ~struck)
    return Nth(n, windows, tuple(left))
