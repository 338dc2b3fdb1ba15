"""Undoes what a source has done to who somebody is: by one command, after an attack or a mistake of a system.

Merges that it caused are split first, so that whoever was merged gets back all that they had, whoever said it. Of what
is left, identifiers that it named first go, and their places are nobody's again; one that only
a write key had named before is as that key had named it. An address that it has verified is not verified any more.
Traits that it stated go, locale and zone too, and what they had replaced comes back (`engine.identity.trait_words`).
Its events stay, and are counted in the answer: they happened. Statements about consent stay too, because a no must not
be lifted by a command about something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from engine import codec
from engine.contact import addresses
from engine.effects import GiveBack, KeepMerge
from engine.errors import InvalidInput, NotFound
from engine.identity import trait_words
from engine.identity import traits as known
from engine.inputs import Revert, Split
from engine.merging import arrivals
from engine.parts.of_identity import Link, Merged
from engine.profile import Profile, TraitValue
from engine.splitting.around import Around, can_be_undone
from engine.splitting.layers import Layers
from engine.splitting.sides import place_of
from engine.turn_state import Turn
from engine.values.absence import is_absent

_PLACES_MAX: Final = 200  # of one command; the next one goes on


def revert(turn: Turn, told: Revert) -> None:
    """Undo what the source did. The answer says what was, or would be, undone, and what stays."""
    if not told.source:
        raise InvalidInput("is empty", "source")
    profile = turn.profile
    if profile.is_blank and told.is_rest:
        return  # it was erased meanwhile
    if profile.is_blank and not profile.ledger:
        raise NotFound("nobody is known by this identifier", "identifier")
    meant = _Meant(told)
    merges = [past for past in profile.ledger if _is_by(told, past.source, past.at_ms)]
    splits = [] if told.is_rest else to_split(profile, told)
    profile = _without(turn, told, splits) if splits else profile
    trust = {id(link): less for link in profile.identifiers if (less := _trust_left(meant, link)) is not link}
    links = [
        link
        for link in profile.identifiers
        if link.publicly is None and meant(_name_of(link), link.source, link.first_seen_ms)
    ]
    going = [link for link in links if place_of(turn.catalog, link)[:-2] != profile.id[:-2]][:_PLACES_MAX]
    left = _traits_left(turn, meant, profile, going)
    traits = [name for name, trait in left.items() if trait is None or trait.value != profile.traits[name].value]
    zones = _of_device_left(meant, profile)
    said = {f"context.{n}": word for n, word in zones.items() if word is None or word.value != getattr(profile, n)}
    stay = [link for link in profile.identifiers if link not in going]
    doubtful = [link for link in stay if link.verified and not trust.get(id(link), link).verified]
    if not (told.dry or splits):
        _apply(turn, going, left)
        for name, word in zones.items():
            known.settle(profile, name, word)
        profile.identifiers = [trust.get(id(link), link) for link in profile.identifiers]
    if not (told.dry or told.is_rest):
        _begin(turn, meant, splits, going, left)
    kept = [link for link in links if link not in going]
    turn.answer(
        {
            "profileId": profile.id,
            "done": not told.dry,
            "merges": [past.id for past in splits],
            "identifiers": [_name_of(link) for link in going],
            "unverified": [_name_of(link) for link in doubtful],
            "traits": sorted([*traits, *said]),
            "restored": sorted(name for name in (*traits, *said) if (left | said)[name] is not None),
            "events": sum(_is_by(told, event.source, event.at_ms) for event in turn.profile.history),
            "stays": {
                "identifiers": [_name_of(link) for link in kept],
                "merges": [past.origin for past in merges if past not in splits and not past.undone_ms],
            },
        }
    )


def to_split(profile: Profile, told: Revert) -> list[Merged]:
    """The merges that a revert splits, in their order: one that a merged profile had made stands before the one that
    brought that profile here."""
    return [past for past in profile.ledger if can_be_undone(past) and _is_by(told, past.source, past.at_ms)]


def _without(turn: Turn, told: Revert, splits: list[Merged]) -> Profile:
    """What this profile will be when the merges are split."""
    records, profile = {name: Around.read(record) for name, record in told.records}, turn.profile
    for past in splits:
        out = Layers(turn.catalog, turn.now_ms, records, {}).take_out(profile, past.id)
        kept = (effect for effect in out.again if isinstance(effect, KeepMerge))
        records |= {each.merge_id: Around(each.before, each.other, each.after) for each in kept}
        profile = out.mine
    return profile


def _begin(
    turn: Turn, meant: _Meant, splits: list[Merged], going: list[Link], left: Mapping[str, TraitValue | None]
) -> None:
    """Note it, and split what is to be split; the profile tells itself to go on when all of that is done."""
    profile, told = turn.profile, meant.told
    for past in splits:
        turn.tell(profile.id, Split(merge_id=past.id, reason="revert"))
    if splits:
        turn.tell(profile.id, Revert(source=told.source, is_rest=True, words=tuple(sorted(meant.found))))
    turn.note(
        "split",
        f"what {told.source} had done was undone",
        source=told.source,
        outcome="reverted",
        detail={"merges": [past.id for past in splits], "identifiers": len(going), "traits": len(left)},
    )


def _traits_left(turn: Turn, meant: _Meant, profile: Profile, going: list[Link]) -> dict[str, TraitValue | None]:
    """The traits of which a word is taken back, as they are without it: one that the source said, or one that names an
    address that goes. No address comes back that this person has no more."""
    identifiers = profile.identifiers
    found: dict[str, TraitValue | None] = {}
    for name, trait in profile.traits.items():
        is_address = name in addresses.NAMESPACES

        def is_meant(word: TraitValue, name: str = name, is_address: bool = is_address) -> bool:
            said = meant(f"traits.{name}", word.source, trait_words.heard_ms(word))
            return said or (is_address and addresses.stated(identifiers, name, word.value) in going)

        def is_gone(word: TraitValue, name: str = name) -> bool:
            return not is_absent(word.value) and addresses.stated(identifiers, name, word.value) is None

        rule = trait_words.rule_of(turn.catalog, name)
        left = trait_words.without(rule, trait, is_meant)
        if left is not None and left is not trait and is_address:
            left = trait_words.without(rule, left, is_gone)
        if left is not trait:
            found[name] = left
    return found


def _of_device_left(meant: _Meant, profile: Profile) -> dict[str, TraitValue | None]:
    """Locale and zone in the same way, where a word on them is taken back."""
    found: dict[str, TraitValue | None] = {}
    for name, word in profile.of_device.items():

        def is_meant(word: TraitValue, name: str = name) -> bool:
            return meant(f"context.{name}", word.source, trait_words.heard_ms(word))

        left = trait_words.without(None, word, is_meant)
        if left is not word:
            found[name] = left
    return found


def _trust_left(meant: _Meant, link: Link) -> Link:
    """An identifier without the trust that the source has given to it; the very same where it has given none. What its
    mailbox has confirmed stays verified."""
    before, check = link.publicly, link.verified_by
    left: dict[str, Any] = {}
    if before is not None and meant(_name_of(link), link.source, before.at_ms):
        left |= {"source": before.source, "public": True, "by": before.by, "publicly": None}
    if check is not None and meant(_name_of(link), check.source, check.at_ms):
        left |= {"verified": bool(link.confirmed_ms), "verified_by": None}
    return msgspec.structs.replace(link, **left) if left else link


def _apply(turn: Turn, going: list[Link], left: Mapping[str, TraitValue | None]) -> None:
    profile = turn.profile
    profile.identifiers = [link for link in profile.identifiers if link not in going]
    for name, trait in left.items():
        if trait is None:
            del profile.traits[name]
        else:
            profile.traits[name] = trait
    merged = {past.origin[:-2] for past in profile.ledger if not past.undone_ms}
    pointing = arrivals.pointing_to(profile)
    for link in going:
        epochs = [place for place in profile.held if place[:-2] == place_of(turn.catalog, link)[:-2]]
        place = max(epochs, default="")  # those before it were erased
        if place and place[:-2] not in merged:  # that of a merged profile goes back with it
            _let_go(turn, place, link, is_own=place in pointing)


def _let_go(turn: Turn, place: str, link: Link, *, is_own: bool) -> None:
    """This person has the identifier of this place no more. If the place points here, nobody has it: somebody new
    begins there."""
    profile = turn.profile
    for places in (profile.held, profile.told, profile.owns, profile.unanswered):
        places[:] = [known for known in places if known[:-2] != place[:-2]]
    if not is_own:
        return
    profile.split_off[place] = place
    profile.message_seq += 1
    nobody = codec.encode_record(Profile(place, created_ms=turn.now_ms, born=link.namespace))
    turn.effects.append(GiveBack(place, profile.message_seq, "", nobody, (), (), turn.now_ms + 1, ()))
    profile.parting.append(place)


class _Meant:
    """Which words a revert takes back; it remembers those that it was asked about. What is left of one takes those back
    that were there when it was commanded, and no others."""

    def __init__(self, told: Revert) -> None:
        self.told = told
        self.found: set[tuple[str, int]] = set()
        self._words = frozenset(told.words)

    def __call__(self, about: str, source: str, at_ms: int) -> bool:
        is_meant = _is_by(self.told, source, at_ms) and (not self.told.is_rest or (about, at_ms) in self._words)
        if is_meant:
            self.found.add((about, at_ms))
        return is_meant


def _name_of(link: Link) -> str:
    return f"{link.namespace}:{link.value}"


def _is_by(told: Revert, source: str, at_ms: int) -> bool:
    return source == told.source and at_ms >= told.since_ms
