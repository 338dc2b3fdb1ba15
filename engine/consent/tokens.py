"""The token without which no send can be built (Invariant 5)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contact import consents
from engine.turn_state import Turn


@dataclass(frozen=True, slots=True)
class ConsentToken:
    """The right to use one channel for one purpose in one tier, as read in this turn. Made by `token` alone."""

    profile: str
    purpose: str
    channel: str
    tier: str
    basis: str
    read_ms: int


def token(turn: Turn, purpose: str, channel: str, tier: str) -> ConsentToken | None:
    """The capability to send, None where there is no consent."""
    found = consents.basis(turn.profile, turn.catalog, purpose, channel, tier)
    return None if found is None else ConsentToken(turn.profile.id, purpose, channel, tier, found, turn.now_ms)
