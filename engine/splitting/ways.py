"""Which of two profiles that were one an input is for, when it still comes to the one that has split."""

from __future__ import annotations

from engine.catalog.compiled import Catalog
from engine.errors import Parked, Parted
from engine.identity import apart, home
from engine.inputs import AnyInput, ConsentChange, Decide, Event, Merge, Registered
from engine.profile import Profile


def check(profile: Profile, told: AnyInput, catalog: Catalog, retry_ms: int) -> None:
    """Raises Parted for an input whose home, whom it answers, or what it asks about, a split gave to another profile;
    Parked while that one is on its way there."""
    if isinstance(told, Registered):
        first: str | None = told.holder
    elif isinstance(told, Merge):
        first = told.asked
    elif isinstance(told, Event | Decide | ConsentChange):
        first = home.home_of(catalog, told)
    else:
        return
    to = "" if first is None else apart.owner_of(profile, first)
    if to in profile.parting:
        raise Parked(retry_ms)
    if to:
        raise Parted(to)
