"""Which of two profiles that were one something belongs to: by the places of the identifiers that came with it.

A place that both had before they were merged tells nothing: it stays where it pointed. So the one by which they were
joined was the other's, unless it pointed to the survivor before. A place that was new since goes with the places that
were named together with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.merging.arrivals import pointing_to
from engine.parts.of_identity import Link, Merged
from engine.profile import Profile


class Side(Enum):
    """One of the two profiles, or both."""

    MINE = "survivor"
    THEIRS = "other"
    BOTH = "both"

    @property
    def here(self) -> bool:
        """Whether the survivor gets it."""
        return self is not Side.THEIRS

    @property
    def there(self) -> bool:
        """Whether the other profile gets it."""
        return self is not Side.MINE


def place_of(catalog: Catalog, link: Link) -> str:
    """The place of an identifier, of its first epoch."""
    return seeds.profile_id(catalog.id_key, link.namespace, link.value)


class Sides:
    """The places of two profiles. `unidentified` gets what no identifier came with.

    An erasure changes the epoch at the end of a place's id, and not whose place it is. So places are told apart without
    it.
    """

    def __init__(self, catalog: Catalog, merged: Merged, before: Profile, other: Profile, now: Profile) -> None:
        self._catalog = catalog
        self.unidentified = Side(catalog.identity.unidentified)
        theirs, mine = ([*map(lasting, self._places(profile))] for profile in (other, before))
        here, there = ({*map(lasting, pointing_to(profile))} for profile in (before, other))
        joined = {*map(lasting, (merged.by, *other.owns))} - here
        self._of = dict.fromkeys(mine, Side.MINE) | dict.fromkeys(theirs, Side.THEIRS)
        self._of |= dict.fromkeys(({*mine} & {*theirs}) - joined, Side.BOTH)
        self._of[lasting(other.id)] = Side.THEIRS
        self._of[lasting(before.id)] = Side.MINE
        self._points = dict.fromkeys(there, Side.THEIRS) | dict.fromkeys(here, Side.MINE)
        self._learn(link for link in now.identifiers if self.of_place(self.place(link)) is None)

    def place(self, link: Link) -> str:
        """The place of an identifier, of its first epoch."""
        return place_of(self._catalog, link)

    def of_place(self, place: str) -> Side | None:
        """Whose place this is; None where nobody knows."""
        return self._of.get(lasting(place))

    def points_to(self, place: str) -> Side | None:
        """To whom a place points: of one that both had asked for, to whom it pointed before they were merged."""
        side = self.of_place(place)
        return self._points.get(lasting(place), side) if side is Side.BOTH else side

    def of(self, by: Iterable[str]) -> Side | None:
        """Whose it is, by the places that came with it, the first of which is its home; None where they do not tell."""
        for place in by:
            found = self.of_place(place)
            if found in (Side.MINE, Side.THEIRS):
                return found
        return None

    def _places(self, profile: Profile) -> list[str]:
        return [profile.id, *profile.held, *(self.place(link) for link in profile.identifiers)]

    def _learn(self, new: Iterable[Link]) -> None:
        """New identifiers, one after the other, as long as any of them can be told."""
        waiting = list(new)
        while found := [(link, side) for link in waiting if (side := self.of(link.by)) is not None]:
            self._of |= {lasting(self.place(link)): side for link, side in found}
            known = {id(link) for link, _ in found}
            waiting = [link for link in waiting if id(link) not in known]


def lasting(place: str) -> str:
    """What stays of a place's id when an erasure changes its epoch."""
    return place[:-2]
