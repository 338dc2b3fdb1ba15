"""Where a customer is as far as we know, and how we know it: for rules about the time of day where they are.

What they state counts first: the newest of the zone of their device (`context.timezone`) and the trait `timezone`. Else
the telephone says it, else the country of the address. A telephone's country and the address's may differ; then either
may be right, and both count. Of whom nothing is known, every place counts that the policies name. A rule about the time
of day has to hold at each place that counts.

Which countries' rules bind us is a question of its own: a telephone of one country that is used in another is bound by
both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from engine.catalog import zones
from engine.catalog.compiled import Catalog
from engine.catalog.quiet.compiled import Place
from engine.contact import addresses
from engine.profile import Profile
from engine.values import phones

From = Literal["stated", "phone", "address", "unknown"]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Every place where a customer may be, and what says so."""

    places: tuple[Place, ...]
    told_by: From


def of(profile: Profile, catalog: Catalog) -> Whereabouts:
    """Where a customer may be now."""
    phone = addresses.value(profile, "phone") or ""
    at_home = phones.country_in(profile.trait_values)
    found = _whereabouts(stated_zone(profile), phone, at_home)
    return found or Whereabouts(catalog.quiet_hours.anywhere, "unknown")


def zone_of(profile: Profile, catalog: Catalog) -> str:
    """The one zone in which times of a customer are meant, such as nine in the morning: the stated one, else the only
    one where they may be, else the workspace's."""
    stated = stated_zone(profile)
    if stated:
        return stated
    where = of(profile, catalog)
    return where.places[0].zone if where.told_by != "unknown" and len(where.places) == 1 else catalog.zone


def stated_zone(profile: Profile) -> str:
    """The zone that was stated last; empty where none was, or it is no zone."""
    said, trait = profile.timezone, profile.traits.get("timezone")
    if trait is not None and (trait.at_ms > profile.timezone_ms or said not in zones.names()):
        of_trait = trait.value if isinstance(trait.value, str) else ""
        said = of_trait if of_trait in zones.names() else said
    return said if said in zones.names() else ""


@lru_cache(maxsize=16_384)
def _whereabouts(stated: str, phone: str, at_home: str) -> Whereabouts | None:
    called, of_phone = _home_of(phone)
    named = frozenset(filter(zones.of_country, (at_home, called)))
    if stated:
        own = zones.country_of(stated)
        return Whereabouts((Place(stated, named | {own} if own else named),), "stated")
    of_home = frozenset[str]() if called == at_home and of_phone else zones.of_country(at_home)
    if not (known := of_phone | of_home):
        return None
    return Whereabouts(tuple(Place(each, named) for each in sorted(known)), "phone" if of_phone else "address")


def _home_of(phone: str) -> tuple[str, frozenset[str]]:
    """The country of a telephone, and its zones: those of its number that lie in its country, as far as they do."""
    country, named = phones.home_of(phone) if phone else ("", frozenset[str]())
    known, here = named & zones.names(), zones.of_country(country)
    return country, known & here or known or here
