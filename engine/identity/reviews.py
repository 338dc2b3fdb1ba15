"""Entries of the review queue that turns make: questions about who is who, for somebody to decide.

An entry has a stable id, so the same question is asked once, however often its occasion comes again. They hold ids of
profiles and kinds of identifiers, and no value of one.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from engine.effects import Review
from engine.parts.of_identity import ReviewEntry
from engine.turn_state import Turn

OPEN_MAX: Final = 100  # of one profile, for ever: a machine that makes more of them makes none after that

State = Literal["open", "accepted"]
Kind = Literal["merge", "split", "shared", "candidate"]


def ask(
    turn: Turn,
    kind: Kind,
    reason: str,
    *,
    other: str = "",
    namespace: str = "",
    merge_id: str = "",
    confidence: float = 0.0,
    source: str = "",
    detail: dict[str, Any] | None = None,
    state: State = "open",
) -> bool:
    """Put a question about this profile into the review queue, open or as a rule has decided it; False where it was
    asked before, or too many were."""
    profile = turn.profile
    entry_id = id_of(turn, kind, reason, other, merge_id or namespace)
    if entry_id in profile.reviewed or len(profile.reviewed) >= OPEN_MAX:
        return False
    profile.reviewed.append(entry_id)
    entry = ReviewEntry(
        id=entry_id,
        at_ms=turn.now_ms,
        kind=kind,
        reason=reason,
        profile=profile.id,
        other=other,
        namespace=namespace,
        merge_id=merge_id,
        confidence=confidence,
        source=source,
        detail=detail or {},
        state=state,
        decided_ms=0 if state == "open" else turn.now_ms,
    )
    turn.effects.append(Review(entry))
    return True


def id_of(turn: Turn, kind: Kind, reason: str, other: str = "", about: str = "", of: str = "") -> str:
    """The id of a question; that about two profiles is the same from either side. `of` is an id that this profile had
    before."""
    mine = of or turn.profile.id
    pair = sorted((mine, other)) if other else [mine]
    return turn.id_of("review", kind, *pair, about, reason)
