"""Finds conditions that need each other in a circle: they have no answer, so a catalog may not have any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.catalog.document import Document
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema.files import Segments
from engine.catalog.schema.grammar import All, Any_, Condition, Not, OfSegment, OfSuppression
from engine.catalog.schema.policies import Policies


def no_circles(document: Document, models: Models) -> Iterator[Problem]:
    """A problem for each segment and each suppression that needs itself, with the way back to it; and for each segment
    that names a suppression."""
    places: dict[str, tuple[str, Loc, Condition]] = {}
    for file, segments in of_kind(models, Segments):
        for name, condition in segments.segments.items():
            places[f"segment {name}"] = (file, ("segments", name), condition)
            for atom in _atoms(condition):
                if isinstance(atom, OfSuppression):
                    message = "a segment is about a customer alone, a suppression is about an action too"
                    yield Problem(file, ("segments", name), message)
    for file, policies in of_kind(models, Policies):
        for i, rule in enumerate(policies.suppress):
            places[f"suppression {rule.id}"] = (file, ("suppress", i, "when"), rule.when)
    needs = {name: _needs(condition) for name, (_, _, condition) in places.items()}
    for name, (file, loc, _) in places.items():
        circle = _way_back(name, needs)
        if circle:
            yield Problem(file, loc, f"goes round in a circle: {' → '.join(circle)}")


def _atoms(condition: Condition) -> Iterator[Condition]:
    match condition:
        case All():
            parts = condition.all
        case Any_():
            parts = condition.any
        case Not():
            parts = [condition.not_]
        case _:
            yield condition
            return
    for part in parts:
        yield from _atoms(part)


def _needs(condition: Condition) -> list[str]:
    found = []
    for atom in _atoms(condition):
        if isinstance(atom, OfSegment):
            found.append(f"segment {atom.segment}")
        elif isinstance(atom, OfSuppression):
            found.append(f"suppression {atom.suppression}")
    return found


def _way_back(start: str, needs: Mapping[str, list[str]]) -> list[str]:
    """A way from `start` to itself, empty if there is none."""
    seen: set[str] = set()
    ways = [[start]]
    while ways:
        way = ways.pop()
        for name in needs.get(way[-1], []):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
