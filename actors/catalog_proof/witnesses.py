"""Rehearses suspicions: a clash is told with the shortest story that shows it, or not at all.

How many stories are rehearsed is bounded, so that a large catalog is proved in bearable time, and the same catalog
always with the same result. Who comes too late is told as a note.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice
from typing import Final

from actors.catalog_proof.rehearsals import rehearse
from engine.catalog.compiled import Catalog
from engine.clashes.findings import Suspicion
from engine.clashes.shortening import Shown, shortened
from engine.clashes.stories import Story, Told

REHEARSED_MAX: Final = 400  # stories in all; one takes some 4 ms
TRIED_MAX: Final = 12  # stories for one suspicion, before one shows it


class Spent(Exception):
    """No more stories may be rehearsed."""


class Stage:
    """Where stories of one catalog are rehearsed, so many and no more."""

    def __init__(self, catalog: Catalog, most: int = REHEARSED_MAX) -> None:
        self._catalog, self._left = catalog, most

    def rehearse(self, story: Story, journeys: Collection[str]) -> Told:
        """What the engine records of a story. Raises Spent where too many were rehearsed."""
        if not self._left:
            raise Spent
        self._left -= 1
        return rehearse(self._catalog, story, journeys)

    def witness(self, suspicion: Suspicion) -> Shown | None:
        """The shortest story that was seen to show what a suspicion claims, and what the engine recorded of it; None
        where none of its stories shows it. Raises Spent as above."""
        for story, told in self._tried(suspicion):
            if suspicion.shows(told):
                return shortened(
                    story, told, lambda shorter: self.rehearse(shorter, suspicion.journeys), suspicion.shows
                )
        return None

    def _tried(self, suspicion: Suspicion) -> Iterator[Shown]:
        for story in islice(suspicion.stories, TRIED_MAX):
            yield story, self.rehearse(story, suspicion.journeys)
