"""Learns from an event who this is: identifiers to link, places to claim, profiles to merge
(`docs/design/identity.md`).

The place of an identifier is the profile id that it names first. An event with a user id and an anonymous id merges the
anonymous profile into the user's; `alias` merges the profiles that `previousId` named. Other identifiers (e-mail,
phone, device, loyalty) get a pointer at their own place. A write key's word merges only visitors without a user id, and
takes no pointer from anybody. No place is told twice: one that already points here hears nothing more.
"""

from __future__ import annotations

from engine import limits, seeds
from engine.contact import addresses
from engine.identity import address_statements, holding, link_limits
from engine.identity.home import is_blocked, named
from engine.inputs import Claim, ConsentChange, Decide, Declined, Event, Merge
from engine.parts.of_identity import Link
from engine.profile import Profile
from engine.turn_state import Turn

_PREFERRED = ("user_id", "anonymous_id")


def learn(turn: Turn, told: Event | ConsentChange) -> None:
    """Link what an input names to this profile, and claim or merge what lies elsewhere."""
    too_many: list[str] = []
    out_of_reach: list[str] = []
    for namespace, value in sorted(named(told)):
        if is_blocked(turn.catalog, namespace, value):
            continue
        place = seeds.profile_id(turn.catalog.id_key, namespace, value)
        if told.public and namespace in _PREFERRED and _is_declined(turn, place):
            continue
        if not _know(turn, namespace, value, told):
            too_many.append(f"{namespace}:{value}")
        elif not _ask_for(turn, namespace, place, public=told.public):
            out_of_reach.append(f"{namespace}:{value}")
    if isinstance(told, Event) and told.kind == "alias" and told.previous_id and not _alias(turn, told):
        out_of_reach.append(f"previousId:{told.previous_id}")
    limits.refuse(turn, "limit.identifiers", too_many, "identifiers")
    limits.refuse(turn, "limit.pointers", out_of_reach, "identifiers")


def _know(turn: Turn, namespace: str, value: str, told: Event | ConsentChange) -> bool:
    if namespace in addresses.NAMESPACES:
        at_ms = told.said_ms if isinstance(told, Event) else told.at_ms
        is_stated = isinstance(told, Event) and told.kind == "identify" and namespace in told.traits
        return address_statements.mention(turn, namespace, value, at_ms, public=told.public, is_stated=is_stated)
    return _link(turn, namespace, value, told.at_ms)


def _ask_for(turn: Turn, namespace: str, place: str, *, public: bool) -> bool:
    if namespace in addresses.NAMESPACES:
        return _make_known(turn, place, public=public)
    if namespace not in _PREFERRED:
        return _reach(turn, place, Claim(to=turn.profile.id, public=public))
    return _reach(turn, place, Merge(to=turn.profile.id, public=public, is_new=_is_new(turn)))


def _alias(turn: Turn, told: Event) -> bool:
    """Merge the profiles that `previousId` names. Segment does not say whether it is a user id or an anonymous id, so
    both are asked; where nobody is, only a pointer is left. False where too many places point here."""
    user, visitor = (seeds.profile_id(turn.catalog.id_key, namespace, told.previous_id) for namespace in _PREFERRED)
    asked = Merge(to=turn.profile.id, public=told.public, is_new=_is_new(turn))
    if not told.public:
        return all([_reach(turn, user, Merge(to=turn.profile.id)), _reach(turn, visitor, asked)])
    if visitor in turn.profile.held or _is_declined(turn, visitor):
        return True
    summary = "previousId is taken as an anonymous id alone"
    turn.note("identity", summary, outcome="refused", reason="write_key.user_id")
    return _reach(turn, visitor, asked)


def join_by_link(turn: Turn, place: str) -> None:
    """Merge the visitor who came to `place` by a signed link of a message to this person."""
    _reach(turn, place, Merge(to=turn.profile.id, public=True))


def introduce(turn: Turn, asked: Decide) -> None:
    """Link the identifier that named the profile of a stranger for whom a decision has reserved something, and nothing
    else."""
    for namespace, value in named(asked):
        if seeds.profile_id(turn.catalog.id_key, namespace, value)[:-2] == turn.profile.id[:-2]:  # of any epoch
            _link(turn, namespace, value, turn.now_ms)


def decline(turn: Turn, told: Declined) -> None:
    """Let a place go that a write key's word claimed for this profile, because it belongs to somebody else; note
    that."""
    profile = turn.profile
    if told.origin in profile.absorbing:
        profile.absorbing.remove(told.origin)
    for places in (profile.held, profile.publicly):
        if told.origin in places:
            places.remove(told.origin)
    profile.declined.append(told.origin)
    del profile.declined[: -limits.IDENTIFIERS_MAX]
    key = turn.catalog.id_key
    profile.identifiers[:] = [
        link
        for link in profile.identifiers
        if link.namespace != "anonymous_id"
        or seeds.profile_id(key, link.namespace, link.value)[:-2] != told.origin[:-2]
    ]
    turn.note("identity", "not taken over", outcome="refused", reason=told.reason, detail={"origin": told.origin})


def _is_declined(turn: Turn, place: str) -> bool:
    """Whether a place was declined before. The epoch at the end of an id does not count: an erasure changes it."""
    return any(place[:-2] == declined[:-2] for declined in turn.profile.declined)


def _make_known(turn: Turn, place: str, *, public: bool) -> bool:
    """Let an address's own place know that this profile has it. False where too many places point here."""
    profile = turn.profile
    is_declined = _is_declined(turn, place)
    if place == profile.id or (place in profile.told and (public or not is_declined)) or (public and is_declined):
        return True
    if is_declined:  # a server key says the same
        profile.declined[:] = [declined for declined in profile.declined if declined[:-2] != place[:-2]]
    return holding.register(turn, place, public=public)


def _reach(turn: Turn, place: str, message: Merge | Claim) -> bool:
    """Ask a place to point here. False where too many do already."""
    profile = turn.profile
    if not message.public and place in profile.publicly:
        profile.publicly.remove(place)  # a server key says the same, so the visitor is trusted after all
    if place == profile.id or place in profile.held or (message.public and _is_declined(turn, place)):
        return True
    if len(profile.held) >= limits.POINTERS_MAX:
        return False
    profile.held.append(place)
    if isinstance(message, Merge):
        profile.absorbing.append(place)
        if message.public and _is_somebody(profile):
            profile.publicly.append(place)
    turn.tell(place, message)
    return True


def _is_somebody(profile: Profile) -> bool:
    """Whether this person was known before what is being told now."""
    return profile.seq > 1 or bool(profile.consent)


def _is_new(turn: Turn) -> bool:
    """Whether this profile was created by the very input that is being told."""
    return turn.profile.created_ms == turn.now_ms and not _is_somebody(turn.profile)


def _link(turn: Turn, namespace: str, value: str, at_ms: int) -> bool:
    """Link an identifier to this profile; False where there are too many already."""
    for link in turn.profile.identifiers:
        if link.namespace == namespace and link.value == value:
            link.first_seen_ms = min(link.first_seen_ms, at_ms)
            link.last_seen_ms = max(link.last_seen_ms, at_ms)
            return True
    if not link_limits.make_room(turn, namespace, public=False):
        return False
    if len(turn.profile.identifiers) >= limits.IDENTIFIERS_MAX:
        return False
    turn.profile.identifiers.append(Link(namespace, value, at_ms, at_ms))
    return True
