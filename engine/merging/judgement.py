"""Whether two profiles that an input takes for one person become one. The one that is asked decides, by what it knows
of itself and by what the other one says of itself (`Merge` in `engine/told/of_merging.py`)."""

from __future__ import annotations

from typing import NamedTuple

from engine.identity import apart, sharing, standing
from engine.inputs import Merge
from engine.parts.of_identity import Evidence
from engine.turn_state import Turn

OF_THE_VALUE = ("identity.shared", "identity.taken")  # of a device; the others are about what two profiles are


class Objection(NamedTuple):
    """Why two profiles stay two: a reason, and the identifier that it is about, by its namespace and place."""

    reason: str
    namespace: str
    place: str = ""


def objection(turn: Turn, asked: Merge) -> Objection | None:
    """Why this profile and the one that asks stay two; None where they become one."""
    evidence = asked.evidence
    if apart.is_kept_apart(turn.profile, asked.to) and (evidence is None or evidence.namespace != standing.DECISION):
        return Objection("identity.split", "" if evidence is None else evidence.namespace)
    if evidence is None:  # an engine before there were reasons has asked
        return None
    of_rights = _of_rights(turn, asked, evidence)
    found = (
        Objection(of_rights, evidence.namespace, evidence.place) if of_rights else _of_sharing(turn, asked, evidence)
    )
    if found is not None and found.reason not in asked.in_spite_of:
        return found
    mine = standing.values(turn.catalog, turn.profile, public=evidence.public)
    reason, namespace = standing.contradiction(turn.catalog, mine, asked.values, turn.now_ms)
    return Objection(reason, namespace) if reason and reason not in asked.in_spite_of else None


def are_known(turn: Turn, asked: Merge) -> bool:
    """Whether both are known people."""
    return asked.known and standing.is_known(turn.catalog, turn.profile)


def are_two(turn: Turn, asked: Merge) -> bool:
    """Whether they are two people for certain: each has an identifier of which a person has one."""
    mine = standing.values(turn.catalog, turn.profile, public=asked.public)
    return standing.contradiction(turn.catalog, mine, asked.values, turn.now_ms)[0] == "identity.unique"


def told_by_an_address(turn: Turn, asked: Merge) -> Evidence | None:
    """A device-kind identifier and an address that both profiles have, told by a source that may merge: the address
    says that they are one, whatever the device says."""
    evidence = asked.evidence
    if evidence is not None and evidence.namespace == standing.DECISION:
        return None
    if evidence is None or not asked.merges or standing.kind(turn.catalog, evidence.namespace) != "device":
        return None
    # This very input names the address: that both had it before may be a write key's word alone.
    named = {place for _, place in evidence.beside}
    is_person = standing.is_person(turn.catalog, turn.profile)
    for link in turn.profile.identifiers:
        if standing.kind(turn.catalog, link.namespace) == "contact" and not link.shared:
            place = standing.place(turn.catalog, link)
            if place in asked.contacts and place in named and (link.verified or not is_person):
                return Evidence(link.namespace, place, evidence.source, evidence.public, evidence.confidence)
    return None


def _of_rights(turn: Turn, asked: Merge, evidence: Evidence) -> str:
    """What kinds of identifiers and sources may join."""
    catalog, profile = turn.catalog, turn.profile
    if evidence.namespace == standing.LINK:
        return "identity.not_allowed" if asked.is_person and standing.is_person(catalog, profile) else ""
    if evidence.namespace in standing.SAID:
        return "" if asked.merges or not standing.is_known(catalog, profile) else "identity.not_allowed"
    if standing.kind(catalog, evidence.namespace) != "device":
        return "" if asked.merges else "identity.not_allowed"
    if not are_known(turn, asked):
        return ""
    if set(standing.contacts(catalog, profile)) & set(asked.contacts):
        return "identity.unverified"
    count = asked.sharers + (2 if asked.to not in profile.sharers else 1)
    return "identity.shared" if sharing.is_too_many(catalog, evidence.namespace, count) else "identity.taken"


def _of_sharing(turn: Turn, asked: Merge, evidence: Evidence) -> Objection | None:
    """Whether one of the identifiers is one of several people already, or would be."""
    catalog, profile = turn.catalog, turn.profile
    if evidence.namespace in standing.SAID:
        return None
    if asked.is_shared or evidence.place in profile.shared:
        return Objection("identity.shared", evidence.namespace, evidence.place)
    if standing.kind(catalog, evidence.namespace) == "device":
        return Objection("identity.taken", evidence.namespace, evidence.place) if asked.sharers else None
    for namespace, place in ((evidence.namespace, evidence.place), *evidence.beside):
        if sharing.is_too_many(catalog, namespace, people(turn, asked, place)):
            return Objection("identity.shared", namespace, place)
    return None


def people(turn: Turn, asked: Merge, place: str) -> int:
    """How many people the identifier of a place is of at least, by all that this profile and the other know."""
    theirs = {(namespace, other) for each, namespace, other in asked.beside if each == place}
    known = sharing.people(theirs | sharing.beside(turn.catalog, turn.profile).get(place, set()))
    is_asked = asked.evidence is not None and asked.evidence.place == place
    return known + (asked.sharers if is_asked else 0)
