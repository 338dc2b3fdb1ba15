"""Entries of the review queue that turns make: questions about who is who, for somebody to decide.

An entry has a stable id, so the same question is asked once, however often its occasion comes again. They hold ids of
profiles and kinds of identifiers, and no value of one.

An entry about another profile goes when that person is erased. So whoever is asked about keeps by whom. A candidate is
watched from both sides beside that (`engine.likeness.questions`).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from engine.contact.addresses import is_same_place
from engine.effects import Review
from engine.inputs import Candidate, Unlike
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile
from engine.turn_state import Turn

ASKED_BY_MAX: Final = 1_000  # profiles with a question about this one, of the newest
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
    public: bool = False,
) -> bool:
    """Put a question about this profile into the review queue, open or as a rule has decided it; False where it was
    asked before, or too many were. `public`: a write key alone has caused it. Anybody may do so, again and again, so
    one entry of a kind stands for all that this key causes here."""
    profile = turn.profile
    if public and state == "open":
        entry_id = id_of(turn, kind, reason, about=f"{namespace} by {source}")
    else:
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
        public=public,
        decided_ms=0 if state == "open" else turn.now_ms,
    )
    turn.effects.append(Review(entry))
    if other and kind in ("merge", "split"):
        profile.asked_about[entry_id] = other
    if other and kind == "merge":
        turn.tell(other, Candidate(profile=profile.id, refused=other))
    return True


def hear(turn: Turn, told: Candidate) -> None:
    """Another profile has an entry about this one. Where somebody was erased, it hears that at once; a place where
    nobody has lived yet keeps nothing."""
    profile, row = turn.profile, (told.profile, told.refused)
    if profile.is_blank:
        if profile.id != told.refused and is_same_place(profile.id, told.refused):
            turn.tell(told.profile, Unlike(profile=told.refused, gone=True))
    elif row not in profile.asked_by and told.profile not in (profile.id, *profile.held):
        profile.asked_by.append(row)
        del profile.asked_by[:-ASKED_BY_MAX]


def take_over(turn: Turn, gone: Profile) -> None:
    """The entries of a profile that this one has taken in are here from now on, and whoever they are about hears so."""
    profile = turn.profile
    here = {profile.id, *profile.held}
    rows = [row for row in (*profile.asked_by, *gone.asked_by) if row[0] not in here]
    profile.asked_by = [*dict.fromkeys(rows)][-ASKED_BY_MAX:]
    profile.asked_about |= gone.asked_about
    for other in dict.fromkeys(gone.asked_about.values()):
        if other not in here:
            turn.tell(other, Candidate(profile=profile.id, refused=other))


def leave(turn: Turn) -> None:
    """This person is erased: who has an entry about them hears so, and whomever they have one about."""
    profile = turn.profile
    for other, about in profile.asked_by:
        turn.tell(other, Unlike(profile=about, gone=True))
    for other in dict.fromkeys(profile.asked_about.values()):
        if other not in profile.held:
            turn.tell(other, Unlike(profile=profile.id, gone=True))


def forget(turn: Turn, *gone: str) -> None:
    """Close the entries about somebody who was erased, whatever was answered."""
    profile = turn.profile

    def is_gone(place: str) -> bool:
        return any(is_same_place(place, each) for each in gone)

    profile.asked_by = [row for row in profile.asked_by if not is_gone(row[0])]
    for entry, other in [row for row in profile.asked_about.items() if is_gone(row[1])]:
        del profile.asked_about[entry]
        if entry in profile.reviewed:
            profile.reviewed.remove(entry)
        closed = ReviewEntry(entry, turn.now_ms, "merge", "", profile.id, other=other, state="closed")
        turn.effects.append(Review(closed))


def id_of(turn: Turn, kind: Kind, reason: str, other: str = "", about: str = "", of: str = "") -> str:
    """The id of a question; that about two profiles is the same from either side. `of` is an id that this profile had
    before."""
    mine = of or turn.profile.id
    pair = sorted((mine, other)) if other else [mine]
    return turn.id_of("review", kind, *pair, about, reason)
