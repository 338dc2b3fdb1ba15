"""Which arms of `parallel` steps enclose a step, and whether a run's branches would still be in theirs after an edit.

A run forks and joins by walking. An edit does neither: it takes no branch into an arm that its run has not forked into,
and none out of its own. Else a step would be done twice, or by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.catalog.compiled import Step

Arm = tuple[int, str]  # the position of the join where it ends, and its name


def enclosing(program: Sequence[Step], position: int) -> tuple[Arm, ...]:
    """The arms that a position lies in, the outermost first."""
    found = []
    for at, step in enumerate(program):
        if step.kind == "parallel" and at < position < step.target:
            name = next(arm for arm, start in reversed(step.branches) if start <= position)
            found.append((step.target, name))
    return tuple(found)


def are_kept(
    before: Sequence[Step], after: Sequence[Step], same: Mapping[int, int], moves: Iterable[tuple[int, int]]
) -> bool:
    """Whether runs that go from positions in one program to positions in another one stay in their arms. `same` are the
    positions of its steps there. An arm is known by its `parallel` and its name."""
    return all(
        (before[left].kind == "join") == (after[comes_to].kind == "join")
        and [(same.get(join), arm) for join, arm in enclosing(before, left)] == [*enclosing(after, comes_to)]
        for left, comes_to in moves
    )
