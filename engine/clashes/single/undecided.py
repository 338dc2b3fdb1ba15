"""What could not be decided of a journey, said in one note."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.catalog.problems import spelled
from engine.clashes.programs.reach import Reach
from engine.clashes.programs.workspace import Program, Workspace
from engine.clashes.single.doubts import Doubt


def undecided_parts(program: Program, reach: Reach, space: Workspace, *, is_walked: bool) -> Iterator[Doubt]:
    """What the rules could not decide of a journey."""
    for message in _parts(program, reach, space, is_walked=is_walked):
        yield part(program.file, program.id, message)


def part(file: str, journey: str, message: str) -> Doubt:
    """Something that could not be decided of a journey."""
    return Doubt("undecided", file, ("steps",), message, journey)


def in_one(doubts: Iterable[Doubt]) -> Iterator[Doubt]:
    """One note for each journey, with all that could not be decided of it."""
    of_file: dict[str, list[Doubt]] = {}
    for doubt in doubts:
        of_file.setdefault(doubt.file, []).append(doubt)
    for file, parts in of_file.items():
        yield part(file, parts[0].journey, f"is not proved in all: {'; '.join(each.message for each in parts)}")


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
