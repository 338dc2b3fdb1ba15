"""Every rule on single journeys, asked of one catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.catalog.advice.conditions import never_doubts
from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.catalog.problems import Loc
from engine.clashes.programs import walks
from engine.clashes.programs.reach import Reach, explore
from engine.clashes.programs.workspace import Program, Workspace, read
from engine.clashes.single import caps, loops, undecided, ungranted, unreachable, unsent, unstopped, waits_too_long
from engine.clashes.single.doubts import Doubt


@dataclass(frozen=True, slots=True)
class Proof:
    """A catalog as the rules see it: where runs of each journey can come to, and the conditions that can never hold."""

    space: Workspace
    reached: Sequence[tuple[Program, Reach]]
    never: frozenset[tuple[str, Loc]]

    @classmethod
    def of(cls, document: Document, models: Models) -> Proof:
        """Of a document without problems."""
        space = read(document, models)
        reached = [(program, explore(program, space.solver)) for program in space.programs]
        return cls(space, reached, frozenset((doubt.file, doubt.loc) for doubt in never_doubts(document, models)))

    def certainties(self) -> Iterator[Doubt]:
        """What the rules are sure of: it needs no story to be told."""
        for program, reach in self.reached:
            for doubt in unreachable.unreachable_steps(program, reach):
                if not _is_said(doubt, self.never):
                    yield doubt
            yield from waits_too_long.worthless_sends(program, reach, self.space)
            yield from waits_too_long.late_reminders(program, reach, self.space)
            yield from ungranted.ungranted_sends(program, reach, self.space)
        yield from caps.idle_caps(self.space, self.reached)

    def doubts(self) -> Iterator[Doubt]:
        """Every doubt about single journeys, and about the caps that they are under."""
        yield from self.certainties()
        for program, reach in self.reached:
            yield from _of_one(program, reach, self.space)
        yield from unstopped.unnamed_purchases(self.space, self.reached)
        yield from loops.circles(self.space, self.reached)


def _is_said(doubt: Doubt, never: frozenset[tuple[str, Loc]]) -> bool:
    """Whether a part of the condition that it is about can never hold by itself, which is told already."""
    about = doubt.kind in ("unreachable", "not_entered") and doubt.loc[-1] in ("when", "trigger")
    return about and any(file == doubt.file and loc[: len(doubt.loc)] == doubt.loc for file, loc in never)


def _of_one(program: Program, reach: Reach, space: Workspace) -> Iterator[Doubt]:
    """What only a story can show, and what cannot be decided."""
    yield from unstopped.unstopped_sends(program, reach, space)
    yield from ungranted.sends_by_told_consent(program, reach, space)
    try:
        ways, is_walked = [*walks.walks(program, reach)], True
    except walks.TooManyWalks:
        ways, is_walked = [], False
    yield from unsent.unsent(program, ways, space)
    yield from caps.own_caps(program, ways, space)
    yield from loops.repeated_sends(program, ways, space)
    yield from undecided.undecided_parts(program, reach, space, is_walked=is_walked)
