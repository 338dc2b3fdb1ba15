"""The question whether two profiles are one person: it is asked of people once, and their answer is kept.

The entry of the review queue is beside the state. So whoever decides it puts it into the input, and a replay decides
alike.
"""

from __future__ import annotations

import msgspec

from engine.effects import Review
from engine.identity import reviews
from engine.inputs import Reviewed, Suspect
from engine.parts.of_identity import ReviewEntry
from engine.turn_state import Turn

_REASON = "likely.matching"


def ask(turn: Turn, told: Suspect) -> None:
    """Ask whether another profile is the same person."""
    reviews.ask(
        turn,
        "candidate",
        _REASON,
        other=told.other,
        confidence=told.confidence,
        source="matching",
        detail={"why": [list(each) for each in told.why]},
    )


def close(turn: Turn, other: str) -> None:
    """The question about another profile has answered itself. It may be asked again."""
    profile = turn.profile
    entry = reviews.id_of(turn, "candidate", _REASON, other)
    if entry in profile.reviewed and other not in profile.unlike:
        profile.reviewed.remove(entry)
        gone = ReviewEntry(entry, turn.now_ms, "candidate", _REASON, profile.id, other=other, state="closed")
        turn.effects.append(Review(gone))


def settle(turn: Turn, told: Reviewed, outcome: str) -> None:
    """Keep the answer to a question, and note who gave it."""
    entry = msgspec.structs.replace(told.entry, state=outcome, decided_ms=turn.now_ms)
    turn.effects.append(Review(entry))
    detail = {"review": entry.id, "kind": entry.kind, "profile": entry.other, "by": told.by}
    turn.note("identity", f"review of a {entry.kind}: {outcome}", outcome=outcome, reason=entry.reason, detail=detail)
    turn.answer({"id": entry.id, "state": outcome, "profileId": turn.profile.id})
