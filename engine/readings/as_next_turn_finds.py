"""A profile as its next turn will find it, for people who ask before that turn. A reading writes nothing."""

from __future__ import annotations

import msgspec

from engine import codec
from engine.catalog.compiled import Catalog
from engine.journeys import pauses
from engine.profile import Profile
from engine.turn_state import Turn


def settled(known: Profile, catalog: Catalog, now_ms: int) -> Profile:
    """A profile as its next turn will find it: runs and sends that the active catalog ends have ended, though no turn
    has settled that yet. Where there is a difference this is a copy, because a reading writes nothing."""
    now_ms = max(now_ms, known.clock_ms)
    if known.moving_to or pauses.is_settled(known, catalog, now_ms):
        return known
    copy = codec.decode_record(codec.encode_record(known), known.id)
    assert isinstance(copy, Profile), "a profile is read back as one"
    pauses.settle(Turn(copy, catalog, now_ms))
    return copy


def to_try(known: Profile) -> Profile:
    """A copy for questions that keep their draws: the profile itself must not change."""
    copy = msgspec.structs.replace(known, drawn=dict(known.drawn))
    copy.history = known.history
    return copy
