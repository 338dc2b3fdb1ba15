"""Keeps traits that a company says are sensitive (health, religion, origin …) out of decisions
(`docs/design/customer-words.md`).

They may be known and shown to the customer, but no condition and no score may read them; neither may the comparison of
who is who, and nothing of them is lent to somebody who is probably the same person.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog.document import Document
from engine.catalog.problems import Loc, Problem
from engine.values.paths import overlap


def problems(document: Document) -> Iterator[Problem]:
    """A problem for each condition and each score that reads a trait on the list of `consent.yaml`, or a part of
    one."""
    consent = document.get("consent.yaml")
    listed = consent.get("sensitive") if isinstance(consent, Mapping) else None
    sensitive = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    if not sensitive:
        return
    for loc, trait in _of_matching(document):
        name = next((name for name in sensitive if overlap(name, trait)), None)
        if name is not None:
            yield Problem("identity.yaml", loc, f"{name!r} is sensitive (consent.yaml): nobody is recognised by it")
    for file, written in document.items():
        if not file.startswith("templates/"):
            for loc, trait in _traits(written, ()):
                name = next((name for name in sensitive if overlap(name, trait)), None)
                if name is not None:
                    yield Problem(file, loc, f"{name!r} is sensitive (consent.yaml): nothing may be decided by it")


def _of_matching(document: Document) -> Iterator[tuple[Loc, str]]:
    """The traits that people are compared by, and those that are lent on account of that."""
    matching = _mapping(_mapping(document.get("identity.yaml")).get("matching"))
    lists: dict[Loc, Any] = {
        ("matching", "fields", name): listed for name, listed in _mapping(matching.get("fields")).items()
    }
    lists["matching", "personalise", "traits"] = _mapping(matching.get("personalise")).get("traits")
    for loc, listed in lists.items():
        for place, trait in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(trait, str):
                yield (*loc, place), trait


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _traits(data: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """The traits that conditions (`trait: {name: …}`) and scores (`propensity: {trait: …}`) name."""
    if not isinstance(data, Mapping | list):
        return
    for key, value in data.items() if isinstance(data, Mapping) else enumerate(data):
        at = (*loc, key)
        if key == "trait" and isinstance(value, str):
            yield at, value
        elif key == "trait" and isinstance(value, Mapping) and isinstance(value.get("name"), str):
            yield (*at, "name"), value["name"]
        else:
            yield from _traits(value, at)
