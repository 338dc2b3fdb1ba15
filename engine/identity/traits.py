"""Learns what is known of a person beside their identifiers: traits, locale and zone.

The newest statement counts, by when it was said and never by a time ahead of the turn that heard it
(`engine.values.stated_time`); of two at the same time the later arrival. identity.yaml may have another rule for a
trait (`engine.identity.trait_rules`), and addresses have one of their own (`engine.identity.address_statements`).

A device that knows no zone may send a blank one or a name that is none: that states nothing.
"""

from __future__ import annotations

from engine import limits
from engine.catalog import zones
from engine.contact import addresses
from engine.identity import address_statements, trait_words
from engine.inputs import Event
from engine.profile import Profile, TraitValue
from engine.turn_state import Turn
from engine.values import stated_time
from engine.values.absence import is_absent


def learn(turn: Turn, event: Event) -> None:
    """Write down the traits, locale and zone of an event."""
    profile, at_ms = turn.profile, stated_time.of_fact(event.said_ms, turn.now_ms)
    if event.traits:
        _learn_traits(turn, event, at_ms)
    locale, zone = event.context.get("locale"), event.context.get("timezone")
    if isinstance(locale, str) and at_ms >= profile.locale_ms and not is_absent(locale):
        profile.locale, profile.locale_ms = locale, at_ms
    if isinstance(zone, str) and at_ms >= profile.timezone_ms and zone in zones.names():
        profile.timezone, profile.timezone_ms = zone, at_ms


def merge(turn: Turn, other: Profile) -> None:
    """When two profiles merge, the newer statement counts; of two at the same time the survivor's."""
    profile = turn.profile
    merge_traits(turn, other)
    if other.locale and (not profile.locale or profile.locale_ms < other.locale_ms):
        profile.locale, profile.locale_ms = other.locale, other.locale_ms
    if other.timezone and (not profile.timezone or profile.timezone_ms < other.timezone_ms):
        profile.timezone, profile.timezone_ms = other.timezone, other.timezone_ms


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
