"""The answer of a tombstone when a profile asks for its place. Its pointer stays where it is.

Whoever asks is passed on to the living profile, which decides whether both become one. An address's place notes the
profile as one more that has the address, and tells it the statements that bind the address.
"""

from __future__ import annotations

import msgspec

from engine.identity import holding, standing
from engine.inputs import Claim, Merge, Released
from engine.profile import Tombstone
from engine.turn_state import Turn


def pass_on(turn: Turn, tombstone: Tombstone, asked: Merge) -> None:
    """Pass a question on to the profile that this place points to."""
    evidence = asked.evidence
    if evidence is not None and standing.is_same_place(evidence.place, turn.profile.id):
        if asked.to != tombstone.to and standing.kind(turn.catalog, evidence.namespace) == "contact":
            known = Claim(to=asked.to, public=asked.public)
            holding.add(turn, tombstone.holders, known, tombstone.words)
        asked = msgspec.structs.replace(asked, sharers=_others(tombstone, asked.to))
        if tombstone.shared:
            asked = msgspec.structs.replace(asked, is_shared=True)
    turn.tell(tombstone.to, asked)


def note_holder(turn: Turn, tombstone: Tombstone, asked: Claim) -> None:
    """Note that a profile has the address of this place too."""
    if asked.to != tombstone.to:
        holding.add(turn, tombstone.holders, asked, tombstone.words)


def release(turn: Turn, told: Released) -> None:
    """Forget a place that pointed here and points to another profile now."""
    held = turn.profile.held
    if told.origin in held:
        held.remove(told.origin)


def _others(tombstone: Tombstone, but: str) -> int:
    return sum(sharer != but for sharer in tombstone.sharers)
