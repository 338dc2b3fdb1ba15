"""What each of two profiles gets back of who it is: identifiers, places that point to it, and merges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.parts.of_identity import Link, Merged
from engine.splitting.case import Case, keyed, listing
from engine.splitting.sides import Side, lasting


def identifiers(case: Case, name: str) -> None:
    """Each has its own; a new one goes with its place, or else with what was named beside it."""
    now, after, before, other = (keyed(profile.identifiers, _name_of) for profile in case.states)
    new = {key: link for key, link in now.items() if key not in before and key not in other}
    case.mine.identifiers = _links(before, now, after)
    case.theirs.identifiers = _links(other, now, after)
    for link in new.values():
        side = case.sides.of_place(case.sides.place(link)) or case.owner(link.by, "identifiers", link.namespace)
        case.mine.identifiers += [link] * side.here
        case.theirs.identifiers += [link] * side.there


def _name_of(link: Link) -> tuple[str, str]:
    return link.namespace, link.value


def _links(own: Mapping[Any, Link], now: Mapping[Any, Link], after: Mapping[Any, Link]) -> list[Link]:
    """The own links, with what has changed of them since the merge; those that were let go since are gone."""
    found = []
    for key, link in own.items():
        if key in now:
            was = after.get(key, link)
            changed = {
                name: getattr(now[key], name)
                for name in link.__struct_fields__
                if getattr(now[key], name) != getattr(was, name)
            }
            found.append(msgspec.structs.replace(link, **changed))
        elif key not in after:
            found.append(link)
    return found


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
