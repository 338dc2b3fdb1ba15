"""What an event says about who this is: identifiers to link, places to claim, profiles to absorb (design §4a).

An event with a user id and an anonymous id makes the user's profile absorb the anonymous one; `alias` absorbs whatever
`previousId` named. A write key's word takes visitors without a user id alone, and no pointer from anybody. Other
identifiers (e-mail, phone, device, loyalty) get a pointer at their own place. A profile that already holds an
identifier says nothing more.
"""

from __future__ import annotations

from engine import addresses, identifiers, seeds
from engine.catalog.compiled import Catalog
from engine.inputs import Absorb, Claim, ConsentChange, Decide, Declined, Event
from engine.profile import Link
from engine.turn_state import Turn

_PREFERRED = ("user_id", "anonymous_id")
_LINKS_MAX = 200


def home(catalog: Catalog, told: Event | Decide | ConsentChange) -> str | None:
    """The id of the profile that an input is for: the one named by its own id, else that of the user id, else of the
    anonymous id, else of the first other identifier."""
    if not isinstance(told, Event) and told.profile_id:
        return told.profile_id
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
    for namespace, value in sorted(named(told)):
        if _is_blocked(turn.catalog, namespace, value):
            continue
        place = seeds.profile_id(turn.catalog.id_key, namespace, value)
        if namespace in addresses.NAMESPACES:
            if addresses.mention(turn, namespace, value, told.at_ms, public=told.public):
                _make_known(turn, place, public=told.public)
        elif namespace not in _PREFERRED:
            _link(turn, namespace, value, told.at_ms)
            _reach(turn, place, Claim(to=turn.profile.id, public=told.public))
        elif not (told.public and _is_declined(turn, place)):
            _link(turn, namespace, value, told.at_ms)
            _absorb(turn, place, public=told.public)
    if isinstance(told, Event) and told.kind == "alias" and told.previous_id:
        _alias(turn, told)


def _alias(turn: Turn, told: Event) -> None:
    """Segment does not say of which kind a previous id is; where there is nothing, only a pointer is left."""
    user, visitor = (seeds.profile_id(turn.catalog.id_key, namespace, told.previous_id) for namespace in _PREFERRED)
    if not told.public:
        _absorb(turn, user, public=False)
        _absorb(turn, visitor, public=False)
    elif visitor not in turn.profile.held and not _is_declined(turn, visitor):
        summary = "previousId is taken as an anonymous id alone"
        turn.note("identity", summary, outcome="refused", reason="write_key.user_id")
        _absorb(turn, visitor, public=True)


def introduce(turn: Turn, asked: Decide) -> None:
    """A stranger for whom a place was reserved: link the identifier that named the profile, and nothing else."""
    for namespace, value in named(asked):
        if seeds.profile_id(turn.catalog.id_key, namespace, value)[:-2] == turn.profile.id[:-2]:  # of any epoch
            _link(turn, namespace, value, turn.now_ms)


def decline(turn: Turn, told: Declined) -> None:
    """What a write key wanted for this profile belongs to somebody: it is let go, and said once."""
    profile = turn.profile
    if told.origin in profile.absorbing:
        profile.absorbing.remove(told.origin)
    for places in (profile.held, profile.told):
        if told.origin in places:
            places.remove(told.origin)
    profile.declined.append(told.origin)
    del profile.declined[:-_LINKS_MAX]
    key = turn.catalog.id_key
    profile.identifiers[:] = [
        link
        for link in profile.identifiers
        if link.namespace != "anonymous_id"
        or seeds.profile_id(key, link.namespace, link.value)[:-2] != told.origin[:-2]
    ]
    turn.note("identity", "not taken over", outcome="refused", reason=told.reason, detail={"origin": told.origin})


def _is_declined(turn: Turn, place: str) -> bool:
    return any(place[:-2] == declined[:-2] for declined in turn.profile.declined)


def _absorb(turn: Turn, place: str, *, public: bool) -> None:
    if _reach(turn, place, Absorb(to=turn.profile.id, public=public)):
        turn.profile.absorbing.append(place)


def _make_known(turn: Turn, place: str, *, public: bool) -> None:
    """Let an address's own place know that this profile has it."""
    profile = turn.profile
    if place == profile.id or place in profile.told or (public and _is_declined(turn, place)):
        return
    profile.told.append(place)
    if place not in profile.held:
        profile.held.append(place)
    turn.tell(place, Claim(to=profile.id, public=public))


def _reach(turn: Turn, place: str, message: Absorb | Claim) -> bool:
    """Ask a place once; whether that was now."""
    profile = turn.profile
    if place == profile.id or place in profile.held or (message.public and _is_declined(turn, place)):
        return False
    profile.held.append(place)
    turn.tell(place, message)
    return True


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
