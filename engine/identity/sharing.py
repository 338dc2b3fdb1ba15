"""Identifiers whose values are shared by several people: a family's mailbox, a till's device, a tablet in a shop.

The place of an identifier learns who has it and could not be merged. Where these are more than the rules of its
namespace take for one person's, the place demotes the identifier: it joins nobody from then on, and everybody who has
it is told. No history and no pointer moves. Whatever it had joined before is offered for splitting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from engine import limits
from engine.catalog.compiled import Catalog
from engine.identity import reviews, standing
from engine.inputs import Shared, Shares, Split
from engine.parts.of_identity import Merged
from engine.profile import Profile, Tombstone
from engine.turn_state import Turn

_SHARERS_MAX = 1_000


def is_too_many(catalog: Catalog, namespace: str, count: int) -> bool:
    """Whether so many people who have one identifier are more than one person is."""
    rule = catalog.identity.namespaces.get(namespace)
    return rule is not None and 0 < rule.shared_above < count


def beside(catalog: Catalog, profile: Profile) -> dict[str, set[tuple[str, str]]]:
    """By the places of identifiers: the identifiers of people, as (namespace, place), that trusted inputs have named
    together with them."""
    found: dict[str, set[tuple[str, str]]] = {}
    for link in profile.identifiers:
        if not link.public and link.by and standing.kind(catalog, link.namespace) in ("person", "contact"):
            named = (link.namespace, standing.place(catalog, link))
            for place in link.by:
                found.setdefault(place, set()).add(named)
    return found


def people(named: Iterable[tuple[str, str]]) -> int:
    """How many people such identifiers are of at least: the values of the kind that has most of them. One person has a
    card and a telephone; two cards may be two people's."""
    counts = Counter(namespace for namespace, _ in set(named))
    return max(counts.values(), default=1)


def shares(turn: Turn, told: Shares, tombstone: Tombstone | None = None) -> None:
    """Note at an identifier's own place that one more profile has it; demote the identifier where they are too many."""
    profile = turn.profile
    record = tombstone or profile
    if told.by not in record.sharers and len(record.sharers) < _SHARERS_MAX:
        record.sharers.append(told.by)
    if not is_too_many(turn.catalog, told.namespace, max(len(record.sharers) + 1, told.people)):
        return
    message = Shared(place=profile.id, namespace=told.namespace, source=told.source, public=told.public)
    if is_demoted(profile, tombstone):
        turn.tell(told.by, message)
        return
    if tombstone is None:
        demoted(turn, msgspec.structs.replace(message, owner=True))
    else:
        tombstone.shared = True
        turn.tell(tombstone.to, msgspec.structs.replace(message, owner=True))
    for holder in dict.fromkeys((*record.sharers, *record.holders)):
        turn.tell(holder, message)


def is_demoted(profile: Profile, tombstone: Tombstone | None) -> bool:
    """Whether the identifier of this place is shared already."""
    return profile.id in profile.shared if tombstone is None else tombstone.shared


def demoted(turn: Turn, told: Shared) -> None:
    """Mark an identifier of this profile as shared. What it has joined here is offered for splitting."""
    if turn.profile.is_blank or not mark(turn, told.place):
        return  # whoever it is about may have been erased meanwhile, and nobody is here
    turn.note(
        "identity",
        f"{told.namespace} is shared by several people",
        outcome="shared",
        reason="identity.shared",
        detail={"namespace": told.namespace},
    )
    if told.owner:
        reviews.ask(
            turn,
            "shared",
            "identity.shared",
            namespace=told.namespace,
            source=told.source,
            detail={"place": told.place},
            public=told.public,
        )
    for other in sorted({*turn.profile.split_off.values()}):  # one of the two is sent what came by it to the other
        turn.tell(other, msgspec.structs.replace(told, owner=False))
    for merged in turn.profile.ledger:
        if merged.id and not merged.undone_ms and (merged.by == told.place or told.place in merged.beside):
            offer_split(turn, merged, "identity.shared", told.namespace, by=told.source if told.public else None)


def mark(turn: Turn, place: str) -> bool:
    """Note that the identifier of a place is shared; False where that is known."""
    profile = turn.profile
    links = [
        link
        for link in profile.identifiers
        if not link.shared and standing.is_same_place(standing.place(turn.catalog, link), place)
    ]
    for link in links:
        link.shared = True
    is_news = place not in profile.shared
    if is_news:
        profile.shared.append(place)
        del profile.shared[: -limits.IDENTIFIERS_MAX]
    return is_news or bool(links)


def offer_split(turn: Turn, merged: Merged, reason: str, namespace: str, *, by: str | None = None) -> None:
    """Ask in the review queue whether a merge is to be undone; or undo it, where the rules say so. `by` is the write
    key whose word alone speaks for it."""
    if not merged.id:
        return  # it cannot be undone
    rules = turn.catalog.identity
    at_once = rules.split_on_unique if reason == "identity.unique" else rules.split_on_shared
    is_new = reviews.ask(
        turn,
        "split",
        reason,
        other=merged.origin,
        namespace=namespace,
        merge_id=merged.id,
        confidence=merged.confidence,
        source=merged.source if by is None else by,
        public=by is not None,
        state="accepted" if at_once else "open",
    )
    if at_once and is_new:
        turn.tell(turn.profile.id, Split(merge_id=merged.id, reason=reason))
