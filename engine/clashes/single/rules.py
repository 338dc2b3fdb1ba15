"""Every rule on single journeys, asked of one catalog."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.clashes.single import caps, loops, undecided, ungranted, unreachable, unstopped, waits_too_long, walks
from engine.clashes.single.doubts import Doubt
from engine.clashes.single.programs import Program, Workspace, read
from engine.clashes.single.reach import Reach, explore


def doubts(document: Document, models: Models) -> Iterator[Doubt]:
    """Every doubt about single journeys, and about the caps that they are under."""
    space = read(document, models)
    reached = [(program, explore(program, space.solver)) for program in space.programs]
    for program, reach in reached:
        yield from _of_one(program, reach, space)
    yield from caps.idle_caps(space, reached)
    yield from unstopped.unnamed_purchases(space, reached)
    yield from loops.circles(space, reached)


def _of_one(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    yield from unreachable.unreachable_steps(program, reach)
    yield from waits_too_long.worthless_sends(program, reach, space)
    yield from waits_too_long.late_reminders(program, reach, space)
    yield from unstopped.unstopped_sends(program, reach, space)
    yield from ungranted.ungranted_sends(program, reach, space)
    try:
        ways, is_walked = [*walks.walks(program, reach)], True
    except walks.TooManyWalks:
        ways, is_walked = [], False
    yield from caps.own_caps(program, ways, space)
    yield from loops.repeated_sends(program, ways, space)
    yield from undecided.undecided_parts(program, reach, space, is_walked=is_walked)
