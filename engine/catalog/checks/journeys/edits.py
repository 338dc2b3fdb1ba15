"""Checks where an edit leads those who are inside: each step that it names has to be there."""

from __future__ import annotations

from collections.abc import Iterator

from engine.catalog.checks.suggest import did_you_mean
from engine.catalog.document import Document
from engine.catalog.models import Models, of_kind
from engine.catalog.problems import Problem
from engine.catalog.programs.layout import flatten
from engine.catalog.schema.journeys import Journey


def edit_problems(document: Document, models: Models) -> Iterator[Problem]:
    """Every step that a mapping leads to, and that its journey does not have. Steps of the version before are not known
    here: a plan says who stands at them."""
    for file, journey in of_kind(models, Journey):
        if not journey.on_edit.map:
            continue
        try:
            known = {step.id for step in flatten(journey.steps) if step.kind not in ("jump", "join")}
        except KeyError:
            continue  # a jump leads nowhere, which is told elsewhere
        for left, right in journey.on_edit.map.items():
            if right not in known:
                message = f"no step of this journey is called {right!r}{did_you_mean(right, known)}"
                yield Problem(file, ("on_edit", "map", left), message)
