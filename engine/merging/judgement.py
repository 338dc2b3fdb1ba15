"""Whether two profiles that an input takes for one person become one. The one that is asked decides, by what it knows
of itself and by what the other one says of itself (`Merge` in `engine/told/of_merging.py`)."""

from __future__ import annotations

from engine.identity import sharing, standing
from engine.inputs import Merge
from engine.parts.of_identity import Evidence
from engine.turn_state import Turn

# Reasons about one identifier that two have; the others are about what the two are.
OF_THE_VALUE = ("identity.shared", "identity.taken")


def objection(turn: Turn, asked: Merge) -> tuple[str, str]:
    """Why this profile and the one that asks stay two: (reason, namespace), both empty where they become one."""
    evidence = asked.evidence
    if evidence is None:  # an engine before there were reasons has asked
        return "", ""
    found = _of_rights(turn, asked, evidence) or _of_sharing(turn, asked, evidence)
    if found and found not in asked.in_spite_of:
        return found, evidence.namespace
    mine = standing.values(turn.catalog, turn.profile)
    reason, namespace = standing.contradiction(turn.catalog, mine, asked.values, turn.now_ms)
    return ("", "") if reason in asked.in_spite_of else (reason, namespace)


def told_by_an_address(turn: Turn, asked: Merge) -> Evidence | None:
    """A device-kind identifier and an address that both profiles have, told by a source that may merge: the address
    says that they are one, whatever the device says."""
    evidence = asked.evidence
    if evidence is None or not asked.merges or standing.kind(turn.catalog, evidence.namespace) != "device":
        return None
    for link in turn.profile.identifiers:
        if standing.kind(turn.catalog, link.namespace) == "contact" and not link.shared:
            place = standing.place(turn.catalog, link)
            if place in asked.contacts:
                return Evidence(link.namespace, place, evidence.source, evidence.public, evidence.confidence)
    return None


def _of_rights(turn: Turn, asked: Merge, evidence: Evidence) -> str:
    """What kinds of identifiers and sources may join."""
    catalog, profile = turn.catalog, turn.profile
    is_known = standing.is_known(catalog, profile)
    if evidence.namespace == standing.LINK:
        return "identity.not_allowed" if asked.is_person and standing.is_person(catalog, profile) else ""
    if evidence.namespace in standing.SAID:
        return "" if asked.merges or not is_known else "identity.not_allowed"
    if standing.kind(catalog, evidence.namespace) != "device":
        return "" if asked.merges else "identity.not_allowed"
    if not (is_known and asked.known):
        return ""
    if set(standing.contacts(catalog, profile)) & set(asked.contacts):
        return "identity.unverified"
    count = asked.sharers + (2 if asked.to not in profile.sharers else 1)
    return "identity.shared" if sharing.is_too_many(catalog, evidence.namespace, count) else "identity.taken"


def _of_sharing(turn: Turn, asked: Merge, evidence: Evidence) -> str:
    """Whether the identifier is one of several people already, or would be."""
    if evidence.namespace in standing.SAID:
        return ""
    profile = turn.profile
    if asked.is_shared or evidence.place in profile.shared:
        return "identity.shared"
    if standing.kind(turn.catalog, evidence.namespace) == "device":
        return "identity.taken" if asked.sharers else ""
    joined = len(sharing.joined_by(turn.catalog, profile, evidence.place))
    is_too_many = sharing.is_too_many(turn.catalog, evidence.namespace, joined + asked.sharers + 1 + asked.has_more)
    return "identity.shared" if is_too_many else ""
