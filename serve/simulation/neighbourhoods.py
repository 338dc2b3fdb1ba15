"""Who may ever have to do with whom: people are neighbours where a chain of shared identifiers leads from one to the
other.

Profiles reach each other by messages alone, and a message goes to the place of an identifier that one of them has
named. So neighbourhoods never meet, and each can be simulated by itself, in any order and in any process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine import codec, seeds
from engine.catalog.compiled import Catalog
from engine.handoffs import links
from engine.identity import home
from engine.inputs import AnyInput, ConsentChange, Decide, Event
from engine.profile import Profile
from serve.simulation.sources import Begin

_PLACE = re.compile(rb"[0-9a-f]{30}")
_BOTH = ("user_id", "anonymous_id")  # what `previousId` may be


def places_of(catalog: Catalog, place: str, told: AnyInput | Begin) -> frozenset[str]:
    """The places that an input for `place` may lead to, or somebody who begins there, without their epochs."""
    found = [place]
    if isinstance(told, Begin):
        found += _known_to(catalog, told.state)
    if isinstance(told, Event | Decide | ConsentChange):
        named = home.named(told)
        found += [
            seeds.profile_id(catalog.id_key, namespace, value)
            for namespace, value in named
            if not home.is_blocked(catalog, namespace, value)
        ]
    if isinstance(told, Event) and told.previous_id:
        found += [seeds.profile_id(catalog.id_key, namespace, told.previous_id) for namespace in _BOTH]
    if isinstance(told, Event | Decide) and told.link and (link := links.read(catalog, told.link)) is not None:
        found.append(link.profile)
    if isinstance(told, ConsentChange) and told.address:
        found.append(told.address)
    return frozenset(each[:-2] for each in found)


def _known_to(catalog: Catalog, state: bytes) -> list[str]:
    """All places that a record names, in whichever field, and those of its identifiers."""
    record = codec.decode_record(state)
    found = [each.decode() for each in _PLACE.findall(codec.canonical(record))]
    if isinstance(record, Profile):
        found += [seeds.profile_id(catalog.id_key, link.namespace, link.value) for link in record.identifiers]
    return found


class Neighbourhoods:
    """Sets of places that grow together (union-find). It takes memory for each place, not for each event."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def join(self, places: Iterable[str]) -> None:
        """All of these places are one neighbourhood."""
        first = ""
        for place in places:
            top = self.of(place)
            if first and top != first:
                self._above[top] = first
            first = first or top

    def of(self, place: str) -> str:
        """The place that stands for the neighbourhood of this one."""
        above = self._above
        top = above.setdefault(place, place)
        while top != above[top]:
            top = above[top]
        while place != top:  # next time it is near
            place, above[place] = above[place], top
        return top
