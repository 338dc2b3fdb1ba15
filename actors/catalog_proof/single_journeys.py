"""The part of the proof of clashes that is about one journey at a time, and about the caps.

Each doubt is rehearsed. Of what the rules are sure of, the story is the witness; the rest is told only where a story
shows it. What neither the rules nor a story can say of a journey is told in one note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Final

from actors.catalog_proof.witnesses import TRIED_MAX, Stage
from engine.catalog.compiled import Catalog
from engine.catalog.problems import Problem, spelled
from engine.clashes import making, meetings
from engine.clashes.entrances import entrances
from engine.clashes.findings import Kind
from engine.clashes.programs.workspace import Program
from engine.clashes.shortening import Shown
from engine.clashes.single.doubts import Doubt
from engine.clashes.single.rules import Proof
from engine.clashes.single.showing import comes_to, suspicion
from engine.clashes.single.undecided import in_one, part

REHEARSED_MAX: Final = 400  # stories that are looked for what is doubted
_SOUGHT_MAX: Final = 200  # stories that are looked for how steps are reached
_ONCE: Final = ("unstopped",)  # the kinds of which one is enough for each journey

Found = tuple[Kind, Problem, Shown | None]


def found(catalog: Catalog, proof: Proof) -> Iterator[Found]:
    """What is found of single journeys: its kind, its place and message, and the story that shows it."""
    stage, told = Stage(catalog, REHEARSED_MAX), set[tuple[str, str]]()
    open_, passed_over = list[Doubt](), Counter[tuple[str, str]]()
    for doubt in proof.doubts():
        if doubt.kind == "undecided":
            open_.append(doubt)
        elif (doubt.kind, doubt.journey) not in told:
            suspected = suspicion(catalog, doubt)
            shown = stage.witness(suspected)
            if shown is not None or suspected.stands_alone:
                told.update([(doubt.kind, doubt.journey)] if doubt.kind in _ONCE else [])
                yield suspected.kind, suspected.problem, shown
            elif not stage.left:
                passed_over[doubt.file, doubt.journey] += 1
    open_ += [part(*where, _not_rehearsed(times)) for where, times in passed_over.items()]
    open_ += _unseen(catalog, proof)
    for doubt in in_one(open_):
        yield "note", Problem(doubt.file, doubt.loc, doubt.message), None


def _not_rehearsed(times: int) -> str:
    return "1 doubt was not rehearsed" if times == 1 else f"{times} doubts were not rehearsed"


def _unseen(catalog: Catalog, proof: Proof) -> Iterator[Doubt]:
    """The sends that the rules believe can be reached, and that no story has come to."""
    stage, are_paired = Stage(catalog, _SOUGHT_MAX), len(meetings.players(catalog)) > 1
    for program, reach in proof.reached:
        found, reason = entrances(catalog, catalog.journeys[program.id])
        if not found and not reach.closed_to_all and not are_paired:  # of pairs it is said there
            yield part(program.file, program.id, f"no story was found that enters it: {reason}")
        if not found:
            continue
        sends = {step.id: spelled(program.places[at]) for at, step in program.sends() if at in reach.earliest_ms}
        missed = [place for step, place in sends.items() if not _is_seen(catalog, stage, program, step)]
        if missed and stage.left:
            yield part(program.file, program.id, f"no story was found that comes to {', '.join(missed)}")


def _is_seen(catalog: Catalog, stage: Stage, program: Program, step: str) -> bool:
    for story in islice(making.to_step(catalog, catalog.journeys[program.id], step), TRIED_MAX):
        told = stage.rehearse(story, [program.id])
        if told is None or comes_to(told, program.id, step):
            return True
    return False
