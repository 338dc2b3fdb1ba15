"""The question whether two profiles are one person: it is asked of people once, and their answer is kept.

The entry of the review queue is beside the state. So whoever decides it puts it into the input, and a replay decides
alike.

Both sides know that a question is open (`Profile.candidates`), whichever of them was asked. So matching looks at the
pair again when either changes, and what nothing speaks for any more is closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from engine.effects import Review
from engine.identity import reviews
from engine.inputs import Candidate, Reviewed, Suspect
from engine.parts.of_identity import ReviewEntry
from engine.profile import Profile
from engine.turn_state import Turn

FORMER_MAX: Final = 20  # merges, after each of which a question may have stood under another id
_REASON: Final = "likely.matching"


def ask(turn: Turn, told: Suspect) -> None:
    """Ask whether another profile is the same person, unless the other, or one that has merged into this, was asked."""
    is_open = told.other in turn.profile.candidates
    if is_open or not _asked(turn, told.other).isdisjoint(turn.profile.reviewed):
        return
    is_new = reviews.ask(
        turn,
        "candidate",
        _REASON,
        other=told.other,
        confidence=told.confidence,
        source="matching",
        detail={"why": [list(each) for each in told.why]},
    )
    if is_new:
        _watch(turn.profile, told.other)
        turn.tell(told.other, Candidate(profile=turn.profile.id))


def hear(turn: Turn, told: Candidate) -> None:
    """A question about this profile and another one was asked there, or is over."""
    if told.refused:
        reviews.hear(turn, told)
    elif told.over:
        _close(turn, (told.profile, *told.places))
    elif turn.profile.is_blank:
        turn.tell(told.profile, Candidate(profile=turn.profile.id, over=True))
    else:
        _watch(turn.profile, told.profile)


def take_over(turn: Turn, gone: Profile) -> None:
    """The questions of a profile that this one has taken in go on here. Those that others were asked about it are over:
    matching finds what speaks for them anew."""
    profile = turn.profile
    reviews.take_over(turn, gone)
    here = {profile.id, *profile.held, *profile.absorbing}
    profile.candidates[:] = [other for other in profile.candidates if other not in here]
    names = (gone.id, *former(gone))
    for other in gone.candidates:
        if other in here:
            continue
        turn.tell(other, Candidate(profile=gone.id, over=True, places=names[1:]))
        if not _ids(turn, other, names).isdisjoint(profile.reviewed):
            turn.tell(other, Candidate(profile=profile.id))
            _watch(profile, other)


def _watch(profile: Profile, other: str) -> None:
    if other not in profile.candidates:
        profile.candidates.append(other)
        del profile.candidates[: -reviews.OPEN_MAX]


def close(turn: Turn, *others: str, but: str = "") -> None:
    """The questions about other profiles have answered themselves, but for one. They may be asked again. What was
    answered with no stays."""
    profile = turn.profile
    watched = [other for other in others if other in profile.candidates]
    _close(turn, others, but)
    for other in watched:
        turn.tell(other, Candidate(profile=profile.id, over=True, places=former(profile)))


def _close(turn: Turn, others: Iterable[str], but: str = "") -> None:
    profile = turn.profile
    for other in others:
        if other in profile.candidates:
            profile.candidates.remove(other)
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
    return _ids(turn, other, (turn.profile.id, *former(turn.profile)))


def _ids(turn: Turn, other: str, names: Iterable[str]) -> set[str]:
    return {reviews.id_of(turn, "candidate", _REASON, other, of=each) for each in names}


def settle(turn: Turn, told: Reviewed, outcome: str) -> None:
    """Keep the answer to a question, and note who gave it."""
    entry = msgspec.structs.replace(told.entry, state=outcome, decided_ms=turn.now_ms)
    turn.effects.append(Review(entry))
    detail = {"review": entry.id, "kind": entry.kind, "profile": entry.other, "by": told.by}
    turn.note("identity", f"review of a {entry.kind}: {outcome}", outcome=outcome, reason=entry.reason, detail=detail)
    turn.answer({"id": entry.id, "state": outcome, "profileId": turn.profile.id})
