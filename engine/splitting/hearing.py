"""What a profile that is told about being two people does."""

from __future__ import annotations

from engine.inputs import AnyInput, PassedOn, Rejoin, Revert, Revive, Revived, Split
from engine.splitting import revert, revive, split
from engine.turn_state import Turn


def hear(turn: Turn, told: AnyInput) -> None:
    """Handle an input about a split; any other one says nothing here."""
    match told:
        case Split():
            split.split(turn, told)
        case Revive():
            revive.come_back(turn, told)
        case Revived():
            split.has_arrived(turn, told)
        case Rejoin():
            split.rejoin(turn, told)
        case Revert():
            revert.revert(turn, told)
        case PassedOn():
            turn.profile.message_seq += 1
