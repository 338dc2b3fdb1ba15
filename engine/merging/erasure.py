"""Erasing a person: everything goes, here in one turn, and elsewhere by durable messages.

The profile's place, and every place that pointed to it, becomes a pointer to the same place one epoch later, where
nobody is. So somebody who comes with the same identifier is somebody new. Data that came by merging is locked under the
keys of its old places; each of them is told to forget too. Data that is on its way to an erased person is erased with
them.
"""

from __future__ import annotations

import msgspec

from engine import seeds
from engine.contact import addresses
from engine.effects import Forget
from engine.errors import NotFound, NotReady
from engine.identity import asking, holding, reviews, standing
from engine.inputs import Claim, Declined, Erase, HandOver, Merge, Settle
from engine.journeys.watching import look
from engine.likeness import links
from engine.profile import Profile, Tombstone
from engine.sends import sends
from engine.turn_state import Turn


def is_erased(place: str, tombstone: Tombstone) -> bool:
    """Whether nobody has lived here since an erasure."""
    return tombstone.to == seeds.next_epoch(place)


def is_meant(profile: Profile | None, told: Erase) -> bool:
    """Whether an erasure that comes to a living profile, or to nobody, is for them. Raises NotFound where a stranger is
    to be erased, NotReady where data on its way to this person has to arrive first."""
    if profile is None or (profile.is_blank and not told.places):
        if told.places:
            return False
        raise NotFound("nobody is known by this identifier", "identifier")
    if not told.places and (profile.absorbing or profile.parting):
        raise NotReady("this person is being linked to another profile, try again")
    return concerns(profile, told)


def concerns(profile: Profile, told: Erase) -> bool:
    """Whether a living profile is meant: it is asked directly, or it is on its way to an erased one."""
    return not told.places or profile.moving_to in told.places


def must_hear(profile: Profile, told: Erase) -> bool:
    """Whether a living profile that is not meant has to forget something of whoever is erased."""
    return has_split(profile, told) or not set(profile.holders).isdisjoint(told.places)


def has_split(profile: Profile, told: Erase) -> bool:
    """Whether somebody is erased whom a split of this profile has made: its journal still holds what both were while
    they were one."""
    other = {*profile.split_off.values(), *(past.origin for past in profile.ledger if past.undone_ms)}
    return not other.isdisjoint(told.places)


def erase(turn: Turn, told: Erase) -> None:
    """Forget this profile, and tell all places that point here. One that is told of somebody whom it was split from
    forgets that split: who comes to that place by now is somebody new."""
    profile = turn.profile
    if not concerns(profile, told):
        profile.split_off = {place: to for place, to in profile.split_off.items() if to not in told.places}
        profile.ledger = [past for past in profile.ledger if not (past.undone_ms and past.origin in told.places)]
        # They may have had the address of this place.
        profile.holders[:] = [holder for holder in profile.holders if holder not in told.places]
        reviews.forget(turn, *told.places)
        if profile.is_blank and not profile.holders:
            profile.lent.clear()
        return
    for run in profile.runs:
        turn.drop_timer_of_moved(run)
    look.leave(turn)
    for send in list(profile.sends):
        if send.state == "decided":
            sends.withdraw(turn, send, "erased")
        else:
            sends.settle(turn, Settle(send_id=send.id, outcome="unknown", detail="erased"))
    links.let_go(turn, profile)
    places, lent = (profile.id, *profile.held), holding.known_of_addresses(turn)
    for place in profile.held:
        turn.tell(place, Erase(places=places, lent=lent))
    for other in dict.fromkeys(profile.split_off.values()):
        if other not in places:  # its journal still holds what both were while they were one
            turn.tell(other, Erase(places=places))
    at_home = tuple(each for each in lent if addresses.is_same_place(each.address, profile.id))
    holding.leave(turn, profile.id, profile.holders, holding.words_of(profile), at_home)
    asking.tell_refused(turn, profile.sharers)
    turn.effects.append(Forget(seeds.next_epoch(profile.id)))
    turn.answer({"profileId": profile.id, "places": list(places)})


def at_tombstone(turn: Turn, tombstone: Tombstone, told: Erase | Merge | Claim | HandOver) -> None:
    """Apply an erasure to a pointer, or let a message that meets an erased place find nobody there."""
    place = turn.profile.id
    if isinstance(told, Erase):
        if place not in told.places and tombstone.to not in told.places:
            turn.tell(tombstone.to, told)  # it is meant for who was split from the erased, and lives on there
        for others in (tombstone.holders, tombstone.sharers):
            others[:] = [other for other in others if other not in told.places]
        if tombstone.to in told.places:  # other profiles that have this address have it still
            lent = tuple(each for each in told.lent if addresses.is_same_place(each.address, place))
            holding.leave(turn, place, tombstone.holders, tombstone.words, lent)
            asking.tell_refused(turn, (each for each in tombstone.sharers if each not in told.places))
        if {tombstone.to, tombstone.heir}.isdisjoint(told.places):
            return  # the erased person had the address of somebody else, and left nothing here
        turn.effects.append(Forget(seeds.next_epoch(place) if tombstone.to in told.places else tombstone.to))
    elif isinstance(told, HandOver):
        turn.tell(told.origin, Erase(places=(place,)))
    elif isinstance(told, Merge):
        _meet_erased(turn, tombstone, told)
    elif told.to != tombstone.to:
        turn.tell(tombstone.to, told)


def _meet_erased(turn: Turn, tombstone: Tombstone, asked: Merge) -> None:
    """A question reaches a place where nobody lives since an erasure: the one that follows it answers. Where another
    place had passed the question on, it goes back there: that one hears of the erasure too, and was sent it before. Who
    is asked back is gone, and so is whoever was meant where somebody has said of two very profiles that they are
    one."""
    place = turn.profile.id
    if asked.asked and not standing.is_same_place(asked.asked, place):
        turn.tell(asked.asked, msgspec.structs.replace(asked, returned=True, sharers=0, is_shared=False))
        return
    if asked.answers:
        turn.tell(asked.to, HandOver(origin=place))
    elif asked.evidence is not None and asked.evidence.namespace in standing.OF_A_PROFILE:
        turn.tell(asked.to, Declined(origin=asked.asked or place, reason="erased", evidence=asked.evidence))
    else:
        turn.tell(tombstone.to, asked)
