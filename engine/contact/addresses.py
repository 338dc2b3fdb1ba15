"""Which e-mail address and which telephone of a person is current: one rule for everybody who asks (docs/addresses.md).

The trait of that name counts. An `identify` states it: the latest event time wins, and of equal times the later
arrival; a time ahead of the engine's clock counts as now. The stated value is the address; where it is null or cannot
be read, there is none. Where nothing was ever stated, the address that was first mentioned most recently is current;
beside a stated one a mention only identifies. A verified address counts before what only a write key has stated,
whichever came first (`engine.identity.address_statements`).
"""

from __future__ import annotations

from typing import Any, Final

from engine import seeds
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput
from engine.parts.of_identity import Link
from engine.profile import Profile, Run
from engine.values import phones
from engine.values.absence import is_absent
from engine.values.identifiers import canonical, is_same_phone

NAMESPACES: Final = ("email", "phone")


def current(profile: Profile, namespace: str) -> Link | None:
    """The current address of this person in a namespace; None where nothing is known or the last word is that there is
    none. Of other namespaces (a device) it is the identifier that was seen last."""
    links = [link for link in profile.identifiers if link.namespace == namespace]
    if namespace not in NAMESPACES:
        return max(links, key=lambda link: (link.last_seen_ms, link.value), default=None)
    trait = profile.traits.get(namespace)
    if trait is None:
        return max(links, key=rank, default=None)
    return stated(links, namespace, trait.value)


def of_channel(profile: Profile, catalog: Catalog, channel: str) -> Link | None:
    """The e-mail address or telephone that a channel reaches this person at; None where it needs none, or there is
    none."""
    rule = catalog.channels.get(channel)
    return current(profile, rule.address) if rule is not None and rule.address in NAMESPACES else None


def value(profile: Profile, namespace: str) -> str | None:
    """The same as plain text."""
    link = current(profile, namespace)
    return None if link is None else link.value


def why(profile: Profile, namespace: str) -> tuple[str, int] | None:
    """Why the current address of a namespace is current, a word of `vocabulary.CURRENT_BECAUSE`, and the time of what
    made it so; None where there is no address."""
    link, trait = current(profile, namespace), profile.traits.get(namespace)
    if link is None or namespace not in NAMESPACES:
        return None
    said_ms = trait.at_ms if trait is not None else link.stated_ms or link.first_seen_ms
    if link.confirmed_ms >= said_ms:
        return "confirmed", link.confirmed_ms
    others = (each for each in profile.identifiers if each.namespace == namespace and each is not link)
    if link.verified and any(not each.verified and each.first_seen_ms > said_ms for each in others):
        return "verified", said_ms
    return "stated" if trait is not None else "mentioned", said_ms


def unusable(profile: Profile, country: str) -> list[tuple[str, Any, str]]:
    """The stated addresses that are none: (namespace, the stated value, its fault). `country` is the workspace's, where
    telephones without a country code are."""
    found = []
    for namespace in NAMESPACES:
        trait = profile.traits.get(namespace)
        if trait is not None and not is_absent(trait.value) and current(profile, namespace) is None:
            try:
                canonical(namespace, trait.value, phones.country_in(profile.trait_values, country))
            except InvalidInput as fault:
                found.append((namespace, trait.value, fault.message))
    return found


def unverified(profile: Profile, catalog: Catalog, at_ms: int) -> list[str]:
    """The places of the unverified addresses that were current at `at_ms` and still are. The people who read the mail
    there may be told of what happened then, whichever profile the address comes to belong to."""
    links = (current(profile, namespace) for namespace in NAMESPACES)
    return [
        place(catalog, link) for link in links if link is not None and not link.verified and link.stated_ms <= at_ms
    ]


def is_too_early(catalog: Catalog, link: Link, run: Run) -> bool:
    """Whether the trigger of a run happened before an unverified address was stated: then its message is not for the
    people who read the mail there."""
    if link.verified or place(catalog, link) in run.told_at:
        return False
    return run.entered_ms < link.since_ms or run.trigger_ms < link.stated_ms


def place(catalog: Catalog, link: Link) -> str:
    """The id of an address's own place."""
    return seeds.profile_id(catalog.id_key, link.namespace, link.value)


def is_same_place(one: str, other: str) -> bool:
    """Whether two ids are of one place; the epoch at their ends does not count, which an erasure changes."""
    return one[:-2] == other[:-2]


def is_among(places: list[str], place: str) -> bool:
    """Whether a place is one of these, in any epoch."""
    return place in places or any(is_same_place(each, place) for each in places)


def rank(link: Link) -> tuple[bool, int, str]:
    """A sort key: of several addresses that were only mentioned, the highest is current."""
    return link.verified, link.stated_ms or link.first_seen_ms, link.value


def stated(links: list[Link], namespace: str, told: Any) -> Link | None:
    """The one of these addresses that a stated value means. A telephone without its country code means the one that is
    written so in its own country; of several a verified one, then the one that was named last."""
    try:
        value = canonical(namespace, told)
        return next((link for link in links if (link.namespace, link.value) == (namespace, value)), None)
    except InvalidInput:
        if namespace != "phone":
            return None
    alike = [link for link in links if link.namespace == namespace and is_same_phone(told, link.value)]
    return max(alike, key=lambda link: (link.verified, link.last_seen_ms, link.value), default=None)
