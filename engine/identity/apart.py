"""Profiles that a split has parted: which places went with the other one, and that the two stay two."""

from __future__ import annotations

from collections.abc import Iterable

from engine import limits
from engine.profile import Profile


def part(profile: Profile, other: Profile, places: Iterable[str]) -> None:
    """Note on both that they are two, and here that these places are the other's."""
    profile.split_off = {**profile.split_off, **dict.fromkeys([*sorted(places), other.id], other.id)}
    for place in [*profile.split_off][: -limits.POINTERS_MAX]:
        del profile.split_off[place]
    other.split_off[profile.id] = profile.id
    for one, two in ((profile, other), (other, profile)):
        if two.id not in one.unlike:
            one.unlike = [*one.unlike, two.id]


def owner_of(profile: Profile, place: str) -> str:
    """The profile that a split gave a place to; empty where it gave it to nobody. The epoch at the end of an id does
    not count: an erasure changes it. A profile's own place is never another's."""
    if place[:-2] == profile.id[:-2]:
        return ""
    return next((to for known, to in profile.split_off.items() if known[:-2] == place[:-2]), "")


def is_kept_apart(profile: Profile, place: str) -> bool:
    """Whether a split says that the profile of this place is somebody else. Only undoing that split joins them."""
    return bool(profile.split_off) and (bool(owner_of(profile, place)) or place in profile.split_off.values())
