"""A `parallel` step: a run goes several ways at once, and on again where they join.

Each way is a run of its own, a branch, with its own timer. It stands in the same journey, has the same trigger and key,
and knows its `parent`. The parent waits at the join without a timer, and counts the branches that have not come there.
Whatever ends a run ends its branches with it; what ends a branch before the join, but another branch at an `any`, ends
the whole run (`engine.journeys.life`). Rules of entry count runs and no branches.
"""

from __future__ import annotations

import msgspec

from engine import limits
from engine.catalog.compiled import Journey, Step
from engine.journeys import life, stops
from engine.profile import Run
from engine.turn_state import Turn

JOINED = "join"
OVERTAKEN = "join.any"  # another branch was at the join first


def fork(turn: Turn, run: Run, step: Step) -> list[Run]:
    """Send a run all ways of a `parallel`; returns its branches, which walk on. Empty where there is no room."""
    if not limits.has_room_for_run(turn.profile, run.trigger, len(step.branches)):
        return []
    branches = [_branch(turn, run, step, arm, start) for arm, start in step.branches]
    life.fork(run, step.target, len(branches))
    for branch in branches:
        life.enter(turn.profile, branch)
    note(turn, run, step.id, f"goes {len(branches)} ways", "branched")
    return branches


def arrive(turn: Turn, journey: Journey, branch: Run) -> list[Run]:
    """A branch has come to its join. Returns its parent where that goes on."""
    join, parent = journey.steps[branch.ends_at], life.parent_of(turn.profile, branch)
    life.end(turn, branch, "complete", join.id, JOINED)
    parent.branches -= 1
    parent.came += 1
    parent.sent |= branch.sent
    if parent.branches and join.needs_all:
        return []
    go_on(turn, parent, join)
    parent.since_ms, parent.since_seq = branch.since_ms, branch.since_seq
    return [parent]


def go_on(turn: Turn, parent: Run, join: Step) -> None:
    """Let a run walk on from its join; branches that have not come there end."""
    _overtake(turn, parent)
    life.join(parent)
    parent.position += 1
    note(turn, parent, join.id, "goes on as one", "joined")


def _overtake(turn: Turn, parent: Run) -> None:
    """End the branches that have not come to an `any`, and withdraw what they have decided and not handed over."""
    late = life.branches_of(turn.profile, parent)
    for branch in late:
        if branch.state == "active":  # one within another has ended with it
            life.end(turn, branch, "leave", stops.step_id(turn.catalog, branch), OVERTAKEN)
    for branch in late:
        stops.withdraw_sends(turn, branch, OVERTAKEN)


def note(turn: Turn, run: Run, step: str, words: str, outcome: str, **detail: object) -> None:
    """Write into the timeline what a run does at a step that neither waits nor sends."""
    turn.note(
        "journey", f"{run.journey} {words}", journey=run.journey, run=run.id, step=step, outcome=outcome, detail=detail
    )


def _branch(turn: Turn, run: Run, step: Step, arm: str, start: int) -> Run:
    came = sum(run.jumps.values())  # a run may come here again by a jump
    return msgspec.structs.replace(
        run,
        id=turn.id_of("branch", run.id, step.id, arm, came),
        position=start,
        due_ms=0,
        generation=0,
        occurrence=0,
        held="",
        held_ms=0,
        was_due_ms=0,
        is_met=False,
        told_at=[*run.told_at],
        began_ms=0,
        by=[*run.by],
        parent=run.id,
        ends_at=step.target,
        awaits="",
        tried=[],
        touches=0,
        jumps={},
        sent={**run.sent},
    )
