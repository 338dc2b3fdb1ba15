"""The review queue as turns see it: what is asked of people, once, and what their answers do.

The entry itself is beside the state. So whoever decides it puts it into the input, and a replay decides alike.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.effects import Review
from engine.inputs import Reviewed, Suspect
from engine.parts.of_identity import ReviewEntry
from engine.turn_state import Turn

ASKED_MAX: Final = 100  # entries of one profile that are remembered


def id_of(turn: Turn, other: str) -> str:
    """The id of the question whether two profiles are one person, the same from either side."""
    return turn.id_of("candidate", *sorted((turn.profile.id, other)))


def ask(turn: Turn, told: Suspect) -> None:
    """Ask whether another profile is the same person, once."""
    profile, entry = turn.profile, id_of(turn, told.other)
    if entry in profile.reviewed:
        return
    profile.reviewed.append(entry)
    del profile.reviewed[:-ASKED_MAX]
    made = ReviewEntry(
        entry,
        turn.now_ms,
        "candidate",
        "likely.matching",
        profile.id,
        other=told.other,
        confidence=told.confidence,
        source="matching",
        detail={"why": [list(each) for each in told.why]},
    )
    turn.effects.append(Review(made))


def close(turn: Turn, other: str) -> None:
    """The question about another profile has answered itself. It may be asked again."""
    profile, entry = turn.profile, id_of(turn, other)
    if entry in profile.reviewed and other not in profile.unlike:
        profile.reviewed.remove(entry)
        gone = ReviewEntry(entry, turn.now_ms, "candidate", "likely.fell", profile.id, other=other, state="closed")
        turn.effects.append(Review(gone))


def settle(turn: Turn, told: Reviewed, outcome: str) -> None:
    """Keep the answer to a question, and note who gave it."""
    entry = msgspec.structs.replace(told.entry, state=outcome, decided_ms=turn.now_ms)
    turn.effects.append(Review(entry))
    detail = {"review": entry.id, "kind": entry.kind, "profile": entry.other, "by": told.by}
    turn.note("identity", f"review of a {entry.kind}: {outcome}", outcome=outcome, reason=entry.reason, detail=detail)
    turn.answer({"id": entry.id, "state": outcome, "profileId": turn.profile.id})
