"""Finds what contradicts itself in identity.yaml, and in what sources.yaml says about who is who."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Final

from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document, by_id
from engine.catalog.identity_rules import PRIORITIES, USUAL
from engine.catalog.models import Models
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.files import Sources
from engine.catalog.schema.identity import Identity, Namespace
from engine.catalog.schema.patterns import Pattern
from engine.matching.fields import USUAL as FIELDS
from engine.values.identifiers import PROFILE_ID

FILE: Final = "identity.yaml"
ROOTS: Final = ("properties", "traits", "context")
ADDRESSES: Final = ("email", "phone")
# The kinds that a built-in namespace can have.
_KINDS: Final = {
    "user_id": ("person",),
    "loyalty_id": ("person", "shared"),
    "email": ("contact", "shared"),
    "phone": ("contact", "shared"),
    "device_id": ("device", "shared"),
    "anonymous_id": ("device",),
}
_TOUCHPOINTS: Final = frozenset(("web", "desktop", "mobile", "app", "other"))  # beside the channels
# Where every event is looked at anyway.
_USUAL_PATHS: Final = {
    "traits.email": "email",
    "traits.phone": "phone",
    "traits.loyalty_id": "loyalty_id",
    "properties.loyalty_id": "loyalty_id",
    "context.device.id": "device_id",
    "context.device.advertisingId": "device_id",
}


def identity_problems(document: Document, models: Models) -> Iterator[Problem]:
    """Everything in both files that says two things at once, or that cannot be."""
    file = models.get(FILE)
    if isinstance(file, Identity):
        for name, namespace in file.namespaces.items():
            yield from _namespace(name, namespace)
        yield from _priorities(file)
        yield from _paths(file)
        yield from _trait_rules(file)
        yield from _matching(file)
        yield from _transitions(file, touchpoints(document))
    sources = models.get("sources.yaml")
    if isinstance(sources, Sources):
        for name, source in sources.sources.items():
            for place in _repeated(source.identify or []):
                yield Problem("sources.yaml", ("sources", name, "identify", place), "is there already")
            if source.merge and source.link is False:
                message = "a source that may not link an identifier cannot merge by one"
                yield Problem("sources.yaml", ("sources", name, "merge"), message)


def _namespace(name: str, stated: Namespace) -> Iterator[Problem]:
    loc: Loc = ("namespaces", name)
    if name == PROFILE_ID:
        yield Problem(FILE, loc, "is the engine's own name for a profile: it needs another name")
        return
    kinds = _KINDS.get(name)
    usual = USUAL.namespaces.get(name)
    kind = stated.kind or (usual.kind if usual else "person")
    form = stated.canonical or (usual.canonical if usual else "plain")
    if kinds and kind not in kinds:
        yield Problem(FILE, (*loc, "kind"), f"{name} is of kind {' or '.join(kinds)}")
    if name in ADDRESSES and form != name:
        yield Problem(FILE, (*loc, "canonical"), f"{name} is spelled as {name}, or else nobody could be written to")
    elif name not in ADDRESSES and form in ADDRESSES and kind not in ("contact", "shared"):
        yield Problem(FILE, (*loc, "canonical"), f"what is spelled as {form} is of kind contact, and not {kind}")
    if kind == "shared":
        for field in ("unique", "limit", "shared_above"):
            if getattr(stated, field):
                yield Problem(FILE, (*loc, field), "says nothing of a shared one: it joins nobody anyway")
    unique = stated.unique if stated.unique is not None else bool(usual and usual.unique)
    if unique and stated.limit is not None and stated.limit.count > 1:
        message = f"is unique: a person has one value, and never {stated.limit.count}"
        yield Problem(FILE, (*loc, "limit"), message)
    for field, listed in (("blocked", stated.blocked), ("blocked_patterns", stated.blocked_patterns)):
        for place in _repeated(value.casefold() for value in listed):
            yield Problem(FILE, (*loc, field, place), "is there already")
    for place, written in enumerate(stated.blocked_patterns):
        if Pattern(written).takes_anything:
            message = "matches every value, so nobody could be known by this namespace"
            yield Problem(FILE, (*loc, "blocked_patterns", place), message)


def _priorities(file: Identity) -> Iterator[Problem]:
    for place in _repeated(file.priority):
        yield Problem(FILE, ("priority", place), f"{file.priority[place]!r} is there already")
    taken = {number: name for name, number in PRIORITIES.items() if not _moves(file, name)}
    for name, namespace in file.namespaces.items():
        number, loc = namespace.priority, ("namespaces", name, "priority")
        if number is None:
            continue
        if name in file.priority:
            yield Problem(FILE, loc, "stands in the list `priority` too: say it in one place")
        elif taken.setdefault(number, name) != name:
            yield Problem(FILE, loc, f"{number} is the priority of {taken[number]} already")


def _moves(file: Identity, name: str) -> bool:
    stated = file.namespaces.get(name)
    return name in file.priority or (stated is not None and stated.priority is not None)


def _paths(file: Identity) -> Iterator[Problem]:
    taken = dict(_USUAL_PATHS)
    for name, namespace in file.namespaces.items():
        for place, path in enumerate(namespace.paths):
            loc: Loc = ("namespaces", name, "paths", place)
            root, _, rest = path.partition(".")
            if root not in ROOTS or not rest:
                near = did_you_mean(root, ROOTS) if rest else ""
                yield Problem(FILE, loc, f"begins with properties., traits. or context.{near}")
            elif rest.split(".")[0] == "externalIds" and root == "context":
                yield Problem(FILE, loc, "is read anyway: each entry names its namespace as its type")
            elif path in taken and taken[path] != name:
                yield Problem(FILE, loc, f"is where {taken[path]} stands: a value is of one namespace")
            elif path in taken:
                yield Problem(FILE, loc, "is looked at anyway" if path in _USUAL_PATHS else "is there already")
            taken[path] = name


def _trait_rules(file: Identity) -> Iterator[Problem]:
    for name, rule in file.traits.items():
        loc: Loc = ("traits", name)
        if name in ADDRESSES:
            yield Problem(FILE, loc, "which address is current has a rule of its own (docs/addresses.md)")
        elif "." in name:
            whole = name.removeprefix("traits.").partition(".")[0]
            yield Problem(FILE, loc, f"a rule is for a trait as a whole: write {whole}")
        for place in _repeated(rule.sources):
            yield Problem(FILE, (*loc, "sources", place), "is there already")
        if rule.keep == "union" and rule.sources:
            yield Problem(FILE, (*loc, "sources"), "a union keeps what every source says: it has no order of sources")


def _matching(file: Identity) -> Iterator[Problem]:
    told = file.matching
    for name, paths in told.fields.items():
        if name not in FIELDS:
            hint = did_you_mean(name, FIELDS) or f": there are {', '.join(FIELDS)}"
            yield Problem(FILE, ("matching", "fields", name), f"nothing is compared that is called {name!r}{hint}")
        for place in _repeated(paths):
            yield Problem(FILE, ("matching", "fields", name, place), "is there already")
    if not told.review_at <= told.personalise.at:
        message = f"is above personalise.at ({told.personalise.at}): a link that lends context is past any question"
        yield Problem(FILE, ("matching", "review_at"), message)
    if not told.personalise.at <= told.merge_at:
        message = f"is above merge_at ({told.merge_at}): what is merged has nothing to lend"
        yield Problem(FILE, ("matching", "personalise", "at"), message)


def touchpoints(document: Document) -> set[str]:
    """The kinds of touchpoint at which events happen (`engine.handoffs.touchpoints`)."""
    channels = {*by_id(document, "channels.yaml", "channels")}
    file = document.get("sources.yaml")
    sources = file.get("sources") if isinstance(file, Mapping) else None
    for source in sources.values() if isinstance(sources, Mapping) else ():
        if isinstance(source, Mapping) and isinstance(source.get("channel"), str):
            channels.add(source["channel"])
    return channels | _TOUCHPOINTS


def _transitions(file: Identity, known: set[str]) -> Iterator[Problem]:
    taken: dict[tuple[str, str], str] = {}
    for name, goal in file.transitions.items():
        for field, listed in (("from", goal.from_), ("into", goal.into), ("carries", goal.carries)):
            for place in _repeated(listed):
                yield Problem(FILE, ("transitions", name, field, place), "is there already")
        for field, listed in (("from", goal.from_), ("into", goal.into)):
            for place, kind in enumerate(listed):
                if kind not in known:
                    hint = did_you_mean(kind, sorted(known)) or f": there are {', '.join(sorted(known))}"
                    message = f"no channel and no kind of device is called {kind!r}{hint}"
                    yield Problem(FILE, ("transitions", name, field, place), message)
        for pair in product(goal.from_, goal.into):
            if taken.setdefault(pair, name) != name:
                message = f"{pair[0]} → {pair[1]} has its objective in {taken[pair]} already"
                yield Problem(FILE, ("transitions", name), message)
        if set(goal.from_) == set(goal.into) and len(set(goal.into)) == 1:
            yield Problem(FILE, ("transitions", name, "into"), "is where it began: that is no transition")


def _repeated(listed: Iterable[str]) -> list[int]:
    """The places of what stood there before."""
    values = list(listed)
    return [place for place, value in enumerate(values) if value in values[:place]]
