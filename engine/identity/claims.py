"""What an event says about who this is: identifiers to link, places to claim, profiles to absorb (design §4a).

An event with a user id and an anonymous id makes the user's profile absorb the anonymous one; `alias` absorbs whatever
`previousId` named. Other identifiers (e-mail, phone, device, loyalty) get a pointer at their own place. A profile that
already holds an identifier says nothing more.
"""

from __future__ import annotations

from engine import identifiers, seeds
from engine.catalog.compiled import Catalog
from engine.inputs import Absorb, Claim, ConsentChange, Decide, Event
from engine.profile import Link
from engine.turn_state import Turn

_PREFERRED = ("user_id", "anonymous_id")
_LINKS_MAX = 200


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
    for namespace, value in sorted(named(told)):
        if _is_blocked(turn.catalog, namespace, value):
            continue
        _link(turn, namespace, value, at_ms)
        kind = Absorb if namespace in _PREFERRED else Claim
        _reach(turn, seeds.profile_id(turn.catalog.id_key, namespace, value), kind)
    if isinstance(told, Event) and told.kind == "alias" and told.previous_id:
        # Segment does not say of which kind a previous id is; where there is nothing, only a pointer is left
        for namespace in _PREFERRED:
            place = seeds.profile_id(turn.catalog.id_key, namespace, told.previous_id)
            _reach(turn, place, Absorb)


def introduce(turn: Turn, asked: Decide) -> None:
    """A stranger for whom a place was reserved: link the identifier that named the profile, and nothing else."""
    for namespace, value in named(asked):
        if seeds.profile_id(turn.catalog.id_key, namespace, value)[:-2] == turn.profile.id[:-2]:  # of any epoch
            _link(turn, namespace, value, turn.now_ms)


def _reach(turn: Turn, place: str, kind: type[Absorb | Claim]) -> None:
    profile = turn.profile
    if place == profile.id or place in profile.held:
        return
    profile.held.append(place)
    if kind is Absorb:
        profile.absorbing.append(place)
    turn.tell(place, kind(to=profile.id))


def _link(turn: Turn, namespace: str, value: str, at_ms: int) -> None:
    for link in turn.profile.identifiers:
        if link.namespace == namespace and link.value == value:
            link.first_seen_ms = min(link.first_seen_ms, at_ms)
            link.last_seen_ms = max(link.last_seen_ms, at_ms)
            return
    if len(turn.profile.identifiers) < _LINKS_MAX:
        turn.profile.identifiers.append(Link(namespace, value, at_ms, at_ms))


def _is_blocked(catalog: Catalog, namespace: str, value: str) -> bool:
    return identifiers.is_blocked(namespace, value, catalog.blocked_values)
