"""Moves a run on to another version of its journey, or stops it, as the edits of the journey say.

`engine.catalog.editing.outcomes` says what becomes of it; this is done when its profile's next turn begins, before
anything else of that turn. A step that both versions have in the same words goes on as it is, with its timer. A wait
that has become longer or shorter ends as much later or earlier. Where a run comes to a step that it was not at, the
step begins when its timer fires, which is at once: so an event of the same turn meets its stops before.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.catalog.compiled import Catalog, Journey, Step
from engine.catalog.editing import outcomes
from engine.catalog.editing import steps as programs
from engine.catalog.editing.outcomes import Outcome
from engine.journeys import life, run_keys, stops, waits
from engine.journeys.steps import forks
from engine.profile import Profile, Run
from engine.turn_state import Turn
from engine.vocabulary import NEVER_MS

_WAITS = ("wait", "wait_for")


def places(profile: Profile, run: Run) -> tuple[list[Run], list[int]]:
    """A run with the branches that it has begun, and the positions that all of them depend on."""
    family = [run, *sorted(life.branches_of(profile, run), key=lambda each: each.id)]
    return family, [each.position for each in family] + [each.ends_at for each in family if each.ends_at]


def is_due(profile: Profile, run: Run, catalog: Catalog) -> bool:
    """Whether `make` would move a run or stop it."""
    found = outcomes.of(catalog, run.journey, run.version, places(profile, run)[1], run.edition)
    return found.word == "stop" or outcomes.moves(found, run.version)


def changes_timers(catalog: Catalog, journey: str, version: str, positions: Sequence[int], found: Outcome) -> bool:
    """Whether a run that moves from these positions has to be woken: one of its steps is another one now."""
    was, to = catalog.of_version(version), catalog.of_version(found.version)
    before, after = was.journeys[journey].steps, to.journeys[journey].steps
    same = programs.pairs(was, to, journey)
    return any(
        same.get(left) != comes_to or programs.signature(was, before[left]) != programs.signature(to, after[comes_to])
        for left, comes_to in zip(positions, found.positions, strict=True)
        if left < len(before)
    )


def make(turn: Turn, run: Run) -> None:
    """Make the edits that a run has not made yet."""
    active = turn.catalog.journeys.get(run.journey)
    if active is None or run.edition >= active.edition:
        return
    family, positions = places(turn.profile, run)
    found = outcomes.of(turn.catalog, run.journey, run.version, positions, run.edition)
    if found.word == "stop":
        for each in family:
            if each.state == "active":
                stops.end_run(turn, each, found.reason)
        return
    if outcomes.moves(found, run.version):
        _move_all(turn, family, found)
    run.edition = active.edition


def _move_all(turn: Turn, family: list[Run], found: Outcome) -> None:
    run, was = family[0], turn.catalog.of_version(family[0].version)
    to = turn.catalog.of_version(found.version)
    before, after = was.journeys[run.journey], to.journeys[run.journey]
    anchors = iter(found.positions[len(family) :])
    key = run.key if before.key == after.key else run_keys.of_run(after, run)
    for each, position in zip(family, found.positions, strict=False):
        left, comes_to = before.steps[each.position], after.steps[position]
        is_same = programs.pairs(was, to, run.journey).get(each.position) == position
        each.version, each.position, each.tier, each.key = found.version, position, after.tier, key
        each.ends_at = next(anchors) if each.ends_at else 0
        if each.due_ms:
            _go_on_at(turn, each, was, left, to, comes_to, is_same=is_same)
    _join_where_one_is_enough(turn, family, after)
    turn.note(
        "journey",
        f"{run.journey} goes on in another version",
        journey=run.journey,
        run=run.id,
        step=stops.step_id(turn.catalog, run),
        outcome="moved",
        reason=outcomes.EDITED,
        detail={"by": found.word, "from": was.version, "to": to.version},
    )


def _join_where_one_is_enough(turn: Turn, family: list[Run], after: Journey) -> None:
    """Let a run go on whose `parallel` joins with the first branch now, where one has come before the edit."""
    for run in family:
        if run.branches and run.came and not (join := after.steps[run.position]).needs_all:
            forks.go_on(turn, run, join)
            waits.begin_now(turn, run)
            run.begins = True
            life.wait(turn, run, turn.now_ms, join.id, "edited")


def _go_on_at(turn: Turn, run: Run, was: Catalog, left: Step, to: Catalog, step: Step, *, is_same: bool) -> None:
    """A run that had a timer at one step is now at another one, or (`is_same`) at the same one of another version."""
    if is_same and programs.signature(was, left) == programs.signature(to, step):
        return
    if is_same and left.kind == step.kind == "send":
        return  # what it is held for is asked anew when its timer fires
    run.held, run.held_ms, run.was_due_ms = "", 0, _was_due(run, left, step, is_same=is_same)
    if is_same and left.kind == step.kind and _is_for(left) and _is_for(step):
        run.is_met = run.is_met or (step.kind == "wait_for" and _is_answered(turn, to, run, step))
        run.was_due_ms = 0 if run.is_met else run.was_due_ms
        _wake(turn, run, step, turn.now_ms if run.is_met else run.due_ms - left.for_ms + step.for_ms)
        return
    if not is_same:
        waits.begin_now(turn, run)
    run.begins, run.is_met, run.awaits, run.tried = True, False, "", []
    _wake(turn, run, step, turn.now_ms)


def _is_answered(turn: Turn, to: Catalog, run: Run, step: Step) -> bool:
    """Whether what a `wait_for` asks for in the other version has happened or is so already; the next step begins with
    it then."""
    answer = waits.answer_on_record(turn, to.journeys[run.journey], run, step)
    if answer is not None:
        waits.begin_with(turn, run, answer)
    elif waits.is_so(turn, run, step):
        waits.begin_now(turn, run)
    else:
        return False
    return True


def _is_for(step: Step) -> bool:
    """Whether a step waits for a length of time that its beginning and nothing else begins."""
    return step.kind in _WAITS and step.until is None


def _was_due(run: Run, left: Step, step: Step, *, is_same: bool) -> int:
    """When a wait that a pause has put off is due in the other version; 0 where nothing was put off."""
    if not run.was_due_ms or not is_same or left.kind != step.kind:
        return 0
    return max(1, run.was_due_ms - left.for_ms + step.for_ms)


def _wake(turn: Turn, run: Run, step: Step, due_ms: int) -> None:
    if run.due_ms != NEVER_MS:
        life.wait(turn, run, max(due_ms, turn.now_ms), step.id, "edited")
