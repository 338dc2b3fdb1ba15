"""Many questions about one customer, each on behalf of many candidates, answered together.

What actions ask of events differs mostly in how often and how lately, so such questions are kept by what they count.
The n-th newest of some events is found once; how long ago it was then strikes everybody whose window is too short,
and everybody who wanted it not to have happened in a window that is long enough.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from engine.binding import Tree
from engine.conditions import Condition, EventAtom, View, build


@dataclass(frozen=True, slots=True)
class Nth:
    """What the n-th newest event decides: `struck[k]` are those that get no for an answer where `k` of the windows
    (in milliseconds, the shortest first) are not longer than the time since then."""

    n: int
    windows: tuple[float, ...]
    struck: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counting:
    """All questions that count the events of one atom; `asking` are those on whose behalf."""

    atom: EventAtom
    asking: int
    nths: tuple[Nth, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions and on whose behalf they are asked: what counts events, and everything else."""

    asking: int
    simple: tuple[tuple[Condition, int], ...]
    counting: tuple[Counting, ...]

    @classmethod
    def of(cls, asked: Iterable[tuple[Tree, int]]) -> Questions:
        """Those of checked trees with facts in them, each on behalf of the candidates in its mask."""
        asking = 0
        simple: defaultdict[Condition, int] = defaultdict(int)
        counting: defaultdict[str, dict[tuple[int, float, bool], int]] = defaultdict(lambda: defaultdict(int))
        atoms: dict[str, EventAtom] = {}
        for tree, mask in asked:
            asking |= mask
            counts = list(_counts(tree, happened=True))
            if not counts:
                simple[build(tree)] |= mask
            for atom, n, window, happened in counts:
                atoms[atom.digest] = atom
                counting[atom.digest][n, window, happened] |= mask
        return cls(
            asking,
            tuple(sorted(simple.items(), key=lambda question: -question[1].bit_count())),
            tuple(_counting(atoms[digest], wanted) for digest, wanted in counting.items()),
        )

    def refusing(self, view: View, alive: int) -> int:
        """Those of `alive` for whom a question is answered with no."""
        left = alive & self.asking
        for condition, mask in self.simple:
            if left & mask and not condition(view):
                left &= ~mask
        now_ms, older = view.now_ms, view.profile.tallies if view.profile.spilled else None
        for counting in self.counting:
            if left & counting.asking:
                times = view.times(counting.atom)
                if older and (spilled := older.get(counting.atom.digest)):
                    times = sorted((*times, *spilled), reverse=True)
                known = len(times)
                for nth in counting.nths:
                    age = now_ms - times[nth.n - 1] if nth.n <= known else inf
                    left &= ~nth.struck[bisect_right(nth.windows, age)]
        return alive & self.asking & ~left


def _counts(tree: Tree, *, happened: bool) -> Iterator[tuple[EventAtom, int, float, bool]]:
    """A question as (events, n, window, whether so many must have happened in it); nothing where it is another
    kind. Two bounds are two questions, and in a negation they are none of this kind."""
    ((word, body),) = tree.items()
    if word == "not":
        yield from _counts(body, happened=not happened)
    if word != "event" or body.get("undone_by"):
        return
    count, window = body.get("count") or {"at_least": 1}, body.get("within", inf)
    least, most = count.get("at_least", 0), count.get("at_most")
    if least and most is not None and not happened:
        return
    if least:
        yield EventAtom.of(body["name"], body.get("where"), least), least, window, happened
    if most is not None:
        yield EventAtom.of(body["name"], body.get("where"), most + 1), most + 1, window, not happened


def _counting(atom: EventAtom, wanted: dict[tuple[int, float, bool], int]) -> Counting:
    asking = 0
    for mask in wanted.values():
        asking |= mask
    return Counting(atom, asking, tuple(_nth(n, wanted) for n in sorted({n for n, _, _ in wanted})))


def _nth(n: int, wanted: dict[tuple[int, float, bool], int]) -> Nth:
    mine = [(window, happened, mask) for (of, window, happened), mask in wanted.items() if of == n]
    windows = tuple(sorted({window for window, _, _ in mine}))
    struck = []
    for k in range(len(windows) + 1):
        passed = windows[:k]
        struck.append(0)
        for window, happened, mask in mine:
            if (window in passed) == happened:
                struck[-1] |= mask
    return Nth(n, windows, tuple(struck))
