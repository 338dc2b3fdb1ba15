"""What a survivor knows of the places that come to it: those it has asked for, those that point to it, and what comes
with them that contradicts what has come before."""

from __future__ import annotations

from engine.identity import asking, holding, sharing, standing
from engine.inputs import Declined, Stay
from engine.profile import Profile
from engine.turn_state import Turn


def is_here(turn: Turn, origin: str, other: Profile | None = None, *, is_owner: bool = True) -> None:
    """A place points here now, with all that pointed to it. Questions that this answers are answered. `is_owner`:
    it was this very profile that the place was given to."""
    profile = turn.profile
    if origin not in profile.held:
        profile.held.append(origin)
    asking.forget_refusal(profile, origin)
    is_address = any(
        standing.kind(turn.catalog, link.namespace) == "contact"
        and standing.is_same_place(standing.place(turn.catalog, link), origin)
        for link in (*profile.identifiers, *(other.identifiers if other is not None else ()))
    )
    if is_address and is_owner and origin not in profile.told:
        profile.told.append(origin)
    if is_owner:
        holding.own(profile, origin)
    if profile.split_off:  # whatever a split said of this place, it has come here since
        profile.split_off = {place: to for place, to in profile.split_off.items() if place[:-2] != origin[:-2]}
    both = (profile,) if other is None else (profile, other)
    here = {place[:-2] for place in (origin, profile.id, *(place for each in both for place in pointing_to(each)))}
    open_ones = [*profile.absorbing, *(other.absorbing if other is not None else ())]
    profile.absorbing = [place for place in dict.fromkeys(open_ones) if place[:-2] not in here]
    profile.publicly = [place for place in profile.publicly if place in profile.absorbing]


def merge(profile: Profile, other: Profile) -> None:
    """Take in what the other knows of profiles that are not the same person, and of shared values."""
    for mine, theirs in (
        (profile.apart, other.apart),
        (profile.shared, other.shared),
        (profile.reviewed, other.reviewed),
    ):
        mine.extend(each for each in theirs if each not in mine)
    profile.publicly = [place for place in profile.publicly if place in profile.absorbing]
    for place, at_ms in other.asked_ms.items():
        profile.asked_ms[place] = max(at_ms, profile.asked_ms.get(place, 0))


def sends_back(turn: Turn, origin: str, other: Profile) -> bool:
    """Whether something that has come here after the question contradicts the other profile, which then stays."""
    evidence = other.moving_by
    if evidence is None or evidence.namespace == standing.DECISION:
        return False
    mine, theirs = (standing.values(turn.catalog, each, public=evidence.public) for each in (turn.profile, other))
    reason, namespace = standing.contradiction(turn.catalog, mine, theirs, turn.now_ms)
    if not reason:
        return False
    asked = next((place for place in turn.profile.absorbing if place in {origin, *pointing_to(other)}), origin)
    turn.tell(origin, Stay(by=turn.profile.id))
    told = Declined(origin=asked, reason=reason, other=origin, namespace=namespace, evidence=evidence)
    asking.decline(turn, told)
    return True


def look_for_contradictions(turn: Turn) -> None:
    """A long past cannot be sent back. Where it contradicts what has come before, its merge is offered for
    splitting."""
    entry = turn.profile.ledger[-1]
    if entry.namespace in ("", standing.DECISION):
        return
    rules = turn.catalog.identity.namespaces
    for namespace, rule in rules.items():
        here = {link.value for link in turn.profile.identifiers if link.namespace == namespace}
        brought = {value for name, value in entry.identifiers if name == namespace and value in here}
        if rule.unique and brought and here - brought and _is_news(turn, namespace, brought):
            sharing.offer_split(turn, entry, "identity.unique", namespace)


def _is_news(turn: Turn, namespace: str, brought: set[str]) -> bool:
    earlier = [value for merged in turn.profile.ledger[:-1] for name, value in merged.identifiers if name == namespace]
    return not brought <= set(earlier)


def pointing_to(other: Profile) -> set[str]:
    """The places that point to a profile: not those that have not answered it, or whose address it has as one of
    several."""
    found = set(other.held) - set(other.absorbing) - (set(other.told) - set(other.owns))
    return found if other.moving_by is None else found | {other.moving_by.place}
