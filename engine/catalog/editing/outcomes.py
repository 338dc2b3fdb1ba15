"""What becomes of a run that names an older catalog: the one rule by which plans count and turns move.

A run makes all edits that it has not made yet, in order (`engine.catalog.editing.documents`). Each one is about all who
are inside then, whatever version they are in. Where an edit lets a run finish, the run stays in the version in which it
is, and a later edit may move it on after all. The branches of a run go with it: all of them move, or none. Where one of
them stands at a step that `map` names, the run is one of those that are mapped, and its other branches follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.catalog import statuses
from engine.catalog.compiled import Catalog, Edit, Journey, Step
from engine.catalog.editing import arms, steps
from engine.catalog.once_per_catalog import once_per_catalog

Word = Literal["stays", "follow", "map", "finish", "stop"]
EDITED: Final = "journey.edited"
GONE: Final = "step.gone"
ELSEWHERE: Final = "step.elsewhere"  # in an arm of a `parallel` that it has not gone into, or out of its own


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a run. `version` and `positions` are those that it has then. `reason` says why it stops, or why
    it finishes though everybody was to follow."""

    word: Word
    version: str
    positions: tuple[int, ...]
    reason: str = ""


def of(catalog: Catalog, journey: str, version: str, positions: Sequence[int], edition: int = 0) -> Outcome:
    """What becomes of a run under the catalog `catalog`; `positions` are those of the run and of its branches. The
    edits up to `edition` were asked already: one that let the run finish is not asked again at its next step."""
    stays = Outcome("stays", version, tuple(positions))
    reason = statuses.ended(catalog, journey, version)
    if reason:
        return Outcome("stop", version, stays.positions, reason)
    if version == catalog.version:
        return stays
    entered, active = catalog.of_version(version).journeys.get(journey), catalog.journeys[journey]
    if entered is None or max(entered.edition, edition) >= active.edition:
        return stays
    known, edition = _known(catalog), max(entered.edition, edition)
    key = journey, version, edition, stays.positions
    if key not in known:
        known[key] = _edited(catalog, active, edition, stays)
    return known[key]


@once_per_catalog
def _known(_: Catalog) -> dict[tuple[str, str, int, tuple[int, ...]], Outcome]:
    """What was worked out: many runs stand at few steps."""
    return {}


def _edited(catalog: Catalog, active: Journey, edition: int, run: Outcome) -> Outcome:
    for edit in active.edits:
        if edit.number <= edition:
            continue
        to = _as_made_by(catalog, active, edit)
        if run.word == "stop" or (to is None and edit.rest == "stop" and not edit.map):
            run = Outcome("stop", run.version, run.positions, EDITED)  # who stops needs no other version
        elif to is not None:
            run = _after(catalog.of_version(run.version), to, active.id, edit, run)
    return run


def _as_made_by(catalog: Catalog, active: Journey, edit: Edit) -> Catalog | None:
    """The catalog that has a journey as an edit made it; None where it is not kept here."""
    if edit.number == active.edition and not edit.version:
        return catalog
    made = catalog.of_version(edit.version)
    return made if made.version == edit.version and active.id in made.journeys else None


def _after(was: Catalog, to: Catalog, journey: str, edit: Edit, run: Outcome) -> Outcome:
    """A run after one edit."""
    before, after = was.journeys[journey].steps, to.journeys[journey].steps
    same = steps.pairs(was, to, journey)
    mapped = _mapped(before, after, edit, run.positions)
    if not mapped and edit.rest != "follow":
        return Outcome(edit.rest, run.version, run.positions, EDITED if edit.rest == "stop" else run.reason)
    places = [mapped.get(position, same.get(position)) for position in run.positions]
    found = tuple(place for place in places if place is not None)
    if len(found) < len(places):
        return Outcome("finish", run.version, run.positions, GONE)
    if not arms.are_kept(before, after, same, zip(run.positions, found, strict=True)):
        return Outcome("finish", run.version, run.positions, ELSEWHERE)
    return Outcome("map" if mapped else "follow", to.version, found)


def _mapped(before: Sequence[Step], after: Sequence[Step], edit: Edit, positions: Sequence[int]) -> dict[int, int]:
    """Where those of a run's positions lead that an edit maps. At a join nobody stands: its branches do."""
    named = {step.id: position for position, step in enumerate(after)}
    standing = (each for each in positions if each < len(before) and before[each].kind != "join")
    return {each: named[to] for each in standing if (to := edit.map.get(before[each].id)) in named}


def moves(found: Outcome, version: str) -> bool:
    """Whether a run goes on in another catalog than `version`, which it names now."""
    return found.word != "stop" and found.version != version
