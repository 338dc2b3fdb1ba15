"""Which profile an input is for, when it comes to one that has split, or that shares the identifier with others."""

from __future__ import annotations

from engine.catalog.compiled import Catalog
from engine.errors import Beside, Parked, Parted
from engine.identity import apart, home
from engine.inputs import AnyInput, ConsentChange, Decide, Event, Merge, Registered
from engine.profile import Profile


def check(profile: Profile, told: AnyInput, catalog: Catalog, retry_ms: int) -> None:
    """Raises Parted for an input whose home, whom it answers, or what it asks about, a split gave to another profile;
    Parked while that one is on its way there. What comes by a shared identifier is passed on by `pass_on`."""
    has_come_home = True
    if isinstance(told, Registered):
        first: str | None = told.holder
    elif isinstance(told, Merge):
        first = told.asked
    elif isinstance(told, Event | Decide | ConsentChange):
        first = home.meant(catalog, profile, told)
        has_come_home = first == home.home_of(catalog, told)
    else:
        return
    to = "" if first is None else apart.owner_of(profile, first)
    if to in profile.parting:
        raise Parked(retry_ms)
    if to and has_come_home:
        raise Parted(to)


def pass_on(profile: Profile, told: AnyInput, catalog: Catalog) -> None:
    """Raises Beside for an input that came by an identifier which several people share, where another one that it
    carries says whose it is."""
    to = home.beside(catalog, profile, told)
    if to:
        raise Beside(to)
