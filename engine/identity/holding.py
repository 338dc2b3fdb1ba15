"""The knowledge of an address's own place: which profiles have the address, and what was said about consent by it.

A statement that came by the address alone (a link in a mail, a mailbox that was named without a person) binds the
address. The address's place keeps it, and tells every profile that has the address, now or later. The place also bounds
how many service messages a day go to an address that nobody has verified: the profile that it points to counts for all
profiles that have it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.contact import addresses
from engine.inputs import Ask, Bind, Claim, ConsentChange, Given
from engine.parts.of_identity import Link
from engine.profile import ConsentRecord, Lent, Profile, Send, Tombstone
from engine.turn_state import Turn
from engine.values import stated_time
from engine.vocabulary import DAY_MS

_HOLDERS_MAX = 1_000  # more of them are a machine's; none of them may be mailed without a grant of its own


def words_of(profile: Profile) -> list[ConsentRecord]:
    """The statements that bind the address whose place this profile lives in."""
    return [word for word in profile.consent if word.address == profile.id]


def is_known(profile: Profile, change: ConsentChange) -> bool:
    """Whether this very statement has come in another way: a profile into which another holder was merged is told
    twice."""
    same = (change.purpose, change.channel, change.granted, change.at_ms, change.address)
    known = ((word.purpose, word.channel, word.granted, word.at_ms, word.address) for word in profile.consent)
    return change.imported and same in known


def add(turn: Turn, holders: list[str], asked: Claim, words: Iterable[ConsentRecord]) -> None:
    """Note that another profile has this address too, and tell it the statements that bind the address. Holders that a
    server key named stand first, so they are not the ones that are dropped where there is no room."""
    holder = asked.to
    if holder not in holders or not asked.public:
        holders[:] = [known for known in holders if known != holder]
        holders.insert(len(holders) if asked.public else 0, holder)
        del holders[_HOLDERS_MAX:]
    for word in words:
        turn.tell(holder, _change(turn.profile.id, word))


def bind(turn: Turn, told: Bind, tombstone: Tombstone | None = None) -> None:
    """Keep a statement that was made by this address, and tell it to everybody who has the address."""
    holders = turn.profile.holders if tombstone is None else [tombstone.to, *tombstone.holders]
    said = told.change
    at_ms = stated_time.of_consent(said.at_ms, turn.now_ms, granted=said.granted, imported=said.imported)
    # All profiles keep it as of the same instant, however long it is on its way
    # (`docs/decisions/0011-one-instant-for-all-copies.md`).
    change = msgspec.structs.replace(said, at_ms=at_ms, imported=True, identifiers=(), profile_id="")
    for holder in dict.fromkeys(holders):
        if holder != told.but:
            turn.tell(holder, change)
    if tombstone is not None:
        _keep(tombstone.words, change, turn.now_ms)
    turn.answer({"holders": len(holders)})


def merge(profile: Profile, other: Profile) -> None:
    """Take in what an absorbed profile knows of addresses."""
    for mine, theirs in ((profile.told, other.told), (profile.owns, other.owns)):
        mine.extend(each for each in theirs if each not in mine and each != profile.id)
    profile.publicly.extend(each for each in other.publicly if each not in profile.publicly)
    profile.declined.extend(each for each in other.declined if each not in profile.declined)
    profile.lent = sorted([*profile.lent, *other.lent], key=lambda place: (place.at_ms, place.ref))


# -- the daily bound


def is_counted_elsewhere(turn: Turn, link: Link) -> bool:
    """Whether another profile counts for this unverified address, or nobody has said yet who does."""
    place = addresses.place(turn.catalog, link)
    return place != turn.profile.id and place not in turn.profile.owns


def is_full(turn: Turn, link: Link, but_for: str = "", *, is_decided: bool = False) -> bool:
    """Whether as many service messages as the daily bound allows have left for an address in the last day.

    This profile counts its own; for an unverified address also those of all others who have it. With `is_decided` those
    that still wait count too. `but_for` is a send that is not counted against itself.
    """
    limit, profile, since_ms = turn.catalog.service_per_address, turn.profile, turn.now_ms - DAY_MS
    if not limit:
        return False
    channels = {channel.id for channel in turn.catalog.channels.values() if channel.address == link.namespace}
    used = {
        place.ref
        for place in profile.places
        if place.tier == "service"
        and place.channel in channels
        and not place.placement
        and (place.left_ms or (place.at_ms if is_decided else 0)) > since_ms
    }
    if not link.verified:  # a set: an own send that asked before anybody was known to count is not counted twice
        profile.lent[:] = [place for place in profile.lent if place.at_ms > since_ms]
        used |= {place.ref for place in profile.lent if _is_at(turn, link, place.address)}
    return len(used - {but_for}) >= limit


def ask(turn: Turn, send: Send, link: Link) -> None:
    """Ask the profile that counts for the address for room for a send."""
    place = addresses.place(turn.catalog, link)
    turn.tell(place, Ask(address=place, send=send.id, to=turn.profile.id))


def give(turn: Turn, asked: Ask) -> None:
    """Answer another profile that asks for room for a send under the bound of an address that this one counts for."""
    profile = turn.profile
    known = next((place for place in profile.lent if place.ref == asked.send), None)
    is_given = known is not None and known.at_ms > turn.now_ms - DAY_MS
    if known is not None and is_given:  # it asks again, so it leaves only now, and counts from now
        known.at_ms = turn.now_ms
    link = next((link for link in profile.identifiers if _is_at(turn, link, asked.address)), None)
    if not is_given and link is not None and not is_full(turn, msgspec.structs.replace(link, verified=False)):
        profile.lent[:] = [place for place in profile.lent if place.ref != asked.send]
        profile.lent.append(Lent(asked.send, asked.address, turn.now_ms))
        is_given = True
    turn.tell(asked.to, Given(send=asked.send, granted=is_given))


def _is_at(turn: Turn, link: Link, place: str) -> bool:
    return link.namespace in addresses.NAMESPACES and addresses.place(turn.catalog, link)[:-2] == place[:-2]


def _keep(words: list[ConsentRecord], change: ConsentChange, now_ms: int) -> None:
    new = ConsentRecord(
        change.purpose, change.channel, change.granted, change.at_ms, change.source, "", "", change.address
    )
    for word in words:
        if (word.purpose, word.channel) == (new.purpose, new.channel):
            # A word that a wrong clock has kept may lie ahead of the new one, and is not later for that.
            word.at_ms = min(word.at_ms, now_ms)
            if (new.at_ms, not new.granted) >= (word.at_ms, not word.granted):
                words[words.index(word)] = new
            return
    words.append(new)


def _change(place: str, word: ConsentRecord) -> ConsentChange:
    return ConsentChange(
        purpose=word.purpose,
        channel=word.channel,
        granted=word.granted,
        at_ms=word.at_ms,
        source=word.source,
        text=word.text,
        imported=True,
        address=place,
        key=word.key,
    )
