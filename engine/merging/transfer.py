"""How one profile merges into another, in durable messages (`docs/design/identity.md#merging`, Invariant 8).

    one    ──Merge──► other     both are one person, because of this evidence; of the two, this is how `one` stands
    one    ◄─Declined── other   … they are not (`engine.merging.judgement`); or
    one    ◄─Merge── other      … they are, and the other stands before: it asks back; or
    one    ◄─HandOver── other   … they are, and the other goes. A piece of a long past, which is now the survivor's …
    one    ──GoOn──► other      … and asks for the next one
    one    ◄─HandOver── other   the survivor takes it in; what arrives meets its stops, opt-outs and caps first
    one    ──HandedOver──► other  the other becomes a tombstone that points to the survivor

Most pasts fit into one message, and those in the middle are left out. The state comes last, all at once: until then the
other profile still is what it was, and may find that it stays. One piece at a time is on its way, so neither side ever
holds more of a past than that.

Whoever asks, the one that stands lower goes to the one that stands higher, in an order that never changes
(`engine.identity.standing`). So no ring of profiles can form in which each waits for the next, and in any order of
arrival the same one stays. A place that points elsewhere passes a question on to the living profile.

This is the side of the profile that goes. The survivor's side is in `engine.merging.take_in`, the tombstone's in
`engine.merging.pointers`.
"""

from __future__ import annotations

import msgspec

from engine.effects import LeaveTombstone, Transfer
from engine.identity import asking, holding, sharing, standing
from engine.inputs import Claim, Declined, Erase, GoOn, HandedOver, HandOver, Merge, Shares, Stay
from engine.journeys import pauses
from engine.journeys.watching import look
from engine.merging import judgement
from engine.merging.judgement import Objection
from engine.merging.take_in import wake
from engine.parts.of_identity import Evidence
from engine.profile import Profile
from engine.turn_state import Turn


def answer(turn: Turn, asked: Merge) -> None:
    """Decide whether this profile and the one that asks are one person, and which of the two goes."""
    profile = turn.profile
    if asked.to == profile.id or any(merged.origin == asked.to and not merged.undone_ms for merged in profile.ledger):
        asking.is_here(turn, asked)
        return
    asking.is_answered(profile, asked)
    if profile.is_blank:
        _give_place(turn, asked)
        return
    by_address, of_device = judgement.told_by_an_address(turn, asked), asked.evidence
    if by_address is not None:
        asked = msgspec.structs.replace(asked, evidence=by_address)
    objection = judgement.objection(turn, asked)
    if objection is not None:
        _decline(turn, asked, objection)
        if by_address is not None and of_device is not None and judgement.are_known(turn, asked):
            asked = msgspec.structs.replace(asked, evidence=of_device)
            _count(turn, asked, of_device, of_device.namespace, of_device.place)  # its device is of both too
    elif asked.rank is None or asked.rank < standing.rank(turn.catalog, profile):
        _hand_over(turn, asked)
    elif asked.evidence is not None:
        asking.ask_back(turn, asked, asked.evidence)


def claimed(turn: Turn, asked: Claim) -> None:
    """Another profile has the address of this place too. Where nobody is, the place becomes a pointer to it, if more
    than a write key's word says so: a place that points to whoever stated its address first would bring the next guest
    with that address to them, or them to the person whose address it is."""
    profile = turn.profile
    if asked.to == profile.id:
        holding.answered(profile, profile.id)
    elif profile.is_blank and not asked.weak:
        profile.consent.extend(asked.words)
        turn.tell(
            asked.to, HandOver(origin=profile.id, drawn=profile.drawn, lent=(*profile.lent, *asked.lent), to=asked.to)
        )
        turn.effects.append(LeaveTombstone(asked.to))
    else:
        holding.add(turn, profile.holders, asked, holding.words_of(profile))


