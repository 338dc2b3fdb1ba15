"""The words of several sources on one trait: what it becomes when those of one source are taken back.

A profile keeps, beside the word that counts, those that it has replaced and those that lost to it. A trait of which one
source says one thing keeps nothing more. What is kept is bounded: of each source a few words, so that one which says
something else again and again drives out no other source's. Of two words of one source that are close in time the
older goes first, so what was said long before stays.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from engine import limits
from engine.catalog.compiled import Catalog
from engine.catalog.identity_rules import TraitRule
from engine.contact import addresses
from engine.identity.trait_rules import settled
from engine.profile import TraitValue

SOURCES_MAX: Final = 8  # of one trait, whose words are kept
WORDS_MAX: Final = 3  # of one source on one trait, beside the word that counts
BYTES_MAX: Final = 256 << 10  # of all that a profile keeps beside the words that count

_OF_ADDRESSES: Final = TraitRule("trusted")  # a write key's word replaces no address that a server has stated

_pack = msgspec.msgpack.Encoder().encode


def rule_of(catalog: Catalog, name: str) -> TraitRule | None:
    """Which word on a trait counts; None: the newest."""
    return _OF_ADDRESSES if name in addresses.NAMESPACES else catalog.identity.traits.get(name)


def chosen(rule: TraitRule | None, known: TraitValue | None, told: TraitValue, *, is_newer: bool) -> TraitValue:
    """Which of two words counts, or the union of both; nothing is kept of the other yet."""
    if known is None or rule is None:
        return told if known is None or is_newer else known
    return settled(rule, known, told, is_newer=is_newer)


def after(rule: TraitRule | None, known: TraitValue | None, told: TraitValue, stays: TraitValue) -> TraitValue:
    """The word that counts after `chosen`, with what is kept of both; each of them may have others."""
    if known is None:
        return stays
    is_one_source = known.source == told.source
    if is_one_source and not (known.others or told.others):
        if stays is told and known.value == told.value:  # said again
            told.heard_ms = heard_ms(known)
            return told
        if stays is known:
            return known
    if stays is known and len(_pack(told.value)) > limits.TRAIT_BYTES_MAX:
        return known
    words = [*_released(known), *_released(told)]
    stays.is_joined = stays.is_joined or (stays is not known and stays is not told)
    stays.others = _bounded(rule, words, None if stays.is_joined else stays)
    return stays


def without(
    rule: TraitRule | None, trait: TraitValue, is_taken_back: Callable[[TraitValue], bool]
) -> TraitValue | None:
    """What a trait becomes without some of its words; None where none is left, the trait itself where all are."""
    words = words_of(trait)
    kept = [word for word in words if not is_taken_back(word)]
    return trait if len(kept) == len(words) else made_of(rule, kept)


def made_of(rule: TraitRule | None, words: Iterable[TraitValue]) -> TraitValue | None:
    """The trait of which these are the words; None where there are none."""
    found: TraitValue | None = None
    for word in sorted(words, key=_order):
        told = copy.copy(word)
        stays = chosen(rule, found, told, is_newer=found is None or told.at_ms >= found.at_ms)
        found = after(rule, found, told, stays)
    return found


def words_of(trait: TraitValue | None) -> list[TraitValue]:
    """All words of a trait that are known, without others: those that a union is made of, else the one that counts and
    those beside it."""
    if trait is None:
        return []
    if trait.is_joined:
        return [*trait.others]
    return [*trait.others, msgspec.structs.replace(trait, others=[])]


def heard_ms(word: TraitValue) -> int:
    """When its source first said this, by the clock."""
    return word.heard_ms or word.at_ms


def bound(traits: Mapping[str, TraitValue]) -> None:
    """Let words go where too much is kept beside those that count: the oldest ones of the source that takes most."""
    kept = sorted(
        ((word, trait, len(_pack(word))) for trait in traits.values() for word in trait.others),
        key=lambda each: _order(each[0]),
        reverse=True,
    )
    size = Counter[str]()
    for word, _, length in kept:
        size[word.source] += length
    while size.total() > BYTES_MAX:
        most = max(size, key=lambda source: size[source])
        at = max(place for place, each in enumerate(kept) if each[0].source == most)
        word, trait, length = kept.pop(at)
        trait.others = [known for known in trait.others if known is not word]
        size[most] -= length


def _released(trait: TraitValue) -> list[TraitValue]:
    """The same as `words_of`, as they are: a word keeps its identity while it is moved (`engine.splitting.marks`)."""
    others, is_joined = trait.others, trait.is_joined
    if not is_joined:
        trait.others = []
    return [*others] if is_joined else [*others, trait]


def _order(word: TraitValue) -> tuple[int, int]:
    return heard_ms(word), word.at_ms


def _bounded(rule: TraitRule | None, words: list[TraitValue], counts: TraitValue | None) -> list[TraitValue]:
    """The words to be kept beside the one that counts."""
    words = _without_repeats(sorted(words, key=_order), counts)
    by_source: dict[str, list[TraitValue]] = {}
    for word in words:
        if word is not counts:
            by_source.setdefault(word.source, []).append(word)
    latest = sorted(by_source.values(), key=lambda known: _order(known[-1]))[-SOURCES_MAX:]
    return sorted(itertools.chain.from_iterable(_few(rule, known) for known in latest), key=_order)


def _without_repeats(words: list[TraitValue], counts: TraitValue | None) -> list[TraitValue]:
    """A source that says the same again, and nobody anything else between, has said it since the first time."""
    kept: list[TraitValue] = []
    for word in words:
        before = kept[-1] if kept else None
        if before is not None and before.source == word.source and before.value == word.value:
            stays, gone = (before, word) if before is counts else (word, before)
            stays.heard_ms = min(heard_ms(stays), heard_ms(gone))
            kept[-1] = stays
        else:
            kept.append(word)
    return kept


def _few(rule: TraitRule | None, words: list[TraitValue]) -> list[TraitValue]:
    """The words of one source; of the two that are closest in time one is left, as long as there are too many."""
    while len(words) > WORDS_MAX:
        gaps = [heard_ms(later) - heard_ms(word) for word, later in itertools.pairwise(words)]
        at = gaps.index(min(gaps))
        one, other = words[at : at + 2]
        left = chosen(rule, one, other, is_newer=other.at_ms >= one.at_ms)
        left.heard_ms = max(heard_ms(one), heard_ms(other))
        words[at : at + 2] = [left]
    return words
