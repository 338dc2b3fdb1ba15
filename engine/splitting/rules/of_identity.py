"""What each of two profiles gets back of who it is: identifiers and what was said about them, places that point to it,
and merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine.contact import addresses
from engine.identity import trait_words
from engine.parts.of_identity import Link, Merged
from engine.profile import TraitValue
from engine.splitting.case import Case, keyed, listing
from engine.splitting.sides import Side, lasting

Links = Mapping[tuple[str, str], Link]

# What is said about an identifier that both had goes with the word that has said it; all else is about the identifier.
_ORIGIN: Final = ("source", "public", "by", "publicly")
_CHECK: Final = ("verified", "verified_by")
_STATEMENT: Final = ("stated_ms", "since_ms")


def identifiers(case: Case, name: str) -> None:
    """Each has its own as they were, with what has changed of them since; those that were let go since are gone. New
    ones go with those that were named with them."""
    now, after, before, other = (keyed(profile.identifiers, _name_of) for profile in case.states)
    mine, theirs = dict(before), dict(other)
    for key in before.keys() | other.keys():
        if key not in now:
            for own in (mine, theirs) if key in after else ():
                own.pop(key, None)
            continue
        was = after.get(key, now[key])
        changed = _changed(now[key], was)
        sides = _sides(case, now[key], changed) if key in before and key in other else {}
        for own, is_meant in ((mine, _here), (theirs, _there)):
            if key in own:
                has = own[key]
                gets = {each: value for each, value in changed.items() if is_meant(sides.get(each, Side.BOTH))}
                own[key] = msgspec.structs.replace(
                    has, **{n: v for n, v in gets.items() if n not in _kept(has, now[key], was)}
                )
    case.mine.identifiers, case.theirs.identifiers = [*mine.values()], [*theirs.values()]
    for link in [link for key, link in now.items() if key not in before and key not in other]:
        side = case.sides.of_place(case.sides.place(link)) or case.owner(link.by, "identifiers", link.namespace)
        case.mine.identifiers += [link] * side.here
        case.theirs.identifiers += [link] * side.there


def _name_of(link: Link) -> tuple[str, str]:
    return link.namespace, link.value


def _changed(now: Link, was: Link) -> dict[str, Any]:
    fields = ((name, getattr(now, name), getattr(was, name)) for name in now.__struct_fields__)
    return {name: value for name, value, former in fields if value != former}


def _kept(own: Link, now: Link, was: Link) -> tuple[str, ...]:
    """The trust that a side had by a word of its own, where what was taken back since is another word."""
    kept: tuple[str, ...] = ()
    if was.verified and not now.verified and own.verified_by != was.verified_by:
        kept += _CHECK
    if was.publicly is not None and now.publicly is None and own.publicly != was.publicly:
        kept += _ORIGIN
    return kept


def _sides(case: Case, link: Link, changed: Mapping[str, Any]) -> dict[str, Side]:
    """Whose each change is of an identifier that both had. Whoever reads the mailbox has confirmed it for one who is
    known by the address, and that both were."""
    found: dict[str, Side] = {}
    if not changed.keys().isdisjoint(_ORIGIN):
        found |= dict.fromkeys(_ORIGIN, case.owner(link.by, "identifiers", link.namespace))
    by_mailbox = case.owner((), "identifiers", link.namespace) if "confirmed_ms" in changed else Side.BOTH
    if "confirmed_ms" in changed:
        found["confirmed_ms"] = by_mailbox
    if "verified_by" in changed and link.verified_by is not None:
        found |= dict.fromkeys(_CHECK, case.owner(link.verified_by.by, "identifiers", link.namespace))
    elif "verified" in changed:
        found["verified"] = by_mailbox
    stated = [word for word in trait_words.words_of(case.now.traits.get(link.namespace)) if _states(word, link)]
    side = case.sides.of(max(stated, key=trait_words.heard_ms).by) if stated else None
    return found | dict.fromkeys(_STATEMENT, side or Side.BOTH)


def _states(word: TraitValue, link: Link) -> bool:
    return addresses.stated([link], link.namespace, word.value) is not None


def _here(side: Side) -> bool:
    return side.here


def _there(side: Side) -> bool:
    return side.there


def held(case: Case, name: str) -> None:
    """Places that point here. Those that the other had go back with it, though this profile asked for them first."""
    listing(lambda place: place, lambda case, place: case.sides.of_place(place) or Side.MINE)(case, name)
    case.mine.held = [place for place in case.mine.held if case.sides.points_to(place) is not Side.THEIRS]
    case.theirs.held = [
        place
        for place in case.theirs.held
        if place != case.theirs.id and case.sides.points_to(place) is not Side.MINE  # it had asked for it, and got none
    ]


def split_off(case: Case, name: str) -> None:
    """The survivor's goes on. The other has its own as it was, but for people who were erased since, and for places
    that have come to it."""
    now, theirs = case.now, case.theirs
    case.mine.split_off = now.split_off
    living = {now.id, *now.split_off.values(), *(past.origin for past in now.ledger if not past.undone_ms)}
    came = {*map(lasting, theirs.held)}
    theirs.split_off = {
        place: to for place, to in theirs.split_off.items() if to in living and lasting(place) not in came
    }


def ledger(case: Case, name: str) -> None:
    """Each has its own merges, and the survivor those that it made since. One that was undone is forgotten when the
    other profile is erased, so it does not come back."""
    now, after = (keyed(profile.ledger, _merged) for profile in (case.now, case.after))
    for profile in (case.mine, case.theirs):
        profile.ledger = [past for past in profile.ledger if not past.undone_ms or _merged(past) in now]
    case.mine.ledger += [past for key, past in now.items() if key not in after]


def _merged(past: Merged) -> tuple[str, int]:
    return past.origin, past.at_ms
