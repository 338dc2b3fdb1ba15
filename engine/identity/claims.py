"""What an event says about who this is: identifiers to link, places to claim, profiles to absorb (design §4a).

An event with a user id and an anonymous id makes the user's profile absorb the anonymous one; `alias` absorbs whatever
`previousId` named. Other identifiers (e-mail, phone, device, loyalty) get a pointer at their own place. A profile that
already holds an identifier says nothing more.
"""

from __future__ import annotations

from engine import identifiers, limits, seeds
from engine.catalog.compiled import Catalog
from engine.inputs import Absorb, Claim, ConsentChange, Decide, Event
from engine.profile import Link
from engine.turn_state import Turn

_PREFERRED = ("user_id", "anonymous_id")


def home(catalog: Catalog, told: Event | Decide | ConsentChange) -> str | None:
    """The id of the profile that an input is for: user id, else anonymous id, else its first other identifier."""
    if isinstance(told, Event):  # nearly every event names its profile by itself
        for namespace, value in (("user_id", told.user_id), ("anonymous_id", told.anonymous_id)):
            if value and not _is_blocked(catalog, namespace, value):
                return seeds.profile_id(catalog.id_key, namespace, value)
    pairs = [(namespace, value) for namespace, value in named(told) if not _is_blocked(catalog, namespace, value)]
    pairs.sort(key=lambda pair: _PREFERRED.index(pair[0]) if pair[0] in _PREFERRED else len(_PREFERRED))
    return seeds.profile_id(catalog.id_key, *pairs[0]) if pairs else None


def named(told: Event | Decide | ConsentChange) -> list[tuple[str, str]]:
    """Every (namespace, canonical value) that an input carries."""
    pairs = list(told.identifiers)
    if isinstance(told, Event):
        if told.user_id:
            pairs.append(("user_id", told.user_id))
        if told.anonymous_id:
            pairs.append(("anonymous_id", told.anonymous_id))
    return pairs


def learn(turn: Turn, told: Event | ConsentChange) -> None:
    """Link what an input names to this profile, and claim or absorb what lies elsewhere."""
    at_ms = told.at_ms
    too_many: list[str] = []
    out_of_reach: list[str] = []
    for namespace, value in sorted(named(told)):
        if _is_blocked(turn.catalog, namespace, value):
            continue
        if not _link(turn, namespace, value, at_ms):
            too_many.append(f"{namespace}:{value}")
            continue
        kind = Absorb if namespace in _PREFERRED else Claim
        if not _reach(turn, seeds.profile_id(turn.catalog.id_key, namespace, value), kind):
            out_of_reach.append(f"{namespace}:{value}")
    if isinstance(told, Event) and told.kind == "alias" and told.previous_id:
        # Segment does not say of which kind a previous id is; where there is nothing, only a pointer is left
        places = [seeds.profile_id(turn.catalog.id_key, namespace, told.previous_id) for namespace in _PREFERRED]
        reached = [_reach(turn, place, Absorb) for place in places]
        if not all(reached):
            out_of_reach.append(f"previousId:{told.previous_id}")
    limits.refuse(turn, "limit.identifiers", too_many, "identifiers")
    limits.refuse(turn, "limit.pointers", out_of_reach, "identifiers")


def introduce(turn: Turn, asked: Decide) -> None:
    """A stranger for whom a place was reserved: link the identifier that named the profile, and nothing else."""
    for namespace, value in named(asked):
        if seeds.profile_id(turn.catalog.id_key, namespace, value)[:-2] == turn.profile.id[:-2]:  # of any epoch
            _link(turn, namespace, value, turn.now_ms)


def _reach(turn: Turn, place: str, kind: type[Absorb | Claim]) -> bool:
    """Let a place point here. False where too many do already."""
    profile = turn.profile
    if place == profile.id or place in profile.held:
        return True
    if len(profile.held) >= limits.POINTERS_MAX:
        return False
    profile.held.append(place)
    if kind is Absorb:
        profile.absorbing.append(place)
    turn.tell(place, kind(to=profile.id))
    return True


def _link(turn: Turn, namespace: str, value: str, at_ms: int) -> bool:
    """False where there are too many already."""
    for link in turn.profile.identifiers:
        if link.namespace == namespace and link.value == value:
            link.first_seen_ms = min(link.first_seen_ms, at_ms)
            link.last_seen_ms = max(link.last_seen_ms, at_ms)
            return True
    if len(turn.profile.identifiers) >= limits.IDENTIFIERS_MAX:
        return False
    turn.profile.identifiers.append(Link(namespace, value, at_ms, at_ms))
    return True


def _is_blocked(catalog: Catalog, namespace: str, value: str) -> bool:
    return identifiers.is_blocked(namespace, value, catalog.blocked_values)
