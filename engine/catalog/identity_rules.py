"""The compiled identity.yaml: who is who, by which identifiers, and what an input may do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Protocol

from engine.catalog.permissions import Source
from engine.catalog.schema import identity as schema
from engine.catalog.schema.patterns import Pattern
from engine.errors import InvalidInput
from engine.matching.fields import USUAL as FIELDS
from engine.values import identifiers
from engine.values.nobody import NEVER_ANYONE, is_blocked
from engine.values.paths import overlap
from engine.vocabulary import DAY_MS

# Kind, spelling, whether a person has one value, and the profiles above which a value counts as shared.
_KNOWN: Final[Mapping[str, tuple[str, str, bool, int]]] = MappingProxyType(
    {
        "user_id": ("person", "plain", True, 0),
        "loyalty_id": ("person", "plain", False, 3),
        "email": ("contact", "email", False, 3),
        "phone": ("contact", "phone", False, 3),
        "device_id": ("device", "plain", False, 3),
        "anonymous_id": ("device", "plain", False, 1),
    }
)
# The order of priority where nothing is said. One's own come behind the built-in ones of the same kind.
PRIORITIES: Final[Mapping[str, int]] = MappingProxyType({name: 10 * (place + 1) for place, name in enumerate(_KNOWN)})
_OF_KIND: Final = {"person": 25, "contact": 45, "device": 65, "shared": 1_000}
NO_RANK: Final = 1_000
_SHARED: Final = 10 * NO_RANK  # behind all that identify one person
_PUBLIC: Final = frozenset(("user_id", "device_id", "anonymous_id"))  # what a write key identifies by


@dataclass(frozen=True, slots=True)
class Namespace:
    """One kind of identifier (`engine.catalog.schema.identity.Namespace`). `rank`: 0 comes first. `limit`: at most so
    many values within `limit_ms` (0: ever) for one profile; 0: any number. `shared_above`: 0 for never."""

    id: str
    kind: str
    canonical: str
    rank: int
    unique: bool
    limit: int
    limit_ms: int
    shared_above: int
    paths: tuple[str, ...]
    blocked: frozenset[str]
    patterns: tuple[Pattern, ...]

    def is_blocked(self, value: str) -> bool:
        """Whether a canonical value never identifies anyone."""
        if is_blocked(value, self.blocked):
            return True
        return any(pattern.matches(value) for pattern in self.patterns) if self.patterns else False

    @property
    def knows(self) -> bool:
        """Whether its values make a profile a known one."""
        return self.kind in ("person", "contact")


@dataclass(frozen=True, slots=True)
class Carried:
    """A place in events that holds values of a namespace, as identity.yaml says: `path` begins in `root`."""

    namespace: str
    root: str  # properties | traits | context
    path: tuple[str, ...]
    written: str


@dataclass(frozen=True, slots=True)
class TraitRule:
    """Which of two values of a trait stays: by `sources`, in their order, then by `keep`. `trusted` is of addresses: a
    write key's word counts after all others."""

    keep: str = "newest"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOffGoal:
    """How fast the context must be there (`ready_ms`) between touchpoints, and what has to come along."""

    id: str
    was: frozenset[str]
    into: frozenset[str]
    ready_ms: int
    carries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """Thresholds of links that no identifier makes (`engine.catalog.schema.identity.Matching`)."""

    enabled: bool = False
    model: str = ""
    merge_at: float = 0.999
    personalise_at: float = 0.9
    review_at: float = 0.5
    traits: tuple[str, ...] = ()
    segments: bool = True
    lent_ms: int = 30 * DAY_MS
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """All of identity.yaml. `namespaces` are in the order of their rank, `forms` how they are spelled
    (`engine.values.identifiers`), `carried` where events hold values of them beside the places that are always looked
    at. `homes` is the order in which they are a home: as their rank, and those that are shared behind all others;
    `first` is the first of them."""

    namespaces: Mapping[str, Namespace]
    forms: Mapping[str, str]
    homes: Mapping[str, int]
    first: str
    carried: tuple[Carried, ...]
    traits: Mapping[str, TraitRule]
    split_on_unique: bool
    split_on_shared: bool
    unidentified: str
    matching: Matching
    goals: tuple[HandOffGoal, ...]

    def rank(self, namespace: str) -> int:
        """The place of a namespace in the order of priority; one that is not known comes last."""
        known = self.namespaces.get(namespace)
        return NO_RANK if known is None else known.rank

    def is_blocked(self, namespace: str, value: str) -> bool:
        """Whether a canonical value never identifies anyone; none of an unknown namespace is known to be one."""
        known = self.namespaces.get(namespace)
        return known is not None and known.is_blocked(value)


@dataclass(frozen=True, slots=True)
class Rights:
    """What an input may do about who is who: find known people by these namespaces (None: any), give them an identifier
    that nobody has, join two profiles that exist."""

    identify: frozenset[str] | None
    link: bool
    merge: bool


