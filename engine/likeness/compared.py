"""What matching compares of a profile, and how to see cheaply that it has not changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from engine.contact import addresses
from engine.matching import fields
from engine.matching.comparable import Comparable, comparable
from engine.profile import Profile

Stated = Mapping[str, Sequence[str]]  # the paths of the fields that are not as usual

_DEVICE: Final = "device_id"
_FROM_LINKS: Final = (*addresses.NAMESPACES, _DEVICE)


def record_of(profile: Profile, stated: Stated) -> Comparable:
    """The comparable form of a profile. An address is the current one, whatever its trait says. What a write key has
    stated does not count: anybody could make a visitor resemble somebody by it."""
    trusted = {name: trait.value for name, trait in profile.traits.items() if not trait.public}
    found = fields.fields_of(trusted, stated)
    verified = {(link.namespace, link.value) for link in profile.identifiers if link.verified}
    for namespace in addresses.NAMESPACES:
        if (namespace, found.get(namespace)) in verified:
            continue  # the stated one is in canonical form already, which takes long to find out otherwise
        found.pop(namespace, None)
        link = addresses.current(profile, namespace)
        if link is not None and link.verified:
            found[namespace] = link.value
    links = (link for link in profile.identifiers if link.namespace == _DEVICE)
    if devices := [link.value for link in links if not (link.shared or link.public)]:
        found["devices"] = [*_listed(found.get("devices", ())), *devices]
    return comparable(found)


def names(stated: Stated) -> tuple[str, ...]:
    """The traits that feed a comparison, without what lies below them."""
    paths = [path for field in fields.USUAL for path in stated.get(field, fields.USUAL[field])]
    return tuple(dict.fromkeys(path.partition(".")[0] for path in paths))


def signature(profile: Profile, of: Sequence[str]) -> tuple[object, ...]:
    """A value that stays equal as long as nothing changes that is compared: a trait that changes is another object."""
    traits = profile.traits
    told = [known for name in of if (known := traits.get(name)) is not None]
    links = [
        (link.value, link.shared, link.verified, link.stated_ms, link.since_ms)
        for link in profile.identifiers
        if link.namespace in _FROM_LINKS
    ]
    return (*map(id, told), *told, *links)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
