"""Learns what is known of a person beside their identifiers: traits, locale and zone.

The newest statement counts, by when it was said and never by a time ahead of the turn that heard it
(`engine.values.stated_time`); of two at the same time the later arrival. identity.yaml may have another rule for a
trait (`engine.identity.trait_rules`), and addresses have one of their own (`engine.identity.address_statements`).
"""

from __future__ import annotations

from typing import Any, Final

from engine import limits
from engine.catalog import zones
from engine.contact import addresses
from engine.identity import address_statements, trait_words
from engine.inputs import Event
from engine.profile import Profile, TraitValue
from engine.turn_state import Turn
from engine.values import stated_time
from engine.values.absence import is_absent

OF_DEVICE: Final = ("locale", "timezone")  # in the context of events
_CHARS_MAX: Final = 100  # of a locale or a zone


def learn(turn: Turn, event: Event) -> None:
    """Write down the traits, locale and zone of an event."""
    at_ms = stated_time.of_fact(event.said_ms, turn.now_ms)
    if event.traits:
        _learn_traits(turn, event, at_ms)
    for name in OF_DEVICE:
        value = _said(name, event.context.get(name))
        if value and not _is_said_again(turn, name, value, at_ms, event):
            _learn_of_device(turn, name, TraitValue(value, at_ms, event.public, event.source, heard_ms=turn.now_ms))


def merge(turn: Turn, other: Profile) -> None:
    """When two profiles merge, the newer statement counts; of two at the same time the survivor's."""
    merge_traits(turn, other)
    for name in OF_DEVICE:
        mine, theirs = of_device(turn.profile, name), of_device(other, name)
        if theirs is not None:
            is_newer = mine is None or mine.at_ms < theirs.at_ms
            stays = theirs if is_newer or mine is None else mine
            settle(turn.profile, name, trait_words.after(None, mine, theirs, stays))


def of_device(profile: Profile, name: str) -> TraitValue | None:
    """The word that the locale or the zone of a profile is of; what was kept before words were has no source."""
    known, value = profile.of_device.get(name), getattr(profile, name)
    return TraitValue(value, getattr(profile, f"{name}_ms")) if known is None and value else known


def settle(profile: Profile, name: str, word: TraitValue | None) -> None:
    """Let the locale or the zone of a profile be of this word; None: nobody has said any."""
    if word is None:
        profile.of_device.pop(name, None)
    else:
        profile.of_device[name] = word
    setattr(profile, name, "" if word is None else word.value)
    setattr(profile, f"{name}_ms", 0 if word is None else word.at_ms)


def merge_traits(turn: Turn, other: Profile) -> None:
    """The same for traits alone. Where there is no room for all, the newest ones come along."""
    traits = turn.profile.traits
    room = limits.TraitRoom(traits)
    for name, trait in sorted(other.traits.items(), key=lambda known: (-known[1].at_ms, known[0])):
        if name in addresses.NAMESPACES:
            continue
        known = traits.get(name)
        _hear(turn, room, name, trait, is_newer=known is None or known.at_ms < trait.at_ms)
    trait_words.bound(traits)
    room.tell(turn, "merge")


def _said(name: str, value: Any) -> str:
    """The locale, or the zone that there is, which a device names; empty where it names none, as it may say as well."""
    if not isinstance(value, str) or len(value) > _CHARS_MAX:
        return ""
    is_known = value in zones.names() if name == "timezone" else not is_absent(value)
    return value if is_known else ""


def _is_said_again(turn: Turn, name: str, value: str, at_ms: int, event: Event) -> bool:
    """Whether the same key has said the same last, as nearly every event of a page does. Where merges can be undone,
    each word counts, because it may be of another of the two."""
    profile = turn.profile
    known = profile.of_device.get(name)
    if known is None or profile.ledger or known.value != value or known.source != event.source or at_ms < known.at_ms:
        return False
    known.at_ms = at_ms
    setattr(profile, f"{name}_ms", at_ms)
    return True


def _learn_of_device(turn: Turn, name: str, told: TraitValue) -> None:
    profile = turn.profile
    known = of_device(profile, name)
    if known is None or told.at_ms >= known.at_ms:
        settle(profile, name, trait_words.after(None, known, told, told))
    elif profile.ledger:  # a split may take the later one away
        settle(profile, name, trait_words.after(None, known, told, known))


def _learn_traits(turn: Turn, event: Event, at_ms: int) -> None:
    traits = turn.profile.traits
    room = limits.TraitRoom(traits)
    for name, value in event.traits.items():
        if name in addresses.NAMESPACES:
            if room.takes(name, value):
                address_statements.state(turn, name, value, at_ms, public=event.public, source=event.source)
            continue
        known = traits.get(name)
        is_newer = known is None or at_ms >= stated_time.of_fact(known.at_ms, turn.now_ms)
        told = TraitValue(value, at_ms, event.public, event.source, heard_ms=turn.now_ms)
        _hear(turn, room, name, told, is_newer=is_newer)
    trait_words.bound(traits)
    room.tell(turn, "event", event.message_id)


def _hear(turn: Turn, room: limits.TraitRoom, name: str, told: TraitValue, *, is_newer: bool) -> None:
    """Let the word that stays count, and keep what the other one said (`engine.identity.trait_words`)."""
    traits, rule = turn.profile.traits, turn.catalog.identity.traits.get(name)
    known = traits.get(name)
    stays = trait_words.chosen(rule, known, told, is_newer=is_newer)
    if stays is known or room.takes(name, stays.value):
        traits[name] = trait_words.after(rule, known, told, stays)
