"""Asks whoever lives at a place to become one person with this profile, and hears that they do not.

The answer is a hand-over (`engine.merging.take_in`), a question back by a profile that stands before this one, or a no
with its reason. Until it comes, the place stands in `absorbing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from engine import limits, seeds
from engine.identity import holding, reviews, sharing, standing
from engine.inputs import Declined, Merge, Released
from engine.parts.of_identity import Evidence
from engine.profile import Profile
from engine.turn_state import Turn

LIMITS: Final = ("identity.limit", "identity.shared", "identity.taken", "identity.unverified", "identity.not_allowed")
_BESIDE_MAX: Final = 200
_NAMED_MAX: Final = 20
_AGAIN_MS: Final = 3_600_000  # after which a refused word asks again, if it is repeated
_NO_QUESTION: Final = ("identity.shared", "identity.taken")  # of a device: its place says so by itself


def ask(
    turn: Turn,
    place: str,
    evidence: Evidence,
    *,
    is_contact: bool = False,
    links: bool = True,
    merges: bool = True,
    is_visitor: bool = True,
    in_spite_of: tuple[str, ...] = (),
    about: About | None = None,
) -> bool:
    """Ask at a place, because of `evidence`. False where too many places point here."""
    profile = turn.profile
    if not evidence.public and place in profile.publicly:
        profile.publicly.remove(place)  # a server key says the same, so the visitor is trusted after all
    if place in profile.absorbing or (place in profile.held and not is_contact and not in_spite_of):
        return True
    if place not in profile.held and len(profile.held) >= limits.POINTERS_MAX:
        return False
    is_known_there = is_contact and holding.is_registered(profile, place)
    for places in (profile.held, profile.told, profile.unanswered) if is_contact else (profile.held,):
        if place not in places and not (is_known_there and places is profile.unanswered):
            places.append(place)
    _expect(turn, place, evidence)
    about = about or About(turn)
    told = about.message(place, evidence, links=links, merges=merges, in_spite_of=in_spite_of)
    turn.tell(place, told if is_visitor else msgspec.structs.replace(told, is_new=False))
    return True


def ask_back(turn: Turn, asked: Merge, evidence: Evidence) -> None:
    """This profile stands before the one that asks, so that one shall come here."""
    _expect(turn, asked.to, evidence)
    told = About(turn).message(
        asked.to,
        evidence,
        is_new=False,
        links=asked.links,
        merges=asked.merges,
        in_spite_of=asked.in_spite_of,
        answers=asked.asked,
    )
    turn.tell(asked.to, told)


class About:
    """What an input names together, and what this profile says of itself in all questions of one turn. It is worked out
    where it is needed: most inputs bring nothing new."""

    __slots__ = ("_beside", "_named", "_pairs", "_people", "_same", "_turn")

    def __init__(self, turn: Turn, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self._turn, self._pairs = turn, pairs
        self._named: list[tuple[str, str]] | None = None
        self._same: Merge | None = None

    @property
    def named(self) -> list[tuple[str, str]]:
        """The first identifiers of the input, as (namespace, place)."""
        if self._named is None:
            key = self._turn.catalog.id_key
            first = self._pairs[:_NAMED_MAX]
            self._named = [(namespace, seeds.profile_id(key, namespace, value)) for namespace, value in first]
            kind = {name: standing.kind(self._turn.catalog, name) for name, _ in first}
            self._people = [pair for pair in self._named if kind[pair[0]] in ("person", "contact")]
        return self._named

    @property
    def people(self) -> list[tuple[str, str]]:
        """Those of them that name people."""
        return self._people if self.named else []

    def message(self, place: str, evidence: Evidence, **fields: Any) -> Merge:
        """A question at a place."""
        if self._same is None:
            self._same = _portrait(self._turn, public=evidence.public)
            self._beside = sharing.beside(self._turn.catalog, self._turn.profile)
        beside = [
            (each, *other)
            for each in (evidence.place, *(each for _, each in evidence.beside))
            for other in sorted(self._beside.get(each, ()))
        ]
        return msgspec.structs.replace(
            self._same,
            public=evidence.public,
            asked=place,
            evidence=evidence,
            beside=tuple(beside[:_BESIDE_MAX]),
            **fields,
        )


def _portrait(turn: Turn, *, public: bool) -> Merge:
    catalog, profile = turn.catalog, turn.profile
    return Merge(
        to=profile.id,
        is_new=is_new(turn),
        rank=standing.rank(catalog, profile),
        values=standing.values(catalog, profile, public=public),
        contacts=standing.contacts(catalog, profile),
        known=standing.is_known(catalog, profile),
        is_person=standing.is_person(catalog, profile),
        merged=holding.merged_lately(profile),
    )


def is_here(turn: Turn, asked: Merge) -> None:
    """What this profile has asked for has been its own all along, or since."""
    _arrived(turn.profile, asked.asked)
    _arrived(turn.profile, asked.answers)
    holding.own(turn.profile, asked.asked)


def is_answered(profile: Profile, asked: Merge) -> None:
    """A question back answers one of this profile's own: whoever asks has the place. An address stays known here."""
    away = [place for place in profile.absorbing if standing.is_same_place(place, asked.answers)]
    if away:
        _arrived(profile, asked.answers)
        profile.held[:] = [place for place in profile.held if place not in away or place in profile.told]


