"""Notes by which identifiers something came, on a profile with merges that can be undone.

A split gives back by these what came since the merge. Only such a profile writes them, so everybody else pays nothing.
"""

from __future__ import annotations

from typing import Any

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.consent import recording
from engine.identity import home
from engine.inputs import ConsentChange, Decide, Event
from engine.profile import Profile
from engine.splitting.around import has_merges
from engine.turn_state import Turn


def carried(catalog: Catalog, told: Event | Decide | ConsentChange) -> tuple[str, ...]:
    """The places of the identifiers that an input carries; its home comes first."""
    places = [seeds.profile_id(catalog.id_key, namespace, value) for namespace, value in home.named(told)]
    if isinstance(told, Event) and told.previous_id:
        places += [
            seeds.profile_id(catalog.id_key, namespace, told.previous_id) for namespace in ("user_id", "anonymous_id")
        ]
    first = home.home_of(catalog, told)
    return tuple(dict.fromkeys([first, *places] if first is not None else places))


class Marks:
    """What a profile had before an input; `write` marks what is new after it."""

    __slots__ = ("_by", "_consent", "_had", "_known")

    def __init__(self, profile: Profile, by: tuple[str, ...]) -> None:
        self._by = by
        self._had = _parts(profile)  # kept, so that no new part gets the id of one that is gone
        self._known = {id(part) for part in self._had}
        self._consent = [*profile.consent]

    @property
    def by(self) -> tuple[str, ...]:
        """The places of the identifiers of the input."""
        return self._by

    def write(self, turn: Turn) -> None:
        """Mark the parts that are new."""
        profile = turn.profile
        new = [part for part in _parts(profile) if id(part) not in self._known]
        for part in new:
            part.by = [*self._by]
        kept = {id(record) for record in profile.consent}
        gone = [record for record in self._consent if id(record) not in kept]
        noes = [no for record in gone for no in ([] if record.granted else [recording.plain(record)]) + record.lifted]
        for record in profile.consent:
            if record.granted and id(record) not in self._known:
                record.lifted = noes


def before(turn: Turn, told: Event | ConsentChange) -> Marks | None:
    """Begin to mark; None where nothing can be undone."""
    profile = turn.profile
    if not profile.ledger or not has_merges(profile):
        return None
    return Marks(profile, carried(turn.catalog, told))


def _parts(profile: Profile) -> list[Any]:
    traits = (*profile.traits.values(), *profile.of_device.values())
    words = [word for trait in traits for word in (trait, *trait.others)]
    verified = [link.verified_by for link in profile.identifiers if link.verified_by is not None]
    return [*profile.identifiers, *verified, *words, *profile.consent, *profile.awaiting, *profile.runs]
