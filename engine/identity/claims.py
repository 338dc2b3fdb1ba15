"""Learns from an event who this is: identifiers to link, and other profiles that are the same person
(`docs/design/identity.md`).

The place of an identifier is the profile id that it names first. An identifier that is new to this profile is asked for
at its place, and whoever lives there decides with it (`engine.merging`): a place where nobody is becomes a pointer to
this profile, and somebody merges with it or declines. No place is asked twice: one that already points here hears
nothing more. What may be asked for is a matter of the source (`engine.catalog.identity_rules.rights`).
"""

from __future__ import annotations

from engine import limits, seeds
from engine.catalog.identity_rules import Namespace, rights
from engine.contact import addresses
from engine.identity import address_statements, asking, holding, link_limits, reviews, sharing, standing
from engine.identity.home import is_blocked, named
from engine.inputs import Confirm, ConsentChange, Decide, Event, Join
from engine.parts.of_identity import Evidence, Link, Said
from engine.turn_state import Turn

_PREFERRED = ("user_id", "anonymous_id")


def learn(turn: Turn, told: Event | ConsentChange) -> None:
    """Link what an input names to this profile, and ask for what lies elsewhere."""
    too_many: list[str] = []
    out_of_reach: list[str] = []
    mine: list[tuple[str, str]] = []
    pairs = sorted(named(told))
    about = asking.About(turn, pairs)
    for namespace, value in pairs:
        place = seeds.profile_id(turn.catalog.id_key, namespace, value)
        if is_blocked(turn.catalog, namespace, value):
            _refuse(turn, told, "identity.blocked", namespace, place)
            continue
        link = _find(turn.profile.identifiers, namespace, value)
        if link is None:
            if told.public and asking.is_declined(turn, place, weak=True) and not _is_contact(turn, namespace):
                continue
            reason = _contradicts(turn, told, namespace, place)
            if reason:
                _refuse(turn, told, reason, namespace, place)
                _offer_split(turn, told, reason, namespace, pairs)
                continue
        if not _know(turn, link, namespace, value, told):
            too_many.append(f"{namespace}:{value}")
            continue
        if link is None or (link.public and not told.public):
            _note_origin(turn, told, namespace, value, about)
        mine.append((namespace, value))
    for namespace, value in mine:  # a question says all that this profile is, so it comes after all identifiers
        if not _ask_for(turn, told, namespace, value, about):
            out_of_reach.append(f"{namespace}:{value}")
    if isinstance(told, Event) and told.kind == "alias" and told.previous_id and not _alias(turn, told):
        out_of_reach.append(f"previousId:{told.previous_id}")
    limits.refuse(turn, "limit.identifiers", too_many, "identifiers")
    limits.refuse(turn, "limit.pointers", out_of_reach, "identifiers")


def introduce(turn: Turn, asked: Decide) -> None:
    """Link the identifier that named the profile of a stranger for whom a decision has reserved something, and nothing
    else."""
    for namespace, value in named(asked):
        if standing.is_same_place(seeds.profile_id(turn.catalog.id_key, namespace, value), turn.profile.id):
            _link(turn, None, namespace, value, turn.now_ms, public=True)


def confirmed(turn: Turn, said: Confirm) -> None:
    """The mailbox of an address has confirmed it, so it joins this profile with whoever has the address."""
    for link in turn.profile.identifiers:
        place = standing.place(turn.catalog, link)
        if place == said.address and link.verified and _is_contact(turn, link.namespace):
            asking.ask(turn, place, Evidence(link.namespace, place, source="confirmed"), is_contact=True)


def join(turn: Turn, told: Join) -> None:
    """Merge with another profile because somebody has decided it, or because both are alike."""
    namespace = standing.DECISION if told.review else standing.MATCHING
    overruled: tuple[str, ...] = asking.LIMITS if told.review else ()
    if told.force:
        overruled += ("identity.unique",)
    evidence = Evidence(namespace, told.other, told.source, confidence=told.confidence)
    if told.other == turn.profile.id:
        turn.answer({"asked": False})
        return
    asking.ask(turn, told.other, evidence, in_spite_of=overruled)
    turn.answer({"asked": True})


