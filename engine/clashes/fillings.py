"""Stories that fill a cap: one journey is entered as often as the cap takes to be full, and then the other.

That two messages fit under a cap once does not say that they always do. Whoever comes into a journey again and again,
as often as it lets them, may leave no room.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.catalog.compiled import Cap, Catalog
from engine.clashes.making import Part, stories_of
from engine.clashes.meetings import Pair, Solo, length_ms, on_channels_of
from engine.clashes.stories import Story
from engine.vocabulary import HOUR_MS, MINUTE_MS

ENTERED_MAX: Final = 8  # a story in which somebody does the same more often convinces nobody
TRIED_MAX: Final = 8  # stories for one pair


def stories(catalog: Catalog, pair: Pair) -> Iterator[Story]:
    """The stories in which the one or the other journey may fill a cap of both."""
    for cap in pair.caps:
        for first, second in ((pair.one, pair.other), (pair.other, pair.one)):
            parts = _parts(cap, first, second)
            for made in stories_of(catalog, parts) if parts else ():
                yield from on_channels_of(pair, made)


def _parts(cap: Cap, first: Solo, second: Solo) -> list[Part]:
    """The entries, each as soon as the journey can be entered again; none where they come too late to fill the cap."""
    again_ms = max(5 * MINUTE_MS, first.journey.after_ms + first.lasts_ms + MINUTE_MS)
    times = -(-cap.limit // max(1, sum(1 for _ in first.told.left(first.journey.id))))
    if times > ENTERED_MAX or times * again_ms > length_ms(cap):
        return []
    more = [first.part._replace(gap_ms=again_ms)] * (times - 1)
    return [first.part, *more, second.part._replace(gap_ms=first.first_ms + HOUR_MS)]
