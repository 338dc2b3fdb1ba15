"""Finds what is wrong with the `map` of an edit: steps that nobody can be at, and ways that no run can go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from engine.catalog.compiled import Catalog, Step
from engine.catalog.editing import arms, steps
from engine.values.nearest import meant

_LAID_OUT: Final = ("jump", "join")  # instructions that nobody has written

_KEPT: Final = "an edit takes nobody into an arm of a parallel, or out of one"


def faults(versions: Iterable[Catalog], now: Catalog, journey: str, mapping: Mapping[str, str]) -> Iterator[str]:
    """The faults of a mapping that leads to steps of the catalog `now`, from those of the `versions` that anybody is
    in."""
    after = now.journeys[journey].steps if journey in now.journeys else ()
    to = _named(after)
    before = [
        (was.journeys[journey].steps, steps.pairs(was, now, journey))
        for was in versions
        if journey in was.journeys and after
    ]
    known = {name for program, _ in before for name in _named(program)}
    for left, right in mapping.items():
        if right not in to:
            yield f"{journey} has no step {right}; {meant(right, to)}"
        elif left not in known:
            yield f"{journey} has no step {left} in any version that somebody is in; {meant(left, known)}"
        elif not any(
            arms.are_kept(program, after, same, [(_named(program)[left], to[right])])
            for program, same in before
            if left in _named(program)
        ):
            yield f"nobody at {left} of {journey} can go on at {right}: {_KEPT}"


def _named(program: Iterable[Step]) -> dict[str, int]:
    return {step.id: position for position, step in enumerate(program) if step.kind not in _LAID_OUT}
