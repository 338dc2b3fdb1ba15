"""Caps that name a channel count at each address of that channel as well, whoever has the address
(`docs/addresses.md#whoever-has-the-address`).

The profile that the address's own place points to counts for all. It knows its own messages, and those of all others,
because they ask it for room: what it has lent. Most profiles have lent nothing, and then their own count is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Any, Final

from engine import limits
from engine.catalog.compiled import Cap, Catalog
from engine.catalog.once_per_catalog import once_per_catalog
from engine.contact import addresses
from engine.frequency import caps
from engine.profile import Lent, Place, Profile
from engine.vocabulary import DAY_MS, MINUTE_MS

COUNTED: Final = MappingProxyType({"counted": "address"})  # beside the reason of a cap that is full there
GOOD_MS = MINUTE_MS  # a place that was given must be used within this time, else it is asked for anew


def counting(catalog: Catalog, place: Place) -> tuple[Cap, ...]:
    """The caps that count such a place at its address too; none for a display, which goes to no address."""
    if place.placement:
        return ()
    known, kind = _caps_by_kind(catalog), catalog.cap_kind(place)
    found = known.get(kind)
    if found is None:
        channel = catalog.channels.get(place.channel)
        is_reached = channel is not None and channel.address in addresses.NAMESPACES
        named = (cap for cap in caps.over(catalog, place) if "channel" in cap.match)
        found = known[kind] = tuple(named) if is_reached else ()
    return found


@once_per_catalog
def _caps_by_kind(catalog: Catalog) -> dict[Any, tuple[Cap, ...]]:
    return {}


def of_channel(profile: Profile, catalog: Catalog, channel: str) -> str:
    """The place of the e-mail address or telephone that a channel reaches this person at; empty where there is none."""
    link = addresses.of_channel(profile, catalog, channel)
    return addresses.place(catalog, link) if link is not None else ""


def counts_ms(lent: Lent) -> int:
    """From when on a place that was lent counts: when its message left, at the latest when it may leave."""
    return lent.left_ms or lent.at_ms + GOOD_MS


def is_at(place: Place | Lent, address: str) -> bool:
    """Whether a place is at an address, or may be: of what is older than this count nobody knows where it went."""
    return not place.address or addresses.is_same_place(place.address, address)


def full(
    profile: Profile, catalog: Catalog, wanted: Place, address: str, now_ms: int, *, is_decided: bool = False
) -> Cap | None:
    """The first cap without room for one more message to an address: all that have left count, of this profile and of
    everybody who asked it; with `is_decided` also what still waits here."""
    for cap in counting(catalog, wanted):
        since_ms = caps.opens_ms(profile, catalog, cap, now_ms)
        used = set(_used(profile, cap, address, since_ms, is_decided=is_decided))
        if len(used - {wanted.ref}) >= cap.limit:
            return cap
    return None


def _used(profile: Profile, cap: Cap, address: str, since_ms: int, *, is_decided: bool) -> Iterator[str]:
    for place in profile.places:
        at_ms = place.left_ms or (place.at_ms if is_decided else 0)
        if at_ms > since_ms and not place.placement and caps.covers(cap, place) and is_at(place, address):
            yield place.ref
    for lent in profile.lent:
        if counts_ms(lent) > since_ms and caps.covers(cap, lent) and is_at(lent, address):
            yield lent.ref


def lent_of(profile: Profile, catalog: Catalog, address: str, now_ms: int) -> tuple[Lent, ...]:
    """The messages to an address that this profile knows of and that still count, for whoever counts after it."""
    known = {place.ref: _as_lent(place, address) for place in profile.places if place.left_ms and not place.placement}
    known |= {lent.ref: lent for lent in profile.lent}
    return tuple(
        each for each in known.values() if is_at(each, address) and _still_counts(profile, catalog, each, now_ms)
    )


def _as_lent(place: Place, address: str) -> Lent:
    kind = (place.action, place.channel, place.tier, place.purpose, place.category, place.group)
    return Lent(place.ref, place.address or address, place.left_ms, *kind, left_ms=place.left_ms)


def _still_counts(profile: Profile, catalog: Catalog, lent: Lent, now_ms: int) -> bool:
    opens = [caps.opens_ms(profile, catalog, cap, now_ms) for cap in catalog.caps if caps.covers(cap, lent)]
    if lent.tier == "service":
        opens.append(now_ms - DAY_MS)
    return counts_ms(lent) > min(opens, default=now_ms)


def counted(profile: Profile, catalog: Catalog, channel: str, now_ms: int) -> dict[str, set[str]]:
    """The messages to the address of a channel under each cap, those that still wait included. Empty where this profile
    has lent nothing: then its own count says enough."""
    address = of_channel(profile, catalog, channel) if profile.lent else ""
    if not address:
        return {}
    found = {}
    for cap in catalog.caps:
        if channel in cap.match.get("channel", ()):
            since_ms = caps.opens_ms(profile, catalog, cap, now_ms)
            found[cap.id] = set(_used(profile, cap, address, since_ms, is_decided=True))
    return found


def forget_old(profile: Profile, catalog: Catalog, now_ms: int) -> None:
    """Drop what was lent and no window can count any more; where there is very much, all that none counts today."""
    lent = profile.lent
    if lent and lent[0].at_ms <= now_ms - caps.KEEP_MS:
        lent[:] = [each for each in lent if each.at_ms > now_ms - caps.KEEP_MS]
    if len(lent) > limits.PLACES_MAX:
        lent[:] = [each for each in lent if _still_counts(profile, catalog, each, now_ms)]


def take_over(profile: Profile, lent: tuple[Lent, ...]) -> None:
    """Count from now on what another profile counted before."""
    known = {each.ref: each for each in profile.lent}
    for each in lent:  # a split had left some on both sides, and one of them may have heard since that it has left
        same = known.get(each.ref)
        if same is None:
            profile.lent.append(each)
        else:
            same.left_ms = same.left_ms or each.left_ms
    profile.lent.sort(key=lambda each: (each.at_ms, each.ref))
