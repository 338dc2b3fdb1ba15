"""The knowledge of an address's own place: which profiles have the address, and what was said about consent by it.

A statement that came by the address alone (a link in a mail, a mailbox that was named without a person) binds the
address. The address's place keeps it, and tells every profile that has the address, now or later. A profile sends to an
address only when its place has answered: by then it has heard all that binds the address, and hears what comes after.
`engine.identity.lending` has how many messages go to an address that several profiles have.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine import limits, seeds
from engine.consent import recording
from engine.contact import addresses
from engine.frequency import at_addresses
from engine.identity import apart, standing
from engine.inputs import Bind, Claim, ConsentChange, Registered
from engine.profile import ConsentRecord, Lent, Profile, Tombstone
from engine.turn_state import Turn
from engine.values import stated_time

_HOLDERS_MAX = 1_000  # more of them are a machine's
_MERGED_MAX = 20  # profiles that this one took in lately, which places may know by their own ids


def words_of(profile: Profile) -> list[ConsentRecord]:
    """The statements that bind the address whose place this profile lives in."""
    return [word for word in profile.consent if addresses.is_same_place(word.address, profile.id)]


def sole_holder(record: Profile | Tombstone | None) -> str:
    """The one profile that has the address of this place, where nobody lives here and no pointer leads on: one that a
    write key's word has given the address to. Empty where there is none, or more than one."""
    if not isinstance(record, Profile) or not record.is_blank or len(record.holders) != 1:
        return ""
    return record.holders[0]


def is_known(profile: Profile, change: ConsentChange) -> bool:
    """Whether this very statement has come in another way, and what has become of it is known: a profile into which
    another holder was merged is told twice, and one that asks an address's place again is told all that binds it."""
    same = (change.purpose, change.channel, change.granted, change.at_ms, change.address)
    known = ((word.purpose, word.channel, word.granted, word.at_ms, word.address) for word in profile.consent)
    if not change.imported or same in known:
        return change.imported
    return not change.granted and recording.is_lifted(profile, change.purpose, change.channel, *same[3:])


def is_registered(profile: Profile, address: str) -> bool:
    """Whether an address's own place knows that this profile has it, and this profile all words that bind it."""
    if addresses.is_same_place(address, profile.id):
        return True
    return address in profile.told and not (profile.unanswered and address in profile.unanswered)


def register(turn: Turn, address: str) -> bool:
    """Let an address's own place know that this profile has it. False where too many places point here. The place
    becomes this profile's only where more than a write key's word says so: others may have the address with better
    reason."""
    profile = turn.profile
    if address not in profile.held:
        if len(profile.held) >= limits.POINTERS_MAX:
            return False
        profile.held.append(address)
    for places in (profile.told, profile.unanswered):
        if address not in places:
            places.append(address)
    is_weak = not _is_trusted(turn, address)
    turn.tell(address, Claim(to=profile.id, public=True, merged=merged_lately(profile), weak=is_weak))
    return True


def register_anew(turn: Turn) -> None:
    """Ask the place of each address again, because a split has moved pointers: nothing goes there before it has
    answered."""
    profile = turn.profile
    for address in profile.told:
        if not addresses.is_same_place(address, profile.id):
            register(turn, address)


def _is_trusted(turn: Turn, address: str) -> bool:
    return any(
        standing.is_trusted(link) and addresses.is_same_place(addresses.place(turn.catalog, link), address)
        for link in turn.profile.identifiers
    )


def merged_lately(profile: Profile) -> tuple[str, ...]:
    """The profiles that live on in this one, and that places may know by their own ids."""
    return tuple(dict.fromkeys(past.origin for past in profile.ledger[-_MERGED_MAX:] if not past.undone_ms))


def hear(turn: Turn, told: Registered) -> None:
    """Take the answer of an address's place: with all words that bind it, so it may be written to from here on; or no
    more. An answer to a profile that lives on in this one says nothing of this one, which asks for itself."""
    profile = turn.profile
    for word in told.words:
        change = _change(told.address, word)
        if not is_known(profile, change):
            recording.record(turn, change)
    if told.holder != profile.id:
        return
    if told.owner:
        if not apart.owner_of(profile, told.address):  # else the place has answered before it heard of a split
            own(profile, told.address)
    elif not told.dropped:
        answered(profile, told.address)
    elif not addresses.is_among(profile.unanswered, told.address):
        profile.unanswered.extend(each for each in profile.told if addresses.is_same_place(each, told.address))


