"""Likely links: another profile is probably the same person, and decisions may read some of its context.

    matching ──Suspect──► this        this one keeps the link, and lends an excerpt of its own
    this ──Resembles──► other         the other one keeps the link and the excerpt …
    this ◄─Resembles── other          … and lends its own
    this ──Unlike──► other            the link has fallen: both forget what was lent

A link lends context and nothing else. No message is sent on account of it, and no gate of a send reads it. Above a
higher threshold two profiles merge instead, by the rules of every merge (`engine.identity.claims`). Both ends keep the
link, so either can end it: an erasure, a merge, a lower score and a word of somebody who knows better do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine import codec
from engine.identity import apart, claims, reviews
from engine.inputs import Join, Resembles, Suspect, Unlike
from engine.likeness import excerpts, questions
from engine.parts.of_identity import Likely
from engine.profile import Profile
from engine.turn_state import Turn

LINKS_MAX: Final = 5  # of one profile; the likeliest stay
UNLIKE_MAX: Final = 200


def suspect(turn: Turn, told: Suspect) -> None:
    """Matching has an opinion about another profile: merge, link, ask somebody, or let a link fall."""
    rules, profile, other = turn.catalog.identity.matching, turn.profile, told.other
    if _is_same(profile, other):
        profile.likely[:] = [link for link in profile.likely if link.profile != other]
        profile.candidates[:] = [each for each in profile.candidates if each != other]
        return
    if profile.is_blank:
        return
    is_told_apart = other in profile.unlike or apart.is_kept_apart(profile, other)
    if not rules.enabled or is_told_apart or told.confidence < rules.review_at:
        fall(turn, other)
        questions.close(turn, other)
        return
    if told.confidence >= rules.merge_at:
        claims.join(turn, Join(other=other, source="matching", confidence=told.confidence))
        return
    if told.confidence >= rules.personalise_at:
        link = Likely(other, told.confidence, turn.now_ms, turn.now_ms + rules.lent_ms)
        for before in profile.likely:
            if before.profile == other:  # until the new excerpt is here, the old one stays
                link.traits, link.segments = before.traits, before.segments
        if _keep(turn, link):
            turn.tell(other, _excerpt(turn, other, told.confidence))
    else:
        fall(turn, other)
    questions.ask(turn, told)


def resembles(turn: Turn, told: Resembles) -> None:
    """The other side of a link lends its context. Asked for the first time, this side lends its own."""
    profile = turn.profile
    known = {link.profile for link in profile.likely}
    if _is_same(profile, told.profile):
        profile.likely[:] = [link for link in profile.likely if link.profile != told.asked]
        return
    has_fallen = told.asked not in known if told.asked else profile.is_blank or told.profile in profile.unlike
    if has_fallen or not turn.catalog.identity.matching.enabled:
        turn.tell(told.profile, Unlike(profile=told.to))  # by this name the other one keeps it
        return
    link = Likely(told.profile, told.confidence, turn.now_ms, told.until_ms, told.traits, list(told.segments))
    if not _keep(turn, link, told.asked):
        turn.tell(told.profile, Unlike(profile=told.to))
    elif not told.asked:
        turn.tell(told.profile, _excerpt(turn, told.profile, told.confidence, asked=told.to))


def unlike(turn: Turn, told: Unlike) -> None:
    """A link has fallen at its other end. A no of somebody is answered with the ids that this profile had before it
    merged: each of both then knows the other under all of them, and closes what is asked about it."""
    profile, names = turn.profile, (told.profile, *told.places)
    _forget(turn, told.profile)
    if told.gone:
        reviews.forget(turn, *names)
    if told.said or told.gone:
        questions.close(turn, *names)
    if told.said and part(profile, names):
        turn.tell(told.profile, Unlike(profile=profile.id, said=True, places=questions.former(profile)))


def fall(turn: Turn, other: str, *, said: bool = False) -> None:
    """Let the link to another profile fall, at both ends. With `said` it never comes back."""
    if said:
        part(turn.profile, [other])
    if _forget(turn, other) or said:
        turn.tell(
            other, Unlike(profile=turn.profile.id, said=said, places=questions.former(turn.profile) if said else ())
        )


def part(profile: Profile, others: Iterable[str]) -> bool:
    """Remember that others are not this person; False where that was known."""
    new = [other for other in dict.fromkeys(others) if other not in profile.unlike and other != profile.id]
    profile.unlike.extend(new)
    del profile.unlike[:-UNLIKE_MAX]
    return bool(new)


def let_go(turn: Turn, gone: Profile) -> None:
    """Let all links of a profile fall that this one has taken in, or that is this one and is erased. Matching finds
    those of the survivor anew; the people that it was told apart from stay apart from the survivor."""
    profile = turn.profile
    for link in gone.likely:
        if not _is_same(profile, link.profile) or profile is gone:
            names = questions.former(gone) if profile is gone else ()
            turn.tell(link.profile, Unlike(profile=gone.id, places=names, gone=profile is gone))
    if profile is gone:
        for other in gone.candidates:
            turn.tell(other, Unlike(profile=gone.id, places=questions.former(gone), gone=True))
        reviews.leave(turn)
        return
    questions.take_over(turn, gone)
    profile.likely[:] = [link for link in profile.likely if not _is_same(profile, link.profile)]
    for other in gone.unlike:
        if other not in profile.unlike and not _is_same(profile, other):
            turn.tell(other, Unlike(profile=profile.id, said=True))
    part(profile, gone.unlike)


def state_of(profile: Profile) -> bytes:
    """A profile as the ledger keeps it: without what others have lent it. They may be erased while the record stands,
    and no link of then comes back with a split: matching finds anew who is alike."""
    likely, candidates = profile.likely, profile.candidates
    profile.likely, profile.candidates = [], []
    try:
        return codec.encode_record(profile)
    finally:
        profile.likely, profile.candidates = likely, candidates


def lenders(turn: Turn) -> list[Likely]:
    """The links of which a decision may read, the likeliest first."""
    if not turn.catalog.identity.matching.enabled:
        return []
    return [link for link in turn.profile.likely if link.until_ms > turn.now_ms]


def expire(turn: Turn) -> None:
    """Forget what was lent until now; all of it, where matching is off."""
    is_off = not turn.catalog.identity.matching.enabled
    for link in list(turn.profile.likely):
        if is_off:
            fall(turn, link.profile)
        elif link.until_ms <= turn.now_ms:
            _forget(turn, link.profile, "likely.expired")


def _excerpt(turn: Turn, to: str, confidence: float, asked: str = "") -> Resembles:
    rules = turn.catalog.identity.matching
    return Resembles(
        profile=turn.profile.id,
        to=to,
        confidence=confidence,
        until_ms=turn.now_ms + rules.lent_ms,
        traits=excerpts.traits(turn.profile, rules.traits),
        segments=excerpts.segments(turn) if rules.segments else (),
        asked=asked,
    )


def _keep(turn: Turn, link: Likely, instead_of: str = "") -> bool:
    """Keep a link, in the place of the one to `instead_of`; False where too many others are likelier."""
    likely = turn.profile.likely
    replaced = {link.profile, instead_of}
    is_new = all(known.profile not in replaced for known in likely)
    others = [known for known in likely if known.profile not in replaced]
    likely[:] = sorted([*others, link], key=lambda one: (-one.confidence, one.profile))
    is_kept = link in likely[:LINKS_MAX]
    if is_new and is_kept:
        _note(turn, "linked", link)
    elif is_new:
        likely.remove(link)
    for dropped in likely[LINKS_MAX:]:
        fall(turn, dropped.profile)
    return is_kept


def _forget(turn: Turn, other: str, reason: str = "likely.fell") -> bool:
    for link in turn.profile.likely:
        if link.profile == other:
            turn.profile.likely.remove(link)
            _note(turn, "fallen", link, reason)
            return True
    return False


def _note(turn: Turn, outcome: str, link: Likely, reason: str = "") -> None:
    is_new = outcome == "linked"
    summary = "probably the same person as another profile" if is_new else "no longer linked to another profile"
    detail = {"profile": link.profile, "confidence": round(link.confidence, 4)}
    turn.note("identity", summary, outcome=outcome, reason=reason or "likely.matching", detail=detail)


def _is_same(profile: Profile, other: str) -> bool:
    """Whether a profile lives here, or is on its way here."""
    return other == profile.id or other in profile.held or other in profile.absorbing
