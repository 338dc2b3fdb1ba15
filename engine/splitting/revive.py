"""A merged profile lives at its own place again: the tombstone there becomes a profile."""

from __future__ import annotations

from engine.consent import recording
from engine.effects import LeaveTombstone, TakeIn
from engine.identity import asking, holding
from engine.inputs import PointTo, Revive, Revived
from engine.journeys import pauses
from engine.merging import take_in
from engine.profile import Profile, Tombstone
from engine.splitting.around import profile_of
from engine.turn_state import Turn


def risen(tombstone: Tombstone, told: Revive) -> Profile:
    """The profile that takes the place of the tombstone, before its turn: as it was given back, with what the place has
    learned meanwhile."""
    profile = profile_of(told.state)
    profile.message_seq = max(profile.message_seq, told.message_seq)
    words = [
        word
        for word in tombstone.words
        if word.granted or not recording.is_lifted(profile, word.purpose, word.channel, word.at_ms, word.address)
    ]
    recording.merge(profile, Profile(profile.id, consent=words))
    # The place knows who has its address by now; the state knows who had it before the merge, and may have been erased.
    kept = [holder for holder in profile.holders if holder in (*tombstone.holders, told.origin)]
    profile.holders = list(dict.fromkeys([*kept, *tombstone.holders]))
    profile.sharers = list(dict.fromkeys([*profile.sharers, *tombstone.sharers]))
    if tombstone.shared and profile.id not in profile.shared:
        profile.shared.append(profile.id)
    return profile


def take_records(turn: Turn, told: Revive) -> None:
    """Store the records that come with a message."""
    if told.history or told.audit or told.seen or told.merges:
        turn.effects.append(TakeIn(told.history, told.audit, told.seen, merges=told.merges))


def find_nobody(turn: Turn, told: Revive) -> None:
    """The place was erased, and who comes to it is somebody new one epoch later: what is on its way goes with it."""
    if told.state:
        turn.tell(told.origin, Revived(origin=turn.profile.id))


def come_back(turn: Turn, told: Revive) -> None:
    """The first turn of a profile that is its own again: its timers and its outbox are here from now on."""
    take_records(turn, told)
    take_in.wake(turn, turn.profile)
    detail = {"origin": told.origin, "merge": told.merge_id}
    turn.note("split", "a profile of its own again", outcome="revived", detail=detail)
    pauses.settle(turn)
    holding.register_anew(turn)
    asking.tell_refused(turn, turn.profile.sharers)
    turn.tell(told.origin, Revived(origin=turn.profile.id))


def point(turn: Turn, tombstone: Tombstone, told: PointTo) -> None:
    """Let a place that pointed to the survivor point to the other profile, whose it is."""
    if tombstone.to != told.was and tombstone.to not in told.merged:
        return
    if told.to in tombstone.holders:  # it has asked before this came, and was told that it is one of several
        tombstone.holders.remove(told.to)
        holding.welcome(turn, told.to, tombstone.words, owner=True)
    asking.tell_refused(turn, (each for each in tombstone.sharers if each != told.to))
    turn.effects.append(LeaveTombstone(told.to))
