"""The answer of a tombstone when a profile asks for its place: its pointer moves, or its owner keeps it.

The first merge takes a profile's state. A later one finds a tombstone and moves only the pointer, for later inputs. The
pointer moves once the profile that takes it in has said so, and the former owner is told. A hand-over that is still on
its way goes to the profile that took the state.
"""

from __future__ import annotations

from engine.effects import LeaveTombstone
from engine.identity import holding
from engine.inputs import Claim, Declined, HandedOver, HandOver, Merge, Released
from engine.profile import Tombstone
from engine.turn_state import Turn


def point_elsewhere(turn: Turn, tombstone: Tombstone, asked: Merge | Claim) -> None:
    """Answer a profile that asks for a place that may point to another one. A merge moves the pointer, unless a write
    key's word asks for it. A claim never does: the profile that claims an address is told the statements that bind
    it."""
    profile = turn.profile
    if isinstance(asked, Claim):
        if asked.to == tombstone.to:
            holding.welcome(turn, asked.to, tombstone.words, owner=True)
        elif tombstone.to in asked.merged:  # it lives on in the one that asks
            tombstone.holders[:] = [each for each in tombstone.holders if each not in {asked.to, *asked.merged}]
            holding.welcome(turn, asked.to, tombstone.words, owner=True)
            turn.effects.append(LeaveTombstone(asked.to))
        else:
            holding.add(turn, tombstone.holders, asked, tombstone.words)
    elif asked.public and asked.to != tombstone.to:
        turn.tell(asked.to, Declined(origin=profile.id, reason="write_key.taken"))
    else:
        turn.tell(asked.to, HandOver(origin=profile.id, points=asked.to != tombstone.to))


def repoint(turn: Turn, tombstone: Tombstone, told: HandedOver) -> None:
    """Point to the living profile that took the pointer in. The profile that asked may have been merged meanwhile: if
    the pointer moved at once, pointers could form a circle, and messages would go round for ever."""
    if told.to != tombstone.to:
        turn.tell(tombstone.to, Released(origin=turn.profile.id))
        turn.effects.append(LeaveTombstone(told.to))


def release(turn: Turn, told: Released) -> None:
    """Forget a place that pointed here and points to another profile now."""
    held = turn.profile.held
    if told.origin in held:
        held.remove(told.origin)
