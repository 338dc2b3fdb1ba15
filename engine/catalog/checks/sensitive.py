"""Keeps traits that a company says are sensitive (health, religion, origin …) out of decisions
(`docs/design/customer-words.md`).

They may be known and shown to the customer, but no condition and no score may read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.catalog.document import Document
from engine.catalog.problems import Loc, Problem


def problems(document: Document) -> Iterator[Problem]:
    """A problem for each condition and each score that reads a trait on the list of `consent.yaml`, or a part of
    one."""
    consent = document.get("consent.yaml")
    listed = consent.get("sensitive") if isinstance(consent, Mapping) else None
    sensitive = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    for file, written in document.items():
        if sensitive and not file.startswith("templates/"):
            for loc, trait in _traits(written, ()):
                name = next((name for name in sensitive if _overlap(name, trait)), None)
                if name is not None:
                    yield Problem(file, loc, f"{name!r} is sensitive (consent.yaml): nothing may be decided by it")


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


def _overlap(one: str, other: str) -> bool:
    """Whether one dotted path leads to the other, or through it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
