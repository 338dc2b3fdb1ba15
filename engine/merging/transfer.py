"""How one profile merges into another, in durable messages (`docs/design/identity.md#merging`, Invariant 8).

    survivor ──Merge──► other       the other parks its inputs and hands over all that it holds
    survivor ◄─HandOver── other     a piece of a long past, which is the survivor's from then on …
    survivor ──GoOn──► other        … and asks for the next one
    survivor ◄─HandOver── other     the survivor takes it in; what arrives meets its stops, opt-outs and caps first
    survivor ──HandedOver──► other  the other becomes a tombstone that points to the survivor

Most pasts fit into one message, and the two in the middle are left out. The state comes last, all at once: until then
the other profile still is what it was, and may find that it stays. One piece at a time is on its way, so neither side
ever holds more of a past than that.

Two profiles that ask each other at once would wait for ever: of two, the one with the smaller id stays. In a longer
ring each is on its way to the next. There a hand-over is passed on by every profile whose id is greater than its
origin's. So only that of the smallest id comes back to where it started, and that profile stays (Chang and Roberts,
1979).

This is the side of the profile that goes. The survivor's side is in `engine.merging.take_in`, the tombstone's in
`engine.merging.pointers`.
"""

from __future__ import annotations

from engine.effects import LeaveTombstone, Transfer
from engine.identity import holding
from engine.inputs import Claim, Declined, Erase, GoOn, HandedOver, HandOver, Merge
from engine.journeys import pauses
from engine.merging.take_in import wake
from engine.profile import Profile
from engine.turn_state import Turn


def transfer(turn: Turn, asked: Merge | Claim) -> None:
    """Hand everything over to the profile that asks. On a write key's word only a visitor without a user id goes."""
    profile = turn.profile
    if asked.public and not profile.is_blank and asked.to != profile.id:
        if isinstance(asked, Claim):
            holding.add(turn, profile.holders, asked, holding.words_of(profile))
            turn.tell(asked.to, Declined(origin=profile.id, reason="write_key.known_customer"))
            return
        if any(link.namespace == "user_id" for link in profile.identifiers):
            turn.tell(asked.to, Declined(origin=profile.id, reason="write_key.known_user"))
            return
    if asked.to == profile.id or (asked.to in profile.absorbing and profile.id < asked.to):
        return
    if profile.is_blank:
        is_new = isinstance(asked, Merge) and asked.is_new
        lent = asked.lent if isinstance(asked, Claim) else ()
        if isinstance(asked, Claim):
            profile.consent.extend(asked.words)
        turn.tell(asked.to, HandOver(origin=profile.id, drawn=profile.drawn, is_new=is_new, lent=lent, to=asked.to))
        turn.effects.append(LeaveTombstone(asked.to))
        return
    for run in profile.runs:
        turn.drop_timer_of_moved(run)
    profile.moving_to = asked.to
    profile.message_seq += 1
    turn.effects.append(Transfer(asked.to, profile.message_seq))


def must_wait(profile: Profile, told: object) -> bool:
    """Whether an input cannot be taken while this profile is on its way to another one."""
    if not profile.moving_to or isinstance(told, HandedOver | GoOn):
        return False
    if isinstance(told, Erase):
        return profile.moving_to not in told.places
    return not goes_on(profile, told)


def goes_on(profile: Profile, told: object) -> bool:
    """Whether a profile that is itself on its way must pass an input on, so that a hand-over can come full circle."""
    return isinstance(told, HandOver) and bool(told.state or told.after) and told.origin <= profile.id


def go_on(turn: Turn, told: GoOn) -> None:
    """Send the next piece, because all that was sent so far has arrived."""
    profile = turn.profile
    if profile.moving_to:
        profile.message_seq += 1
        turn.effects.append(Transfer(profile.moving_to, profile.message_seq, told.after))


def pass_on(turn: Turn, told: HandOver) -> None:
    """Pass on a hand-over that reaches a profile on its way itself. A profile that meets its own hand-over stays,
    because that has come full circle."""
    profile = turn.profile
    if told.origin != profile.id:
        turn.tell(profile.moving_to, told)
        return
    profile.moving_to = ""
    wake(turn, profile)
    pauses.settle(turn)


def leave_tombstone(turn: Turn, told: HandedOver) -> None:
    """Leave only a tombstone here, because the survivor has everything.

    The profile that asked may have been merged itself meanwhile; then this word comes from the one that it lives on in.
    """
    if turn.profile.moving_to:
        turn.effects.append(LeaveTombstone(told.to))