def must_wait(profile: Profile, told: object) -> bool:
    """Whether an input cannot be taken while this profile is on its way to another one."""
    if not profile.moving_to or isinstance(told, HandedOver | GoOn | Stay):
        return False
    if isinstance(told, Erase):
        return profile.moving_to not in told.places
    return True


def go_on(turn: Turn, told: GoOn) -> None:
    """Send the next piece, because all that was sent so far has arrived."""
    profile = turn.profile
    if profile.moving_to:
        profile.message_seq += 1
        turn.effects.append(Transfer(profile.moving_to, profile.message_seq, told.after))


def stay(turn: Turn, told: Stay) -> None:
    """Stay here after all: the survivor has got something meanwhile that contradicts this profile."""
    profile = turn.profile
    if not profile.moving_to:
        return
    profile.moving_to, profile.moving_by = "", None
    wake(turn, profile)
    pauses.settle(turn)
    turn.note("identity", "not taken over", outcome="refused", reason="identity.unique", detail={"origin": told.by})


def leave_tombstone(turn: Turn, told: HandedOver) -> None:
    """Leave only a tombstone here, because the survivor has everything.

    The profile that asked may have been merged itself meanwhile; then this word comes from the one that it lives on in.
    """
    if turn.profile.moving_to:
        turn.effects.append(LeaveTombstone(told.to))


def _give_place(turn: Turn, asked: Merge) -> None:
    """Nobody is here: the place points to the profile that asks, if its source may give it an identifier."""
    profile = turn.profile
    if not asked.links and not asked.answers:
        turn.tell(asked.to, _declined(turn, asked, "identity.not_allowed", ""))
        return
    lent = tuple(profile.lent)
    turn.tell(asked.to, HandOver(origin=profile.id, drawn=profile.drawn, is_new=asked.is_new, lent=lent, to=asked.to))
    turn.effects.append(LeaveTombstone(asked.to))


def _hand_over(turn: Turn, asked: Merge) -> None:
    profile = turn.profile
    for run in profile.runs:
        turn.drop_timer_of_moved(run)
    look.leave(turn)
    profile.moving_to, profile.moving_by = asked.to, asked.evidence
    profile.message_seq += 1
    turn.effects.append(Transfer(asked.to, profile.message_seq))


def _decline(turn: Turn, asked: Merge, objection: Objection) -> None:
    """Stay two. The place of the identifier hears that one more profile has it."""
    evidence, catalog = asked.evidence, turn.catalog
    turn.tell(asked.to, _declined(turn, asked, objection.reason, objection.namespace))
    if evidence is None or evidence.namespace in standing.SAID:
        return
    about = objection if objection.place else evidence
    namespace, place = about.namespace, about.place
    if not asked.merges and standing.kind(catalog, namespace) != "device":
        return  # a write key's word makes nobody's card or address a shared one
    if not asked.merges and objection.reason not in judgement.OF_THE_VALUE and not judgement.are_two(turn, asked):
        return
    _count(turn, asked, evidence, namespace, place)


def _count(turn: Turn, asked: Merge, evidence: Evidence, namespace: str, place: str) -> None:
    """Let an identifier's place know that one more profile has it."""
    profile = turn.profile
    told = Shares(
        by=asked.to if place == evidence.place else profile.id,
        namespace=namespace,
        people=judgement.people(turn, asked, place),
        source=evidence.source,
        public=evidence.public,
    )
    if not standing.is_same_place(place, profile.id):
        turn.tell(place, told)
        return
    if standing.kind(turn.catalog, namespace) == "contact":
        known = Claim(to=asked.to, public=asked.public, merged=asked.merged)
        holding.add(turn, profile.holders, known, holding.words_of(profile))
    sharing.shares(turn, told)


def _declined(turn: Turn, asked: Merge, reason: str, namespace: str) -> Declined:
    return Declined(
        origin=asked.asked, reason=reason, other=turn.profile.id, namespace=namespace, evidence=asked.evidence
    )
