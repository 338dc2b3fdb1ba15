"""Puts events of a split profile back into pages, as many as are too many to be recent."""

from __future__ import annotations

from engine import codec
from engine.catalog.compiled import Catalog
from engine.events import history, kept
from engine.profile import Profile
from engine.turn_state import Turn


def key_of(profile: str, number: int) -> bytes:
    """The key of a page less the id of the profile that it stands under: whose past it is, and its number."""
    return origin_of(profile) + number.to_bytes(4)


def origin_of(profile: str) -> bytes:
    """Four bytes that tell one profile's records from another's after a merge."""
    return bytes.fromhex(profile[4:12])


def page(profile: Profile, catalog: Catalog, now_ms: int) -> list[tuple[bytes, bytes]]:
    """Let the oldest events go in whole pages; returns those. They are counted when the profile is counted anew."""
    needed = kept.needed(Turn(profile, catalog, now_ms))
    events = profile.history.events
    free = [place for place in range(len(events)) if place not in needed]
    pages: list[tuple[bytes, bytes]] = []
    for start in range(0, len(free) - history.RECENT_MAX, history.PAGE_EVENTS):
        profile.pages += 1
        leaving = [events[place] for place in free[start : start + history.PAGE_EVENTS]]
        pages.append((key_of(profile.id, profile.pages), codec.encode_page(leaving)))
    profile.history.drop(set(free[: len(pages) * history.PAGE_EVENTS]))
    return pages


def count_later(profile: Profile, *, has_pages: bool) -> None:
    """Forget the counts of older events: whoever writes the state counts all its pages anew."""
    profile.tallies, profile.details, profile.tallied = {}, {}, ""
    profile.spilled = max(1, profile.spilled) if has_pages or profile.spilled else 0
