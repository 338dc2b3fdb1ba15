"""The question whether two profiles are one person: it is asked of people once, and their answer is kept.

The entry of the review queue is beside the state. So whoever decides it puts it into the input, and a replay decides
alike.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.effects import Review
from engine.identity import reviews
from engine.inputs import Reviewed, Suspect
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile
from engine.turn_state import Turn

FORMER_MAX: Final = 20  # merges, after each of which a question may have stood under another id
_REASON: Final = "likely.matching"


def ask(turn: Turn, told: Suspect) -> None:
    """Ask whether another profile is the same person, unless a profile that has merged into this one was asked."""
    if not _asked(turn, told.other).isdisjoint(turn.profile.reviewed):
        return
    reviews.ask(
        turn,
        "candidate",
        _REASON,
        other=told.other,
        confidence=told.confidence,
        source="matching",
        detail={"why": [list(each) for each in told.why]},
    )


def close(turn: Turn, *others: str, but: str = "") -> None:
    """The questions about other profiles have answered themselves, but for one. They may be asked again. What was
    answered with no stays."""
    profile = turn.profile
    for other in others:
        if other in profile.unlike:
            continue
        for entry in sorted(_asked(turn, other).intersection(profile.reviewed) - {but}):
            profile.reviewed.remove(entry)
            gone = ReviewEntry(entry, turn.now_ms, "candidate", _REASON, profile.id, other=other, state="closed")
            turn.effects.append(Review(gone))


def former(profile: Profile) -> tuple[str, ...]:
    """The ids of the profiles that have merged into this one, of the newest merges."""
    return tuple(dict.fromkeys(each.origin for each in profile.ledger[-FORMER_MAX:] if not each.undone_ms))


def _asked(turn: Turn, other: str) -> set[str]:
    """The ids of the questions whether this profile, by any of its ids, is another one."""
    ids = (turn.profile.id, *former(turn.profile))
    return {reviews.id_of(turn, "candidate", _REASON, other, of=each) for each in ids}


def settle(turn: Turn, told: Reviewed, outcome: str) -> None:
    """Keep the answer to a question, and note who gave it."""
    entry = msgspec.structs.replace(told.entry, state=outcome, decided_ms=turn.now_ms)
    turn.effects.append(Review(entry))
    detail = {"review": entry.id, "kind": entry.kind, "profile": entry.other, "by": told.by}
    turn.note("identity", f"review of a {entry.kind}: {outcome}", outcome=outcome, reason=entry.reason, detail=detail)
    turn.answer({"id": entry.id, "state": outcome, "profileId": turn.profile.id})
