"""Rehearses suspicions: a clash is told with the shortest story that shows it, or not at all.

How many stories are rehearsed is bounded, and so are the turns of all of them, so that a large catalog is proved in
bearable time, and the same catalog always with the same result.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Final

from actors.catalog_proof.rehearsals import rehearsed, with_only
from engine.catalog.compiled import Catalog
from engine.clashes.findings import Shows, Suspicion
from engine.clashes.shortening import Shown, shortened
from engine.clashes.stories import Story, Told

REHEARSED_MAX: Final = 600  # stories in all; one takes some 5 ms
TURNS_OF_ONE: Final = 30  # a story that takes more turns counts as several
TRIED_MAX: Final = 12  # stories for one suspicion, before one shows it


class Stage:
    """Where stories of one catalog are rehearsed, so many and no more."""

    def __init__(self, catalog: Catalog, most: int = REHEARSED_MAX) -> None:
        self.left = most
        self.broken_off = 0  # stories that took more turns than one may
        self._catalog = catalog
        self._acting: dict[frozenset[str], Catalog] = {}  # what is worked out of a catalog once stays with it

    def rehearse(self, story: Story, journeys: Collection[str]) -> Told | None:
        """What the engine records of a story; None where so many were rehearsed that this one is not any more."""
        if not self.left:
            return None
        acting = self._acting.setdefault(frozenset(journeys), with_only(self._catalog, journeys))
        told = rehearsed(acting, story)
        self.left = max(0, self.left - 1 - told.turns // TURNS_OF_ONE)
        self.broken_off += not told.is_whole
        return told

    def shorten(self, story: Story, told: Told, journeys: Collection[str], shows: Shows) -> Shown:
        """The shortest story that was seen to show the same."""
        return shortened(story, told, lambda shorter: self.rehearse(shorter, journeys), shows)

    def witness(self, suspicion: Suspicion) -> Shown | None:
        """The shortest story that was seen to show what a suspicion claims, and what the engine recorded of it; None
        where none of its stories was seen to show it."""

        def shows(story: Story, told: Told) -> bool:
            return suspicion.shows(story, told) and self._stands_control(story, suspicion)

        for story in islice(suspicion.stories, TRIED_MAX):
            told = self.rehearse(story, suspicion.journeys)
            if told is not None and shows(story, told):
                return self.shorten(story, told, suspicion.journeys, shows)
        return None

    def _stands_control(self, story: Story, suspicion: Suspicion) -> bool:
        control = suspicion.control
        if control is None:
            return True
        told = self.rehearse(control.without(story), suspicion.journeys)
        return told is not None and control.holds(told)
