"""What would become of everybody inside if another catalog were active: counted before anything changes.

A plan and a turn ask the same function (`engine.catalog.editing.outcomes`), so what the plan counts is what happens, as
long as nobody moves in between. A customer who stands in a journey several times counts once in each group.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple

import msgspec

from engine.catalog import statuses
from engine.catalog.compiled import Catalog, Journey, Step
from engine.catalog.editing import documents, outcomes, shared, steps

Where = Literal["before", "at", "after"]
WHERES: Final[tuple[Where, ...]] = ("before", "at", "after")
WORDS: Final = ("follow", "map", "finish", "stop")
GROUPS_MAX: Final = 1_000  # of one journey that are shown
_LAID_OUT: Final = ("jump",)  # instructions that nobody has written


class Place(NamedTuple):
    """Where a run stands: the positions of it and of its branches in its version, and the last edit that it was asked
    for."""

    version: str
    edition: int
    positions: tuple[int, ...]


Counted = Mapping[tuple[Place, ...], int]  # customers, by the places of all their runs in a journey


@dataclass(slots=True)
class _Group:
    customers: int = 0
    run_count: int = 0


@dataclass(slots=True)
class _Inside:
    """Everybody inside a journey, sorted by what becomes of them."""

    customers: int = 0
    run_count: int = 0
    becomes: Counter[str] = field(default_factory=Counter)
    groups: defaultdict[tuple[Place, outcomes.Outcome], _Group] = field(default_factory=lambda: defaultdict(_Group))


def id_of(was: str, now: str) -> str:
    """The id of the plan that leads from one version to another."""
    return blake2b(f"{was}>{now}".encode(), digest_size=8).hexdigest()


def affected(was: Catalog, now: Catalog) -> dict[str, str]:
    """The journeys about which a plan says something, each with what happens to it: `new`, `changed`, `removed`,
    `stopped`; `shared`: only what it shares with others changes."""
    before, after = (msgspec.msgpack.decode(each.document) for each in (was, now))
    found, moved = {}, shared.changed(before, after)
    for name in sorted({*was.journeys, *now.journeys}):
        old, new = was.journeys.get(name), now.journeys.get(name)
        if old is None or new is None:
            found[name] = "removed" if new is None else "new"
        elif new.status == "stopped" and old.status != "stopped":
            found[name] = "stopped"
        elif documents.is_edited(before, after, name):
            found[name] = "changed"
        elif name in moved:
            found[name] = "shared"
    return found


def plan(was: Catalog, now: Catalog, inside: Mapping[str, Counted]) -> dict[str, Any]:
    """The plan as plain data. Both catalogs know the older ones in their archives that runs name; `inside` are the
    customers in each affected journey."""
    rows = [_journey(was, now, name, change, inside.get(name, {})) for name, change in affected(was, now).items()]
    moved = shared.changed(*(msgspec.msgpack.decode(each.document) for each in (was, now)))
    for row in rows:
        row["shared"] = moved.get(row["journey"], [])
    return {
        "plan": id_of(was.version, now.version),
        "catalogVersion": was.version,
        "proposed": now.version,
        "files": _files(was, now),
        "journeys": rows,
    }


def _files(was: Catalog, now: Catalog) -> dict[str, list[str]]:
    before, after = (statuses.files_of(msgspec.msgpack.decode(each.document)) for each in (was, now))
    return {
        "added": sorted(after.keys() - before.keys()),
        "changed": sorted(name for name in before.keys() & after.keys() if before[name] != after[name]),
        "removed": sorted(before.keys() - after.keys()),
    }


def _journey(was: Catalog, now: Catalog, name: str, change: str, counted: Counted) -> dict[str, Any]:
    found = _Inside()
    for places, customers in counted.items():
        _sort(now, name, places, customers, found)
    row: dict[str, Any] = {"journey": name, "change": change, "rule": _rule(was, now, name)}
    row |= {"customers": found.customers, "runs": found.run_count}
    row["becomes"] = {word: found.becomes[word] for word in WORDS}
    row["steps"] = [*_changed_steps(was, now, name, counted)] if change == "changed" else []
    groups = sorted(found.groups.items(), key=lambda each: -each[1].customers)
    row["groups"] = [_shown(now, name, *where, group) for where, group in groups[:GROUPS_MAX]]
    return row


def _rule(was: Catalog, now: Catalog, name: str) -> dict[str, Any]:
    """The rule of this edit, as it was stated; to finish where nothing was."""
    old, new = was.journeys.get(name), now.journeys.get(name)
    if new is None or new.status == "stopped":
        return {"rest": "stop", "map": {}}
    if old is None or new.edition == old.edition:
        return {"rest": "finish", "map": {}}
    return {"rest": new.edits[-1].rest, "map": dict(new.edits[-1].map)}


def _sort(now: Catalog, name: str, places: Sequence[Place], customers: int, found: _Inside) -> None:
    found.customers += customers
    found.run_count += customers * len(places)
    groups, words = set(), set()
    for place in places:
        outcome = outcomes.of(now, name, place.version, place.positions, place.edition)
        groups.add((place, outcome))
        words.add(_word(outcome))
        found.groups[place, outcome].run_count += customers
    for group in groups:
        found.groups[group].customers += customers
    for word in words:
        found.becomes[word] += customers


def _word(outcome: outcomes.Outcome) -> str:
    return "finish" if outcome.word == "stays" else outcome.word


def _shown(now: Catalog, name: str, place: Place, outcome: outcomes.Outcome, group: _Group) -> dict[str, Any]:
    row: dict[str, Any] = {"version": place.version, "step": _step(now, name, place.version, place.positions)}
    row |= {"customers": group.customers, "runs": group.run_count, "becomes": _word(outcome)}
    if outcomes.moves(outcome, place.version):
        row["to"] = {"version": outcome.version, "step": _step(now, name, outcome.version, outcome.positions)}
    return row | ({"reason": outcome.reason} if outcome.reason else {})


def _step(now: Catalog, name: str, version: str, positions: Sequence[int]) -> str:
    program = _program(now, version, name)
    return program[positions[0]].id if positions and positions[0] < len(program) else ""


def _program(catalog: Catalog, version: str, name: str) -> Sequence[Step]:
    journey: Journey | None = catalog.of_version(version).journeys.get(name)
    return journey.steps if journey is not None else ()


# -- before, at and after a changed step


def _changed_steps(was: Catalog, now: Catalog, name: str, counted: Counted) -> Iterator[dict[str, Any]]:
    old, new = was.journeys[name].steps, now.journeys[name].steps
    same = steps.pairs(was, now, name)
    for position, step in enumerate(old):
        if step.kind in _LAID_OUT:
            continue
        if position not in same:
            yield _step_row(step, "removed") | _around(now, was, name, position, counted)
        elif steps.signature(was, step) != steps.signature(now, new[same[position]]):
            yield _step_row(step, "changed") | _around(now, was, name, position, counted)
    for position in sorted(set(range(len(new))) - set(same.values())):
        if new[position].kind not in _LAID_OUT:
            yield _step_row(new[position], "new") | _around(now, now, name, position, counted)


def _step_row(step: Step, change: str) -> dict[str, Any]:
    return {"step": step.id, "kind": step.kind, "change": change}


def _around(now: Catalog, catalog: Catalog, name: str, target: int, counted: Counted) -> dict[str, int]:
    """How many customers may still come to a step of a catalog, stand at it, and will not come to it any more."""
    program, found = catalog.journeys[name].steps, Counter[str]()
    leading = {position for position in range(len(program)) if target in _reachable(program, position)}
    for places, customers in counted.items():
        wheres = {_where(now, catalog, name, place, target, leading) for place in places}
        found.update(dict.fromkeys(wheres, customers))
    return {where: found[where] for where in WHERES}


def _where(now: Catalog, catalog: Catalog, name: str, place: Place, target: int, leading: set[int]) -> Where:
    own = now.of_version(place.version)
    same = steps.pairs(own, catalog, name) if name in own.journeys else {}
    positions = {same.get(position) for position in place.positions}
    if target in positions:
        return "at"
    return "before" if positions & leading else "after"


def _reachable(program: Sequence[Step], position: int) -> set[int]:
    found: set[int] = set()
    waiting = [position]
    while waiting:
        here = waiting.pop()
        if here < len(program):
            new = steps.leads_to(program, here) - found
            found |= new
            waiting += new
    return found
