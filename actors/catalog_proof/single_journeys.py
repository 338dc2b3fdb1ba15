"""The part of the proof of clashes that is about one journey at a time, and about the caps: each doubt is rehearsed. Of
what the rules are sure of, the story is the witness; the rest is told only where a story shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from actors.catalog_proof.witnesses import Stage
from engine.catalog.checks.whole_document import examine
from engine.catalog.compiled import Catalog
from engine.catalog.document import Document
from engine.catalog.problems import Problem, spelled
from engine.clashes.findings import Finding, Witness
from engine.clashes.single.rules import doubts
from engine.clashes.single.showing import suspicion
from engine.clashes.words import lines

REHEARSED_MAX: Final = 300  # stories in all
_ONCE: Final = ("unstopped",)  # kinds of which one is told for each journey


def findings(catalog: Catalog, document: Document, located: Callable[[Problem], Problem]) -> Iterator[Finding]:
    """What is found of single journeys. `located` gives a problem its line."""
    stage, told = Stage(catalog, REHEARSED_MAX), set[tuple[str, str]]()
    for doubt in doubts(document, examine(document, is_taken=True)[0]):
        once = doubt.kind, doubt.journey if doubt.kind in _ONCE else spelled(doubt.loc)
        if once in told:
            continue
        asked = suspicion(catalog, doubt)
        shown = stage.witness(asked)
        if shown is None and not asked.stands_alone:
            continue
        told.add(once)
        witness = None if shown is None else Witness(*shown, lines(catalog, *shown))
        placed = located(asked.problem)
        yield Finding(asked.kind, placed.file, placed.line, spelled(placed.loc), placed.message, witness)
