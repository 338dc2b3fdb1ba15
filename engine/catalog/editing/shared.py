"""Finds what an edit changes for everybody inside a journey at once: segments and suppression rules that it asks for.

These are the workspace's and not the journey's. Whatever version a run is in, they are those of the active catalog, as
caps and consent are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.catalog.document import Document, actions, in_folder, texts

_Part = tuple[str, str]  # `segment` or `suppression`, and its name
_KINDS: Final = ("segment", "suppression")
_OF_RUNS: Final = ("steps", "stops")  # a trigger is asked of nobody who is inside


def changed(was: Document, following: Document) -> dict[str, list[str]]:
    """What changes under the steps and stops of each journey, as `segment vip`; journeys without such are left out."""
    moved = _moved(was, following)
    if not moved:
        return {}
    found: dict[str, set[_Part]] = {}
    for document in (was, following):
        for journey in in_folder(document, "journeys").values():
            if asked := moved & set(_asked_by(document, journey)):
                found.setdefault(str(journey.get("id")), set()).update(asked)
    return {journey: [" ".join(part) for part in sorted(parts)] for journey, parts in found.items()}


def _moved(was: Document, following: Document) -> set[_Part]:
    """The parts that are not as they were, with those that are made of them."""
    before, after = _parts(was), _parts(following)
    moved = {part for part in before.keys() | after.keys() if before.get(part) != after.get(part)}
    while more := {
        part
        for parts in (before, after)
        for part, written in parts.items()
        if part not in moved and moved & set(_asked(written))
    }:
        moved |= more
    return moved


def _parts(document: Document) -> dict[_Part, Any]:
    segments = (document.get("segments.yaml") or {}).get("segments") or {}
    rules = (document.get("policies.yaml") or {}).get("suppress") or []
    return {("segment", name): written for name, written in segments.items()} | {
        ("suppression", str(rule.get("id"))): rule for rule in rules
    }


def _asked_by(document: Document, journey: Mapping[str, Any]) -> Iterator[_Part]:
    own = [journey.get(key) for key in _OF_RUNS]
    yield from _asked(own)
    known = actions(document)
    for name in {text for _, text in texts(own, ())} & known.keys():
        # Rules of suppression are a part of an action's own condition, which stays that of the run's version.
        yield from (part for part in _asked(known[name].get("eligible")) if part[0] == "segment")


def _asked(data: Any) -> Iterator[_Part]:
    """The parts that conditions, waits and stops name."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key in _KINDS:
                yield from ((key, name) for _, name in texts(value, ()))
            yield from _asked(value)
    elif isinstance(data, list):
        for value in data:
            yield from _asked(value)
