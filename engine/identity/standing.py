"""Where a profile stands among others: whether it is a known person, and which of two profiles stays.

The order never changes for a profile: first the priority of the identifier that its id was made of, then its age, then
the id itself. Profiles only merge into those that stand before them, so no ring of merges can form, and the one that
stays in the end does not depend on who asked first (`docs/design/identity.md#which-profile-stays`).
"""

from __future__ import annotations

from typing import Final

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.catalog.identity_rules import Namespace
from engine.contact import addresses
from engine.parts.of_identity import Link
from engine.profile import Profile

# What takes the place of a namespace where no identifier says that two profiles are one.
ALIAS: Final = "alias"  # an `alias` call
LINK: Final = "link"  # a click on a signed link
DECISION: Final = "decision"  # of somebody, about an entry of the review queue
MATCHING: Final = "matching"  # what both are like
SAID: Final = (ALIAS, LINK, DECISION, MATCHING)
OF_A_PROFILE: Final = (DECISION, MATCHING)  # about somebody, whoever else has their identifiers after an erasure

_CONTACTS_MAX: Final = 50


def rank(catalog: Catalog, profile: Profile) -> tuple[int, int, str]:
    """The place of a profile in the order; the lower one of two stays."""
    return catalog.identity.rank(born(catalog, profile)), profile.born_ms or profile.created_ms, profile.id


def born(catalog: Catalog, profile: Profile) -> str:
    """The namespace of the identifier that a profile's id was made of; empty where nobody knows."""
    if not profile.born:
        for link in profile.identifiers:
            if is_same_place(place(catalog, link), profile.id):
                profile.born = link.namespace
                break
    return profile.born


def place(catalog: Catalog, link: Link) -> str:
    """The id of an identifier's own place, before any erasure."""
    return seeds.profile_id(catalog.id_key, link.namespace, link.value)


def is_same_place(one: str, other: str) -> bool:
    """Whether two ids are of one place. The epoch at their end does not count: an erasure changes it."""
    return one[:-2] == other[:-2]


def kind(catalog: Catalog, namespace: str) -> str:
    """`person`, `contact`, `device` or `shared`; one that the catalog does not know any more is a device's."""
    rule = catalog.identity.namespaces.get(namespace)
    return "device" if rule is None else rule.kind


def is_trusted(link: Link) -> bool:
    """Whether more than a write key's word says that somebody has this identifier."""
    return link.verified if link.namespace in addresses.NAMESPACES else not link.public


def stays(catalog: Catalog, profile: Profile, link: Link) -> bool:
    """Whether no trusted word takes an identifier's place: others than a write key say it, or the profile lives at
    it."""
    return is_trusted(link) or is_same_place(place(catalog, link), profile.id)


def is_known(catalog: Catalog, profile: Profile) -> bool:
    """Whether a profile has an identifier that makes it a known person."""
    return any(
        not link.shared and kind(catalog, link.namespace) in ("person", "contact") for link in profile.identifiers
    )


def is_person(catalog: Catalog, profile: Profile) -> bool:
    """Whether it has one that is one person's own, beside addresses."""
    return any(not link.shared and kind(catalog, link.namespace) == "person" for link in profile.identifiers)


def contacts(catalog: Catalog, profile: Profile) -> tuple[str, ...]:
    """The places of a profile's addresses, but for those that several people share."""
    links = (link for link in profile.identifiers if not link.shared)
    found = (place(catalog, link) for link in links if kind(catalog, link.namespace) == "contact")
    return tuple(found)[:_CONTACTS_MAX]


def values(catalog: Catalog, profile: Profile, *, public: bool) -> tuple[tuple[str, str, int], ...]:
    """(namespace, place, first seen) of the identifiers of which a person can have only one, or only so many. What a
    write key alone has stated contradicts no trusted word, but for the identifier that the profile lives at: it counts
    where the question is `public` itself."""
    rules = catalog.identity.namespaces
    found = []
    for link in profile.identifiers:
        rule = rules.get(link.namespace)
        if rule is not None and (rule.unique or rule.limit) and (public or stays(catalog, profile, link)):
            found.append((link.namespace, place(catalog, link), link.first_seen_ms))
    return tuple(found)


def contradiction(
    catalog: Catalog, mine: tuple[tuple[str, str, int], ...], theirs: tuple[tuple[str, str, int], ...], now_ms: int
) -> tuple[str, str]:
    """Why the identifiers of two profiles cannot be one person's: (reason, namespace), both empty where they can."""
    for rule in catalog.identity.namespaces.values():
        if rule.unique or rule.limit:
            here = {place: at_ms for namespace, place, at_ms in mine if namespace == rule.id}
            there = {place: at_ms for namespace, place, at_ms in theirs if namespace == rule.id}
            if not (here.keys() - there.keys() and there.keys() - here.keys()):
                continue
            if rule.unique:
                return "identity.unique", rule.id
            if bursts(rule, here | there, now_ms):
                return "identity.limit", rule.id
    return "", ""


def bursts(rule: Namespace, seen: dict[str, int], now_ms: int) -> bool:
    """Whether these are more values than one profile takes within the time of a namespace's limit."""
    if not rule.limit:
        return False
    since_ms = now_ms - rule.limit_ms if rule.limit_ms else -1
    return sum(at_ms > since_ms for at_ms in seen.values()) > rule.limit
