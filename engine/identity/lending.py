"""Room for messages at an address that several profiles have: the profile that the address's own place points to counts
for all of them, and lends each of the others a place for a message.

    holder ──Ask──► place ──► counting profile      another holder's send is about to leave: is there room?
    holder ◄─Given── counting profile               yes, for a minute; or no, and the cap that is full
    holder ──Used──► place ──► counting profile     the message has left, or it does not go after all

A place that was given counts from then on, so no crash and no delay lets one message more leave. Where nobody answers,
the send asks again: it leaves only with an answer.
"""

from __future__ import annotations

from engine.contact import addresses
from engine.frequency import at_addresses
from engine.inputs import Ask, Given, Used
from engine.parts.of_identity import Link
from engine.profile import Lent, Place, Send
from engine.turn_state import Turn
from engine.vocabulary import DAY_MS, SERVICE_CAP


def is_counted_elsewhere(turn: Turn, address: str) -> bool:
    """Whether another profile counts for this address."""
    profile = turn.profile
    return not addresses.is_same_place(address, profile.id) and not addresses.is_among(profile.owns, address)


def is_asked(turn: Turn, place: Place) -> bool:
    """Whether another profile is asked for room for a message of this kind."""
    if not at_addresses.counting(turn.catalog, place):
        return False
    address = at_addresses.of_channel(turn.profile, turn.catalog, place.channel)
    return bool(address) and is_counted_elsewhere(turn, address)


def needs_room(turn: Turn, send: Send, place: Place, link: Link, address: str) -> bool:
    """Whether another profile counts for the address that a send goes to, and has not given it room there."""
    if not (at_addresses.counting(turn.catalog, place) or is_bound(turn, send, link)):
        return False
    if not is_counted_elsewhere(turn, address):
        return False
    is_given = send.room == "given" and addresses.is_same_place(send.address or address, address)
    return not is_given or turn.now_ms - (send.given_ms or send.next_ms) > at_addresses.GOOD_MS


def is_bound(turn: Turn, send: Send, link: Link) -> bool:
    """Whether the daily bound of service messages to one address is shared by all who have it."""
    return send.tier == "service" and not link.verified and bool(turn.catalog.service_per_address)


def ask(turn: Turn, send: Send, place: Place, link: Link, address: str) -> None:
    """Ask the profile that counts for the address for room. Room at a former address is given back."""
    if send.address and not addresses.is_same_place(send.address, address):
        give_back(turn, send)
    send.address = address
    bound = is_bound(turn, send, link)
    turn.tell(address, Ask(address=address, send=send.id, to=turn.profile.id, place=place, bound=bound))


def tell_left(turn: Turn, send: Send) -> None:
    """Tell the profile that has lent a place when the message left."""
    if send.address:
        turn.tell(send.address, Used(address=send.address, send=send.id, left_ms=turn.now_ms))


def give_back(turn: Turn, send: Send) -> None:
    """Give a place back that a send has asked for: its message does not go there."""
    if send.address:
        turn.tell(send.address, Used(address=send.address, send=send.id))
        send.address = ""


def give(turn: Turn, asked: Ask) -> None:
    """Answer another profile that asks for room. A profile that knows nothing of the address does not answer: the
    address is on its way to somebody else, who will be asked again."""
    profile = turn.profile
    if not _counts(turn, asked.address):
        return
    reason = _objection(turn, asked)
    if not reason:
        profile.lent[:] = [lent for lent in profile.lent if lent.ref != asked.send]
        profile.lent.append(_lent(turn, asked))
    given = Given(send=asked.send, granted=not reason, at_ms=turn.now_ms, reason=reason, address=asked.address)
    turn.tell(asked.to, given)


def take_back(turn: Turn, told: Used) -> None:
    """Note that a lent place was used, or is free again."""
    for lent in turn.profile.lent:
        if lent.ref == told.send and at_addresses.is_at(lent, told.address):
            if not told.left_ms:
                turn.profile.lent.remove(lent)
            else:
                lent.left_ms = min(told.left_ms, turn.now_ms)
            return


def is_full(turn: Turn, link: Link, but_for: str = "", *, is_decided: bool = False) -> bool:
    """Whether as many service messages as the daily bound allows have left for an address in the last day.

    This profile counts its own; for an unverified address also those of all others who have it. With `is_decided` those
    that still wait count too. `but_for` is a send that is not counted against itself.
    """
    address = "" if link.verified else addresses.place(turn.catalog, link)
    return _is_bound_full(turn, link.namespace, address, but_for, is_decided=is_decided)


def _is_bound_full(turn: Turn, namespace: str, address: str, but_for: str, *, is_decided: bool) -> bool:
    limit, profile, since_ms = turn.catalog.service_per_address, turn.profile, turn.now_ms - DAY_MS
    if not limit:
        return False
    channels = {channel.id for channel in turn.catalog.channels.values() if channel.address == namespace}
    used = {
        place.ref
        for place in profile.places
        if place.tier == "service"
        and place.channel in channels
        and not place.placement
        and (place.left_ms or (place.at_ms if is_decided else 0)) > since_ms
    }
    if address:  # a set: an own send that asked before anybody was known to count is not counted twice
        used |= {
            lent.ref
            for lent in profile.lent
            if lent.tier == "service" and at_addresses.counts_ms(lent) > since_ms and at_addresses.is_at(lent, address)
        }
    return len(used - {but_for}) >= limit


def _counts(turn: Turn, address: str) -> bool:
    return not is_counted_elsewhere(turn, address) or _link_at(turn, address) is not None


def _link_at(turn: Turn, address: str) -> Link | None:
    for link in turn.profile.identifiers:
        is_address = link.namespace in addresses.NAMESPACES
        if is_address and addresses.is_same_place(addresses.place(turn.catalog, link), address):
            return link
    return None


def _objection(turn: Turn, asked: Ask) -> str:
    """The reason of the cap that has no room; empty where the send may go."""
    namespace = _namespace(turn, asked)
    if asked.bound and _is_bound_full(turn, namespace, asked.address, asked.send, is_decided=False):
        return f"cap.{SERVICE_CAP}"
    if asked.place is not None:
        cap = at_addresses.full(turn.profile, turn.catalog, asked.place, asked.address, turn.now_ms)
        if cap is not None:
            return f"cap.{cap.id}"
    return ""


def _namespace(turn: Turn, asked: Ask) -> str:
    channel = turn.catalog.channels.get(asked.place.channel) if asked.place is not None else None
    link = _link_at(turn, asked.address)
    return channel.address if channel is not None else link.namespace if link is not None else ""


def _lent(turn: Turn, asked: Ask) -> Lent:
    lent, place = Lent(asked.send, asked.address, turn.now_ms), asked.place
    if place is not None:
        lent.action, lent.channel, lent.tier = place.action, place.channel, place.tier
        lent.purpose, lent.category, lent.group = place.purpose, place.category, place.group
    return lent
