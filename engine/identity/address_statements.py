"""Statements of inputs about a person's addresses, and their effect (docs/addresses.md).

`engine.contact.addresses` says which address is current. A write key's word replaces no verified one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from engine import limits
from engine.contact.addresses import NAMESPACES, current, place, rank, stated
from engine.identity import link_limits, trait_words
from engine.inputs import Confirm
from engine.parts.of_identity import Link, Said
from engine.profile import Profile, TraitValue
from engine.turn_state import Turn
from engine.values import stated_time


def mention(
    turn: Turn, namespace: str, value: str, at_ms: int, *, public: bool, source: str = "", is_stated: bool = False
) -> bool:
    """Note that an input names the address as this person's. A server key's word verifies it, if it is new or current.
    False where this person has too many identifiers for another one; one that `state` is about to state may take the
    place of the current one, so there is always room for it."""
    at_ms, profile = stated_time.of_fact(at_ms, turn.now_ms), turn.profile
    before, link = current(profile, namespace), _find(profile, namespace, value)
    if link is not None:
        link.first_seen_ms, link.last_seen_ms = min(link.first_seen_ms, at_ms), max(link.last_seen_ms, at_ms)
        trait = profile.traits.get(namespace)
        if not public and (link is before or trait is None or trait.public):
            _verify(turn, link, source)
            _prefer_verified(turn, link, at_ms, source)
        return True
    if not link_limits.make_room(turn, namespace, public=public) and not is_stated:
        return False
    if len(profile.identifiers) >= limits.IDENTIFIERS_MAX and (public or not link_limits.make_way(turn)):
        return False
    link = Link(namespace, value, at_ms, at_ms, verified=not public, stated_ms=at_ms, since_ms=turn.now_ms)
    profile.identifiers.append(link)
    if public and before is not None and before is not current(profile, namespace):
        # Whatever time a write key claims: messages about earlier events were for the people at the former address.
        link.stated_ms = turn.now_ms
    _prefer_verified(turn, link, at_ms, source)
    return True


def state(turn: Turn, namespace: str, told: Any, at_ms: int, *, public: bool, source: str = "") -> None:
    """State the address by an `identify`; `mention` was called for it already."""
    _state(turn, namespace, told, at_ms, public=public, source=source)
    link_limits.make_room(turn, namespace, public=public, more=0)


def _state(turn: Turn, namespace: str, told: Any, at_ms: int, *, public: bool, source: str) -> None:
    at_ms, profile = stated_time.of_fact(at_ms, turn.now_ms), turn.profile
    link = stated(profile.identifiers, namespace, told)
    if link is not None and not public:
        _verify(turn, link, source)
    trait, before = profile.traits.get(namespace), current(profile, namespace)
    word = TraitValue(told, at_ms, public, source, heard_ms=turn.now_ms)
    is_late = trait is not None and at_ms < stated_time.of_fact(trait.at_ms, turn.now_ms)
    if trait is not None and is_late and not _outranks(link, before, trait):
        trait_words.after(None, trait, word, trait)
        return
    if public and before is not None and before.verified and before is not link:
        _refuse(turn, namespace, link, source)
        return
    profile.traits[namespace] = trait_words.after(None, trait, word, word)
    if link is not None and link is not before:
        link.since_ms = turn.now_ms
        link.stated_ms = turn.now_ms if public and before is not None else at_ms


def _prefer_verified(turn: Turn, link: Link, at_ms: int, source: str) -> None:
    """Let a verified address that was only mentioned count before one that only a write key has stated."""
    profile, namespace = turn.profile, link.namespace
    trait, before = profile.traits.get(namespace), current(profile, namespace)
    if trait is not None and link is not before and _outranks(link, before, trait):
        word = TraitValue(link.value, at_ms, source=source, heard_ms=turn.now_ms)
        profile.traits[namespace] = trait_words.after(None, trait, word, word)
        link.since_ms, link.stated_ms = turn.now_ms, at_ms


def _outranks(link: Link | None, before: Link | None, trait: TraitValue) -> bool:
    """Whether an address counts before the stated one at any time: it is verified and the other is not. A server's
    statement that there is none stands until a later one."""
    if link is None or not link.verified:
        return False
    return trait.public if before is None else not before.verified


def confirm(turn: Turn, said: Confirm) -> None:
    """Verify an address whose reader says that it is theirs; it replaces an unverified one as current."""
    profile = turn.profile
    for link in profile.identifiers:
        if link.namespace in NAMESPACES and place(turn.catalog, link) == said.address:
            before = current(profile, link.namespace)
            is_new = not link.verified
            link.verified, link.confirmed_ms = True, turn.now_ms  # `verified_by` is of keys
            if before is not link and before is not None and not before.verified:
                word = TraitValue(link.value, turn.now_ms, heard_ms=turn.now_ms)
                trait = profile.traits.get(link.namespace)
                profile.traits[link.namespace] = trait_words.after(None, trait, word, word)
                link.stated_ms = link.since_ms = turn.now_ms
            if is_new:
                turn.note("identity", f"{link.namespace} confirmed", outcome="confirmed")
            turn.answer({"confirmed": True})
            return
    turn.answer({"confirmed": False})


def _verify(turn: Turn, link: Link, source: str) -> None:
    if not link.verified:
        link.verified, link.verified_by = True, Said(source, turn.now_ms)


def distrust(profile: Profile, now_ms: int) -> None:
    """Let each address of a profile count as stated now by a stranger, because a write key's word merges it into
    another person's."""
    for link in profile.identifiers:
        if link.namespace in NAMESPACES:
            link.verified, link.stated_ms, link.since_ms = False, now_ms, now_ms
    for namespace in NAMESPACES:
        trait = profile.traits.get(namespace)
        if trait is not None:
            profile.traits[namespace] = msgspec.structs.replace(trait, public=True)