class Told(Protocol):
    """An input that comes from a source."""

    @property
    def source(self) -> str:
        """The name of its key."""

    @property
    def public(self) -> bool:
        """Whether that is a write key."""


_TRUSTED: Final = Rights(None, link=True, merge=True)
_UNTRUSTED: Final = Rights(_PUBLIC, link=True, merge=False)


def rights(sources: Mapping[str, Source], told: Told) -> Rights:
    """What this input may do. A write key never merges, whatever its source may."""
    usual = _UNTRUSTED if told.public else _TRUSTED
    source = sources.get(told.source)
    if source is None or (source.identify is None and source.link is None and source.merge is None):
        return usual
    return Rights(
        usual.identify if source.identify is None else source.identify,
        usual.link if source.link is None else source.link,
        usual.merge and source.merge is not False,
    )


def compile_identity(file: schema.Identity, country: str = "", sensitive: Sequence[str] = ()) -> IdentityRules:
    """The rules of a file, with the defaults of what it leaves out. `country` is that of blocked telephones without
    their code. Nobody is recognised by `sensitive` traits, whatever the usual ones are."""
    named = {name: file.namespaces.get(name, schema.Namespace()) for name in (*_KNOWN, *file.namespaces)}
    listed = {name: place - len(file.priority) for place, name in enumerate(file.priority)}

    def priority(name: str) -> tuple[int, str]:
        stated = named[name].priority
        usual = PRIORITIES.get(name, _OF_KIND[named[name].kind or "person"])
        return (listed.get(name, usual if stated is None else stated), name)

    order = sorted(named, key=priority)
    matching = file.matching
    namespaces = {name: _namespace(name, named[name], rank, country) for rank, name in enumerate(order)}
    homes = {name: each.rank + (_SHARED if each.kind == "shared" else 0) for name, each in namespaces.items()}
    return IdentityRules(
        namespaces=namespaces,
        forms=MappingProxyType({**identifiers.FORMS, **{name: each.canonical for name, each in namespaces.items()}}),
        homes=homes,
        first=min(homes, key=lambda name: homes[name]),
        carried=tuple(_carried(name, path) for name, each in namespaces.items() for path in each.paths),
        traits={name: TraitRule(rule.keep, tuple(rule.sources)) for name, rule in file.traits.items()},
        split_on_unique=file.splits.on_unique == "split",
        split_on_shared=file.splits.on_shared == "split",
        unidentified=file.splits.unidentified,
        matching=Matching(
            matching.enabled,
            matching.model or "",
            matching.merge_at,
            matching.personalise.at,
            matching.review_at,
            tuple(matching.personalise.traits),
            matching.personalise.segments,
            matching.personalise.for_,
            _fields(matching.fields, sensitive),
        ),
        goals=tuple(
            HandOffGoal(name, frozenset(goal.from_), frozenset(goal.into), goal.ready_within, tuple(goal.carries))
            for name, goal in sorted(file.transitions.items())
        ),
    )


def _namespace(name: str, stated: schema.Namespace, rank: int, country: str) -> Namespace:
    kind, spelling, unique, shared_above = _KNOWN.get(name, ("person", "plain", False, 3))
    kind, spelling, limit = stated.kind or kind, stated.canonical or spelling, stated.limit
    if kind == "shared":  # it joins nobody, so nothing of this is asked
        unique, shared_above, limit = False, 0, None
    return Namespace(
        id=name,
        kind=kind,
        canonical=spelling,
        rank=rank,
        unique=unique if stated.unique is None else stated.unique,
        limit=limit.count if limit is not None else 0,
        limit_ms=(limit.within or 0) if limit is not None else 0,
        shared_above=shared_above if stated.shared_above is None else stated.shared_above,
        paths=tuple(stated.paths),
        blocked=_blocked(name, stated.blocked, spelling, country),
        patterns=tuple(map(Pattern, stated.blocked_patterns)),
    )


def _fields(stated: Mapping[str, Sequence[str]], sensitive: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The paths of the fields that are compared, where they are not the usual ones."""
    told = {name: tuple(paths) for name, paths in stated.items()}
    for name, paths in FIELDS.items():
        kept = tuple(path for path in paths if not any(overlap(path, each) for each in sensitive))
        if name not in told and kept != paths:
            told[name] = kept
    return told


def _carried(namespace: str, written: str) -> Carried:
    root, *path = written.split(".")
    return Carried(namespace, root, tuple(path), written)


def _blocked(name: str, stated: Iterable[str], spelling: str, country: str) -> frozenset[str]:
    """The blocked values as they are written, and as values come out of the door."""
    values = {*NEVER_ANYONE, *stated}
    for value in stated:
        with suppress(InvalidInput):  # what no value can be is blocked already
            values.add(identifiers.canonical(name, value, country, forms={name: spelling}))
    return frozenset(value.casefold() for value in values)


USUAL: Final = compile_identity(schema.Identity())
