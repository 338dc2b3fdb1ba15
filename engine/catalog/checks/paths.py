"""Finds paths that lead nowhere: with braces, with a root too many, or with a $ that begins no fact."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.catalog.checks.known_names import planned, uses
from engine.catalog.document import Document
from engine.catalog.models import Models
from engine.catalog.problems import Loc, Problem
from engine.conditions.binding import ACTION_FACT, EVENT_FACT
from engine.values.nearest import nearest

_ROOTS: Final = frozenset(("event", "properties", "traits", "context"))
_FACT: Final = re.compile(r"\$([A-Za-z_]+)\.\S+")


def path_problems(document: Document, models: Models) -> Iterator[Problem]:
    """Paths with braces or a blank at an end: no client sends such a name."""
    for use in uses(document):
        name = use.name
        if use.kind != "event" and (re.search(r"[{}]", name) or any(part != part.strip() for part in name.split("."))):
            bare = _bare(re.sub(r"[{}\s]", "", name))
            yield Problem(use.file, use.loc, f"a path is written without braces and blanks: {bare}")


def path_doubts(document: Document, models: Models) -> Iterator[Problem]:
    """Paths that begin with the root at which they are looked up anyway, and words with a $ that are no facts."""
    plan = planned(document)
    for use in uses(document):
        right = without_root(use.name) if use.kind != "event" else ""
        if right and not _is_planned(plan.get(use.event), use.name):
            home = "traits" if use.kind == "trait" else "the properties of the event"
            message = f"paths begin in {home} already, so {use.name!r} is hardly there: write {right}"
            yield Problem(use.file, use.loc, message)
    for file, data in document.items():
        if not file.startswith("templates/") and file != "tracking_plan.yaml":
            yield from _of_facts(file, data, ())


def without_root(path: str) -> str:
    """The path without a root too many; empty where it begins with none."""
    return _bare(path) if path.split(".")[0] in _ROOTS and "." in path else ""


def _bare(path: str) -> str:
    parts = path.split(".")
    while len(parts) > 1 and parts[0] in _ROOTS:
        parts = parts[1:]
    return ".".join(parts)


def _is_planned(schema: Any, path: str) -> bool:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    return isinstance(properties, Mapping) and path.split(".")[0] in properties


def _of_facts(file: str, data: Any, loc: Loc) -> Iterator[Problem]:
    if isinstance(data, Mapping | list):
        for key, value in data.items() if isinstance(data, Mapping) else enumerate(data):
            if key not in ("variants", "because"):
                yield from _of_facts(file, value, (*loc, key))
        return
    found = _FACT.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        return
    if data.startswith(EVENT_FACT):
        right = without_root(data.removeprefix(EVENT_FACT))
        if right:
            message = f"{EVENT_FACT} leads into the properties already, so {data} is hardly there: write {EVENT_FACT}"
            yield Problem(file, loc, f"{message}{right}")
    elif not data.startswith(ACTION_FACT):
        rest = data.partition(".")[2]
        near = nearest(found[1], ("action", "event")) or "event"
        message = f"{data} is no fact but a text: facts begin with {ACTION_FACT} or {EVENT_FACT}, as in ${near}.{rest}"
        yield Problem(file, loc, message)