def join_by_link(turn: Turn, place: str, source: str) -> None:
    """Merge with the visitor or the known guest who came to `place` by a signed link of a message to this person. Two
    people who each have an identifier of their own (a user id, a card) are never joined by it."""
    if not asking.is_declined(turn, place, weak=True):
        asking.ask(turn, place, Evidence(standing.LINK, place, source, public=True))


def _know(turn: Turn, link: Link | None, namespace: str, value: str, told: Event | ConsentChange) -> bool:
    if namespace in addresses.NAMESPACES:
        at_ms = told.said_ms if isinstance(told, Event) else told.at_ms
        is_stated = isinstance(told, Event) and told.kind == "identify" and namespace in told.traits
        return address_statements.mention(
            turn, namespace, value, at_ms, public=told.public, source=told.source, is_stated=is_stated
        )
    return _link(turn, link, namespace, value, told.at_ms, public=told.public)


def _link(turn: Turn, link: Link | None, namespace: str, value: str, at_ms: int, *, public: bool) -> bool:
    """Link an identifier to this profile; False where there are too many already. What a write key alone has stated
    makes room for a trusted one."""
    if link is not None:
        link.first_seen_ms = min(link.first_seen_ms, at_ms)
        link.last_seen_ms = max(link.last_seen_ms, at_ms)
        return True
    if len(turn.profile.identifiers) >= limits.IDENTIFIERS_MAX and (public or not link_limits.make_way(turn)):
        return False
    turn.profile.identifiers.append(Link(namespace, value, at_ms, at_ms))
    return True


def _note_origin(turn: Turn, told: Event | ConsentChange, namespace: str, value: str, about: asking.About) -> None:
    """Write down who was the first to name an identifier, and beside which others. A trusted word counts as the first
    where only a write key's came before."""
    link, key = _find(turn.profile.identifiers, namespace, value), turn.catalog.id_key
    if link is None:
        return
    if link.public:
        link.publicly = Said(link.source, turn.now_ms, link.by)
    link.source, link.public = told.source, told.public
    place = seeds.profile_id(key, namespace, value)
    link.by = [each for _, each in about.named if each != place]
    if not turn.profile.born and standing.is_same_place(place, turn.profile.id):
        turn.profile.born = namespace


def _ask_for(
    turn: Turn,
    told: Event | ConsentChange,
    namespace: str,
    value: str,
    about: asking.About,
) -> bool:
    """Ask for an identifier's place, if it is not known to point here. False where too many places point here."""
    profile, key = turn.profile, turn.catalog.id_key
    place = seeds.profile_id(key, namespace, value)
    if place == profile.id:
        return True
    is_contact = _is_contact(turn, namespace)
    if is_contact and (addresses.is_among(profile.owns, place) or (told.public and place in profile.told)):
        return True
    if not is_contact and place in profile.held and not (profile.publicly and not told.public):
        return True
    may = rights(turn.catalog.sources, told)
    weak = told.public or not may.merge
    is_shared = standing.kind(turn.catalog, namespace) == "shared"
    is_declined = asking.is_declined(turn, place, weak=weak)
    if is_shared or (is_declined and (not is_contact or place in profile.told)):
        return True
    if is_contact and (is_declined or not may.merge):
        return holding.register(turn, place)  # else what binds the address would not be heard here
    if not (may.link or may.merge):
        return True
    beside = [pair for pair in about.people if pair[1] != place]
    evidence = Evidence(namespace, place, told.source, told.public, beside=beside)
    links = may.link and not (told.public and standing.kind(turn.catalog, namespace) == "person")
    return asking.ask(turn, place, evidence, is_contact=is_contact, links=links, merges=may.merge, about=about)