@dataclass(frozen=True, slots=True)
class _Known:
    """The address of one kind that a profile knows, to be weighed against another profile's."""

    link: Link | None
    trait: TraitValue | None

    @property
    def is_verified(self) -> bool:
        return self.link is not None and self.link.verified

    @property
    def at_ms(self) -> int:
        if self.trait is not None:
            return self.trait.at_ms
        return rank(self.link)[1] if self.link is not None else -1

    def beats(self, other: _Known) -> bool:
        """A verified address beats one that is not, but for a server's statement that there is none. Among equals a
        statement beats a mention, and then the later one the earlier."""
        if self.is_verified != other.is_verified:
            weaker = other if self.is_verified else self
            is_none = weaker.trait is not None and weaker.link is None and not weaker.trait.public
            if not is_none:
                return self.is_verified
        elif (self.trait is None) != (other.trait is None):
            return self.trait is not None
        return self.at_ms > other.at_ms


def known(profile: Profile) -> dict[str, _Known]:
    """The addresses that a profile knows, to be weighed by `merge` when it has the other's identifiers."""
    return {namespace: _Known(current(profile, namespace), profile.traits.get(namespace)) for namespace in NAMESPACES}


def merge(turn: Turn, mine: dict[str, _Known], theirs: dict[str, _Known]) -> None:
    """Choose the current addresses of two merged profiles. Whichever statement wins, an address that is new to the
    survivor's own runs counts as stated now, so that no earlier event is mailed to it."""
    profile = turn.profile
    for namespace in NAMESPACES:
        own, other = mine[namespace], theirs[namespace]
        if other.beats(own):
            winner = other
            if other.link is not None and (own.link is not None or any(run.state == "active" for run in profile.runs)):
                link = _find(profile, namespace, other.link.value)
                if link is not None and link is not own.link:
                    link.since_ms = link.stated_ms = turn.now_ms
        else:
            winner = own
        trait = winner.trait
        if trait is None and winner.link is not None and own.trait is not other.trait:
            trait = TraitValue(winner.link.value, winner.at_ms, source=winner.link.source, heard_ms=turn.now_ms)
        if trait is not None:
            profile.traits[namespace] = _with_both(trait, own.trait, other.trait)


def _with_both(trait: TraitValue, *known: TraitValue | None) -> TraitValue:
    for word in known:
        if word is not None and word is not trait:
            trait = trait_words.after(None, word, trait, trait)
    return trait


def _find(profile: Profile, namespace: str, value: str) -> Link | None:
    return next((link for link in profile.identifiers if (link.namespace, link.value) == (namespace, value)), None)


def _refuse(turn: Turn, namespace: str, link: Link | None, source: str) -> None:
    """Note a refused statement once for each address: a page that goes on stating it adds nothing."""
    if link is not None and link.since_ms == turn.now_ms:
        summary = f"{namespace} not replaced"
        turn.note("identity", summary, source=source, outcome="refused", reason="address.unverified")
