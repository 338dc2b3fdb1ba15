"""How many identifiers of one kind a person may have (`limit` of a namespace in identity.yaml).

A new one takes the place of the one that was seen longest ago among those that are not used: never the address that
messages go to, never one with a message under way, never the identifier that named the profile. A write key's word
takes the place of no address that is verified. Where all are used, the new one is refused.

What a write key alone has stated never keeps out what a trusted source says: it makes room (`make_way`).
"""

from __future__ import annotations

from engine import seeds
from engine.contact import addresses
from engine.identity import standing
from engine.parts.of_identity import Link
from engine.turn_state import Turn


def make_room(turn: Turn, namespace: str, *, public: bool, more: int = 1) -> bool:
    """Forget unused identifiers until so many more are within the limit; False where that cannot be. The places of
    forgotten ones go on pointing here."""
    rule = turn.catalog.identity.namespaces.get(namespace)
    if rule is None or not rule.limit:
        return True
    since_ms = turn.now_ms - rule.limit_ms if rule.limit_ms else -1
    counted = [
        link for link in turn.profile.identifiers if link.namespace == namespace and link.first_seen_ms > since_ms
    ]
    surplus = len(counted) + more - rule.limit
    if surplus <= 0:
        return True
    unused = [link for link in counted if not _is_used(turn, link) and not (public and standing.is_trusted(link))]
    unused.sort(key=lambda link: (standing.is_trusted(link), link.last_seen_ms, link.value))
    if len(unused) < surplus:
        return False  # all are used, or only a server key may drop them
    for link in unused[:surplus]:
        turn.profile.identifiers.remove(link)
    return True


def make_way(turn: Turn, namespace: str = "") -> bool:
    """Forget the identifier, of this namespace or of any, that was seen longest ago among the unused ones that only a
    write key has stated; False where there is none. Its place goes on pointing here."""
    stated = [
        link
        for link in turn.profile.identifiers
        if namespace in ("", link.namespace)
        and not standing.stays(turn.catalog, turn.profile, link)
        and not _is_used(turn, link)
    ]
    if stated:
        turn.profile.identifiers.remove(min(stated, key=lambda link: (link.last_seen_ms, link.namespace, link.value)))
    return bool(stated)


def settle_unique(turn: Turn) -> None:
    """Of a merge: where a person has one value of a namespace, those that only a write key has stated go beside a
    trusted one."""
    for namespace, rule in turn.catalog.identity.namespaces.items():
        links = [link for link in turn.profile.identifiers if rule.unique and link.namespace == namespace]
        if any(standing.is_trusted(link) for link in links):
            while make_way(turn, namespace):
                pass


def _is_used(turn: Turn, link: Link) -> bool:
    place = seeds.profile_id(turn.catalog.id_key, link.namespace, link.value)
    if addresses.is_same_place(place, turn.profile.id):
        return True
    if link.namespace not in addresses.NAMESPACES:
        return False
    under_way = {send.id for send in turn.profile.sends}
    if any(each.ref in under_way and addresses.is_same_place(each.address, place) for each in turn.profile.places):
        return True
    return addresses.current(turn.profile, link.namespace) is link
