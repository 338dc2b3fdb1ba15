"""The answer of a tombstone when a profile asks for its place. Its pointer stays where it is.

Whoever asks is passed on to the living profile, which decides whether both become one. An address's place notes the
profile as one more that has the address, and tells it the statements that bind the address.
"""

from __future__ import annotations

import msgspec

from engine.effects import LeaveTombstone
from engine.identity import asking, holding, standing
from engine.inputs import Claim, Merge, Released
from engine.profile import Tombstone
from engine.turn_state import Turn


def pass_on(turn: Turn, tombstone: Tombstone, asked: Merge) -> None:
    """Pass a question on to the profile that this place points to."""
    evidence = asked.evidence
    if evidence is not None and standing.is_same_place(evidence.place, turn.profile.id):
        if standing.kind(turn.catalog, evidence.namespace) == "contact":
            _note_holder(turn, tombstone, Claim(to=asked.to, public=asked.public, merged=asked.merged))
        others = sum(sharer != asked.to for sharer in tombstone.sharers)
        asked = msgspec.structs.replace(asked, sharers=others, is_shared=tombstone.shared)
    turn.tell(tombstone.to, asked)


def note_holder(turn: Turn, tombstone: Tombstone, asked: Claim) -> None:
    """Note that a profile has the address of this place too. Where the pointer leads to one that lives on in it, the
    pointer follows."""
    if asked.to != tombstone.to and tombstone.to in asked.merged:
        tombstone.holders[:] = [each for each in tombstone.holders if each not in {asked.to, *asked.merged}]
        turn.effects.append(LeaveTombstone(asked.to))
    _note_holder(turn, tombstone, asked)


def _note_holder(turn: Turn, tombstone: Tombstone, asked: Claim) -> None:
    if asked.to == tombstone.to or tombstone.to in asked.merged:
        holding.welcome(turn, asked.to, tombstone.words, owner=True)
    else:
        holding.add(turn, tombstone.holders, asked, tombstone.words)


def release(turn: Turn, told: Released) -> None:
    """Forget that a place has declined, because somebody else lives there now; or, as earlier engines said it, that the
    place points here."""
    held = turn.profile.held
    if told.anew:
        asking.forget_refusal(turn.profile, told.origin)
    elif told.origin in held:
        held.remove(told.origin)
