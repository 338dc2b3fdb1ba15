"""Ways through a journey to one of its steps: what has to happen, and when, so that a run comes there.

The flat program is walked from its beginning. Where it forks, each way is followed with what it takes: a branch takes a
condition, a `wait_for` an event or nothing but time, a split an arm that is drawn. Ways that take less come first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Any, Final, NamedTuple

from engine.catalog.compiled import Catalog, Journey, Step
from engine.catalog.programs.instructions import Until
from engine.catalog.triggers import DateOf
from engine.clashes.wishes import Way, unmet, ways
from engine.conditions.predicates import tree_of
from engine.vocabulary import DAY_MS, MINUTE_MS

STEPS_MAX: Final = 3_000  # that are looked at on the way to one
ROUTES_MAX: Final = 6
_WAYS_MAX: Final = 3  # of the condition of one arm
_SOON_MS: Final = MINUTE_MS  # after a wait has begun


class Happens(NamedTuple):
    """The event that a `wait_for` awaits comes."""

    after_ms: int
    step: Step


class Holds(NamedTuple):
    """The condition of a branch holds."""

    after_ms: int
    way: Way


class Draws(NamedTuple):
    """A split draws this arm."""

    after_ms: int
    split: str
    arm: str


class Dated(NamedTuple):
    """The customer has a date, so that a wait until it ends two days later."""

    after_ms: int
    trait: str
    offset_days: int


Need = Happens | Holds | Draws | Dated


class Route(NamedTuple):
    """`takes_ms` after the entry a run is at the step, if all of this happens."""

    needs: tuple[Need, ...]
    takes_ms: int


DIRECT: Final = Route((), 0)


class _At(NamedTuple):
    place: int
    after_ms: int
    needs: tuple[Need, ...]
    jumped: frozenset[int]


def routes(catalog: Catalog, journey: Journey, step: str) -> Iterator[Route]:
    """The ways to a step, by its id; those that take the least come first. Without any, no way was found."""
    order = count()
    waiting = [(0, 0, next(order), _At(0, 0, (), frozenset()))]
    found = 0
    for _ in range(STEPS_MAX):
        if not waiting or found == ROUTES_MAX:
            return
        at = heapq.heappop(waiting)[-1]
        if at.place >= len(journey.steps):
            continue
        if journey.steps[at.place].id == step:
            found += 1
            yield Route(at.needs, at.after_ms)
            continue
        for following in _following(catalog, journey, at):
            heapq.heappush(waiting, (_cost(following.needs), following.after_ms, next(order), following))


def _following(catalog: Catalog, journey: Journey, at: _At) -> Iterator[_At]:
    step = journey.steps[at.place]
    behind = at._replace(place=at.place + 1)
    match step.kind:
        case "wait":
            yield _later(behind, step.for_ms or DAY_MS) if step.until is None else _dated(journey, step.until, behind)
        case "wait_for":
            yield _later(at, step.for_ms)._replace(place=step.on_timeout)
            happens = Happens(at.after_ms + _SOON_MS, step)
            yield at._replace(place=step.on_event, after_ms=at.after_ms + _SOON_MS, needs=(*at.needs, happens))
        case "branch":
            yield from _arms(catalog, step, at)
        case "split":
            for arm, _, target in step.shares:
                yield at._replace(place=target, needs=(*at.needs, Draws(at.after_ms, step.id, arm)))
        case "parallel":
            yield from (at._replace(place=start) for _, start in step.branches)
        case "goto":
            if at.place not in at.jumped:
                yield at._replace(place=step.target, jumped=at.jumped | {at.place})
            yield behind
        case "jump":
            yield at._replace(place=step.target)
        case "send":
            yield _later(behind, step.sending.silent_ms or step.sending.bounced_ms)
        case "exit":
            return
        case _:
            yield behind


def _dated(journey: Journey, until: Until, at: _At) -> _At:
    """Behind a wait until a moment. One date serves all waits until days around it."""
    if not until.trait:
        return _later(at, DAY_MS)
    begins = [journey.begins] if isinstance(journey.begins, DateOf) else []
    dates = (need for need in (*begins, *at.needs) if isinstance(need, DateOf | Dated))
    known = next((each for each in dates if each.trait == until.trait), None)
    if known is not None:
        return _later(at, max(0, until.offset_days - known.offset_days) * DAY_MS)
    return _later(at._replace(needs=(*at.needs, Dated(at.after_ms, until.trait, until.offset_days))), DAY_MS)


def _later(at: _At, by_ms: int) -> _At:
    return at._replace(after_ms=at.after_ms + by_ms)


def _arms(catalog: Catalog, step: Step, at: _At) -> Iterator[_At]:
    """Each arm with what it takes: its condition holds, and those of the arms before it do not."""
    before = list[dict[str, Any]]()
    for condition, target in step.arms:
        tree = tree_of(condition)
        yield from _by(catalog, [*before, *([dict(tree)] if tree else [])], at._replace(place=target))
        before.append({"not": tree} if tree else {"any": []})
    yield from _by(catalog, before, at._replace(place=step.target))


def _by(catalog: Catalog, trees: list[dict[str, Any]], at: _At) -> Iterator[_At]:
    for way in [way for way in ways({"all": trees}, catalog) if not unmet(way)][:_WAYS_MAX]:
        yield at._replace(needs=(*at.needs, Holds(at.after_ms, way)) if way else at.needs)


def _cost(needs: tuple[Need, ...]) -> int:
    """How much has to happen."""
    return sum(sum(wish.holds for wish in need.way) if isinstance(need, Holds) else 1 for need in needs)
