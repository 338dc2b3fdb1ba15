"""The home of an input: the place of the profile that it is for, by the identifiers that it carries
(`docs/design/identity.md`).

The place of an identifier is the profile id that it names first. An input is for the place of the identifier that
stands first in the order of priority, among those by which its source may find people. So whoever is known by several
identifiers is found at one place in the common case, whichever others come along.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.catalog.identity_rules import NO_RANK, rights
from engine.identity import standing
from engine.inputs import AnyInput, ConsentChange, Decide, Event
from engine.profile import Profile

_USER: Final = "user_id"
_NOT_ITS_OWN: Final = 2 * NO_RANK  # of a source that does not find people by it: behind all by which it does


def home_of(catalog: Catalog, told: Event | Decide | ConsentChange) -> str | None:
    """The id of the profile that an input is for: the one named by its own id, else that of its first usable
    identifier; None where it has none. A shared identifier is a home only where there is no other."""
    if not isinstance(told, Event):
        return told.profile_id or _first(catalog, list(told.identifiers), None)
    allowed = rights(catalog.sources, told).identify
    if told.user_id and catalog.identity.first == _USER and (allowed is None or _USER in allowed):
        pairs = [(_USER, told.user_id)]  # the common case: nothing else comes before it
        found = _first(catalog, pairs, None)
        if found is not None:
            return found
    return _first(catalog, named(told), allowed)


def meant(catalog: Catalog, profile: Profile, told: Event | Decide | ConsentChange) -> str | None:
    """The place that an input is for where it comes to a profile: its home; but where this profile knows that several
    people share the identifier of that place, the place of the next one, because it may be anybody's of them. The home
    stays the place where nothing else says whose it is."""
    first = home_of(catalog, told)
    if first is None or not profile.shared or (not isinstance(told, Event) and told.profile_id):
        return first
    shared = {place[:-2] for place in profile.shared}
    if first[:-2] not in shared:
        return first
    allowed = rights(catalog.sources, told).identify if isinstance(told, Event) else None
    for namespace, place in _places(catalog, named(told), allowed):
        if place[:-2] not in shared and standing.kind(catalog, namespace) != "shared":
            return place
    return first


def beside(catalog: Catalog, profile: Profile, told: AnyInput) -> str:
    """Where an input goes that comes to a profile by an identifier that several people share; empty where it is for
    this profile."""
    if not isinstance(told, Event | Decide | ConsentChange):
        return ""
    place = meant(catalog, profile, told)
    is_here = place is None or place == home_of(catalog, told) or _is_own(catalog, profile, place)
    return "" if is_here else place or ""


def _is_own(catalog: Catalog, profile: Profile, place: str) -> bool:
    links = (standing.place(catalog, link) for link in profile.identifiers)
    return any(standing.is_same_place(place, own) for own in (profile.id, *profile.held, *links))


def named(told: Event | Decide | ConsentChange) -> list[tuple[str, str]]:
    """Every (namespace, canonical value) that an input carries."""
    if not isinstance(told, Event):
        return list(told.identifiers)
    pairs = []
    if told.user_id:
        pairs.append(("user_id", told.user_id))
    if told.anonymous_id:
        pairs.append(("anonymous_id", told.anonymous_id))
    pairs += told.identifiers
    return pairs


def is_blocked(catalog: Catalog, namespace: str, value: str) -> bool:
    """Whether an identifier never identifies anyone."""
    return catalog.identity.is_blocked(namespace, value)


def _first(catalog: Catalog, pairs: list[tuple[str, str]], allowed: frozenset[str] | None) -> str | None:
    return next((place for _, place in _places(catalog, pairs, allowed)), None)


def _places(
    catalog: Catalog, pairs: list[tuple[str, str]], allowed: frozenset[str] | None
) -> Iterator[tuple[str, str]]:
    """(namespace, place) of each usable identifier, in the order of priority."""
    homes = catalog.identity.homes
    if len(pairs) > 1:

        def place(pair: tuple[str, str]) -> int:
            rank = homes.get(pair[0], NO_RANK)
            return rank if allowed is None or pair[0] in allowed else rank + _NOT_ITS_OWN

        pairs.sort(key=place)
    for namespace, value in pairs:
        if not catalog.identity.is_blocked(namespace, value):
            yield namespace, seeds.profile_id(catalog.id_key, namespace, value)