def _alias(turn: Turn, told: Event) -> bool:
    """Merge the profiles that `previousId` names. Segment does not say whether it is a user id or an anonymous id, so
    both are asked; where nobody is, only a pointer is left. False where too many places point here."""
    user, visitor = (seeds.profile_id(turn.catalog.id_key, namespace, told.previous_id) for namespace in _PREFERRED)
    may = rights(turn.catalog.sources, told)
    places = [user, visitor]
    if told.public:
        if visitor in turn.profile.held or asking.is_declined(turn, visitor, weak=True):
            return True
        summary = "previousId is taken as an anonymous id alone"
        turn.note("identity", summary, outcome="refused", reason="write_key.user_id")
        places = [visitor]
    is_all = True
    for place in places:
        if place == turn.profile.id:
            continue
        evidence = Evidence(standing.ALIAS, place, told.source, told.public)
        is_visitor = place == visitor  # nobody was a visitor by a user id, so none is older by it
        is_all &= asking.ask(turn, place, evidence, links=may.link, merges=may.merge, is_visitor=is_visitor)
    return is_all


def _contradicts(turn: Turn, told: Event | ConsentChange, namespace: str, place: str) -> str:
    """Why an identifier that is new to this profile cannot be its; empty where it can. Where only what a write key has
    stated contradicts a trusted word, that makes room."""
    rule, profile = turn.catalog.identity.namespaces.get(namespace), turn.profile
    if rule is None or not (rule.unique or rule.limit) or place == profile.id:
        return ""
    if place in profile.held and (namespace in _PREFERRED or not (rule.unique or told.public)):
        return ""  # an alias, or one that was let go; what had to make way for a trusted one does not come back so
    links = [link for link in profile.identifiers if link.namespace == namespace]
    reason = _too_many(turn, rule, links, place)
    if not reason or told.public or _too_many(turn, rule, [link for link in links if standing.is_trusted(link)], place):
        return reason
    while reason and link_limits.make_way(turn, namespace):
        reason = _too_many(turn, rule, [link for link in profile.identifiers if link.namespace == namespace], place)
    return reason


def _too_many(turn: Turn, rule: Namespace, links: list[Link], place: str) -> str:
    if rule.unique and links:
        return "identity.unique"
    if rule.id in addresses.NAMESPACES:
        return ""  # an unused one makes room (`engine.identity.link_limits`)
    seen = {standing.place(turn.catalog, link): link.first_seen_ms for link in links} | {place: turn.now_ms}
    return "identity.limit" if standing.bursts(rule, seen, turn.now_ms) else ""


def _offer_split(
    turn: Turn, told: Event | ConsentChange, reason: str, namespace: str, pairs: list[tuple[str, str]]
) -> None:
    """A second value of an identifier of which a person has one: perhaps the last merge was wrong that brought an
    identifier beside which it stands. A write key's word takes nobody apart."""
    if reason == "identity.unique" and not told.public:
        for merged in reversed(turn.profile.ledger):
            if merged.id and not merged.undone_ms and any(pair in pairs for pair in merged.identifiers):
                sharing.offer_split(turn, merged, reason, namespace)
                return


def _refuse(turn: Turn, told: Event | ConsentChange, reason: str, namespace: str, place: str) -> None:
    """Note a refused identifier once. What a write key states is no question: anybody could fill the queue."""
    if told.public:
        is_news = reason != "identity.blocked" and asking.note_refusal(turn, turn.profile.declined, place)
    else:
        other = "" if reason == "identity.blocked" else place
        is_news = reviews.ask(turn, "merge", reason, other=other, namespace=namespace, source=told.source)
    if is_news:
        turn.note("identity", f"{namespace} not linked", source=told.source, outcome="refused", reason=reason)


def _is_contact(turn: Turn, namespace: str) -> bool:
    return standing.kind(turn.catalog, namespace) == "contact"


def _find(links: list[Link], namespace: str, value: str) -> Link | None:
    for link in links:
        if link.value == value and link.namespace == namespace:
            return link
    return None