def answered(profile: Profile, address: str) -> None:
    """Note that the place of an address has answered."""
    if profile.unanswered:
        profile.unanswered[:] = [each for each in profile.unanswered if not addresses.is_same_place(each, address)]


def own(profile: Profile, address: str) -> None:
    """Note that the place of an address points here: this profile counts for all who have the address."""
    answered(profile, address)
    if addresses.is_among(profile.told, address) and not addresses.is_among(profile.owns, address):
        profile.owns.append(address)


def add(turn: Turn, holders: list[str], asked: Claim, words: Iterable[ConsentRecord]) -> None:
    """Note that another profile has this address too, and tell it the statements that bind the address. Holders that a
    server key named stand first, so they are not the ones that are dropped where
    there is no room; who is dropped does not write to the address any more."""
    holder = asked.to
    if holder not in holders or not asked.public:
        gone = {holder, *asked.merged}
        holders[:] = [known for known in holders if known not in gone]
        holders.insert(len(holders) if asked.public else 0, holder)
        for dropped in holders[_HOLDERS_MAX:]:
            turn.tell(dropped, Registered(address=turn.profile.id, holder=dropped, dropped=True))
        del holders[_HOLDERS_MAX:]
    if holder in holders:
        welcome(turn, holder, words)


def welcome(turn: Turn, holder: str, words: Iterable[ConsentRecord], *, owner: bool = False) -> None:
    """Tell a profile that has this address all statements that bind it. They come in one message with the answer, so no
    delay can part them."""
    turn.tell(holder, Registered(address=turn.profile.id, holder=holder, words=tuple(words), owner=owner))


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
    elif told.but != turn.profile.id and not is_known(turn.profile, change):
        recording.record(turn, change)
    turn.answer({"holders": len(holders)})


def merge(turn: Turn, other: Profile) -> None:
    """Take in what an absorbed profile knows of addresses. Their places do not know this profile for that: it registers
    with them itself before it writes there (`is_registered`), so that an opt-out reaches it without a detour."""
    profile = turn.profile
    profile.owns.extend(each for each in other.owns if each not in profile.owns and each != profile.id)
    if addresses.is_among(_places(turn, other), other.id):  # the place itself points here when it is a tombstone
        profile.told.extend(each for each in (other.id,) if each not in profile.told)
        own(profile, other.id)
    answered(profile, profile.id)
    profile.publicly.extend(each for each in other.publicly if each not in profile.publicly)
    profile.declined.extend(each for each in other.declined if each not in profile.declined)
    at_addresses.take_over(profile, tuple(other.lent))


def known_of_addresses(turn: Turn) -> tuple[Lent, ...]:
    """The messages that this profile counts at the addresses whose places point to it, for whoever counts next."""
    profile = turn.profile
    found: list[Lent] = []
    for address in dict.fromkeys((profile.id, *_places(turn, profile))):
        if addresses.is_same_place(address, profile.id) or addresses.is_among(profile.owns, address):
            found += at_addresses.lent_of(profile, turn.catalog, address, turn.now_ms)
    return tuple(found)


def leave(turn: Turn, address: str, holders: Iterable[str], words: list[ConsentRecord], lent: tuple[Lent, ...]) -> None:
    """Hand an address on to those who have it still, because the person whom its place pointed to is erased. The first
    of them counts for all; words and counts are of the address, and of no person."""
    for holder in holders:
        claim = Claim(to=holder, public=True, lent=lent, words=tuple(words))
        turn.tell(seeds.next_epoch(address), claim)


def _places(turn: Turn, profile: Profile) -> list[str]:
    links = (link for link in profile.identifiers if link.namespace in addresses.NAMESPACES)
    return [addresses.place(turn.catalog, link) for link in links]


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
