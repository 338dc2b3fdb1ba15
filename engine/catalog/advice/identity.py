"""Doubts about who is who: settings that change nothing, and names that nobody has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.catalog.checks.identity import FILE
from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document
from engine.catalog.identity_rules import IdentityRules, compile_identity
from engine.catalog.models import Models
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.files import Source, Sources
from engine.catalog.schema.identity import Identity
from engine.values.nearest import nearest
from engine.vocabulary import NAMESPACES

_SOURCES: Final = "sources.yaml"


def identity_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """What identity.yaml says without effect, and names in it that are probably slips."""
    file, sources = models.get(FILE), models.get(_SOURCES)
    identity = file if isinstance(file, Identity) else Identity()
    known = sources.sources if isinstance(sources, Sources) else {}
    rules = compile_identity(identity)
    for name in identity.namespaces:
        near = nearest(name, NAMESPACES) if name not in NAMESPACES else None
        if near is not None:
            yield Problem(FILE, ("namespaces", name), f"is a namespace of its own: did you mean {near}?")
    for place, name in enumerate(identity.priority):
        yield from _shared(rules, name, FILE, ("priority", place))
    for name, rule in identity.traits.items():
        for place, told in enumerate(rule.sources):
            if told not in known:
                message = f"no source called {told!r} stands in sources.yaml{did_you_mean(told, list(known))}"
                yield Problem(FILE, ("traits", name, "sources", place), message)
    for name, source in known.items():
        yield from _source(rules, name, source)


def _source(rules: IdentityRules, name: str, source: Source) -> Iterator[Problem]:
    loc: Loc = ("sources", name)
    if source.merge:
        message = "changes nothing: a server key merges where nothing forbids it, and a write key never does"
        yield Problem(_SOURCES, (*loc, "merge"), message)
    if source.link:
        yield Problem(_SOURCES, (*loc, "link"), "changes nothing: every source links where nothing forbids it")
    if source.identify is None:
        return
    if source.user_hash == "required" and "user_id" not in source.identify:
        message = "leaves out user_id, although user_hash has it proved: nobody who signs in is found by it"
        yield Problem(_SOURCES, (*loc, "identify"), message)
    for place, namespace in enumerate(source.identify):
        yield from _shared(rules, namespace, _SOURCES, (*loc, "identify", place))


def _shared(rules: IdentityRules, namespace: str, file: str, loc: Loc) -> Iterator[Problem]:
    known = rules.namespaces.get(namespace)
    if known is not None and known.kind == "shared":
        yield Problem(file, loc, f"{namespace} is shared: an event is at home there only where it names nobody else")
