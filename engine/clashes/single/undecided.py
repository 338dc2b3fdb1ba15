"""What the rules could not decide of a journey, said in one note."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.problems import spelled
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt


def undecided_parts(program: Program, reach: Reach, space: Workspace, *, is_walked: bool) -> Iterator[Doubt]:
    """One note for a journey of which something was not proved; nothing for the others."""
    parts = [*_parts(program, reach, space, is_walked=is_walked)]
    if parts:
        yield Doubt("undecided", program.file, ("steps",), f"is not proved in all: {'; '.join(parts)}", program.id)


def _parts(program: Program, reach: Reach, space: Workspace, *, is_walked: bool) -> Iterator[str]:
    for at in sorted(reach.undecided):
        yield f"the conditions of {spelled(program.places[at])} have too many cases"
    if not reach.is_whole or not is_walked:
        yield "it has too many ways through it"
    if space.policies.min_propensity:
        modelled = {
            name
            for _, step in program.sends()
            for name in step.sending.actions
            if name in space.actions and space.actions[name].propensity.model is not None
        }
        if modelled:
            yield f"whether {', '.join(sorted(modelled))} is likely enough to go is for its model to say"