def decline(turn: Turn, told: Declined) -> None:
    """Whoever lives at a place does not become one with this profile: note why, and ask somebody who knows. An address
    stays known here; a place that a write key's word named is let go, with its identifier."""
    profile, evidence = turn.profile, told.evidence
    if profile.is_blank:
        return  # it was erased meanwhile
    if told.origin in profile.held and not _is_asked(profile, told.origin):
        return  # a late answer: another one has brought the place here
    _arrived(profile, told.origin)
    # Another identifier of the same word may be the reason, so only whoever has asked knows what lies at the place.
    is_by_contact = evidence is not None and standing.kind(turn.catalog, evidence.namespace) == "contact"
    is_contact = is_by_contact and told.origin in profile.told
    if not is_contact:
        for places in (profile.held, profile.told):
            if told.origin in places:
                places.remove(told.origin)
    if told.reason == "erased":  # whoever comes there next is somebody else, who has refused nothing
        turn.note("identity", "not taken over", outcome="refused", reason="erased", detail={"origin": told.origin})
        return
    is_public = evidence is None or evidence.public
    is_weak = is_public or told.reason == "identity.not_allowed"  # somebody who may merge may ask again
    is_news = note_refusal(turn, profile.declined if is_weak else profile.apart, told.origin)
    if told.reason == "identity.shared":
        sharing.mark(turn, told.origin)
    elif not is_contact and is_public:
        _let_go(turn, told.origin)
    source = "" if evidence is None else evidence.source
    detail = {"origin": told.origin}
    if is_news:
        turn.note("identity", "not taken over", source=source, outcome="refused", reason=told.reason, detail=detail)
    is_device = evidence is not None and standing.kind(turn.catalog, evidence.namespace) == "device"
    if evidence is None or (is_device and told.reason in _NO_QUESTION):
        return
    if evidence.public and (evidence.namespace != standing.LINK or told.reason == "identity.not_allowed"):
        return  # anybody may send such a word, and fill the queue with it
    reviews.ask(
        turn,
        "merge",
        told.reason,
        other=told.other,
        namespace=told.namespace,
        confidence=evidence.confidence,
        source=evidence.source,
        detail={"by": evidence.namespace},
    )


def is_declined(turn: Turn, place: str, *, weak: bool) -> bool:
    """Whether whoever lives at a place has declined lately, to such a word. Who repeats it asks again after a while:
    the reason may be gone. `weak`: its source may not merge."""
    profile = turn.profile
    declined = (*profile.declined, *profile.apart) if weak else profile.apart
    if not any(standing.is_same_place(place, each) for each in declined):
        return False
    return turn.now_ms < profile.asked_ms.get(place, 0) + _AGAIN_MS


def note_refusal(turn: Turn, refused: list[str], place: str) -> bool:
    """Note among `declined` or `apart` that a place is refused now; False where it was before."""
    profile = turn.profile
    is_news = place not in refused
    if is_news:
        refused.append(place)
        del refused[: -limits.IDENTIFIERS_MAX]
    known = {*profile.declined, *profile.apart}
    profile.asked_ms = {each: at_ms for each, at_ms in profile.asked_ms.items() if each in known}
    if refused is profile.apart or place not in profile.apart:  # a weak word does not put off a trusted one
        profile.asked_ms[place] = turn.now_ms
    return is_news


def tell_refused(turn: Turn, refused: Iterable[str]) -> None:
    """Let those who could not be merged with whoever had this place's identifier know that it is free of them."""
    for profile in dict.fromkeys(refused):
        turn.tell(profile, Released(origin=turn.profile.id, anew=True))


def forget_refusal(profile: Profile, place: str) -> None:
    """Whoever declined does not live at this place any more."""
    for refused in (profile.declined, profile.apart):
        if refused:
            refused[:] = [each for each in refused if not standing.is_same_place(each, place)]
    if profile.asked_ms:
        kept = profile.asked_ms.items()
        profile.asked_ms = {each: at_ms for each, at_ms in kept if not standing.is_same_place(each, place)}


def is_somebody(profile: Profile) -> bool:
    """Whether this person was known before what is being told now."""
    return profile.seq > 1 or bool(profile.consent)


def is_new(turn: Turn) -> bool:
    """Whether this profile was created by the very input that is being told."""
    return turn.profile.created_ms == turn.now_ms and not is_somebody(turn.profile)


def _expect(turn: Turn, place: str, evidence: Evidence) -> None:
    profile = turn.profile
    if place not in profile.absorbing:
        profile.absorbing.append(place)
    if evidence.public and is_somebody(profile) and place not in profile.publicly:
        profile.publicly.append(place)


def _is_asked(profile: Profile, place: str) -> bool:
    return any(standing.is_same_place(place, each) for each in profile.absorbing)


def _arrived(profile: Profile, place: str) -> None:
    for places in (profile.absorbing, profile.publicly):
        if places and place:
            places[:] = [each for each in places if not standing.is_same_place(each, place)]


def _let_go(turn: Turn, place: str) -> None:
    """Forget the identifier of a place that a write key's word has named for this profile, and that is another's."""
    profile = turn.profile
    profile.identifiers[:] = [
        link
        for link in profile.identifiers
        if link.shared or not link.public or not standing.is_same_place(standing.place(turn.catalog, link), place)
    ]
