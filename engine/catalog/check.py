"""Everything that can be wrong with a document, found in one go, each problem at its place.

First each file is held against its model. Then the rules that span files run; they read other files as they were
written, not as models, so that a fault in one file hides nothing in another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic_core import ErrorDetails, ValidationError

from engine.catalog import money, zones
from engine.catalog.content import content_problems, template_problems
from engine.catalog.problems import Loc, Problem
from engine.catalog.schema import Action, Model, Policies, Segments, model_of
from engine.catalog.schema_grammar import All, Any_, Condition, Not, OfSegment, OfSuppression
from engine.catalog.schema_journeys import BranchStep, ExitStep, Journey, SendStep, Step, WaitForStep
from engine.vocabulary import NAMESPACES

Document = Mapping[str, Any]
Models = dict[str, Model]

_SECRET_WORDS: Final = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential")


def examine(document: Document, unread: Collection[str] = ()) -> tuple[Models, list[Problem]]:
    """The models of the files that have their right shape, and every problem.

    `unread` names files that exist but could not be read: what refers to them is given the benefit of the doubt.
    """
    names = {kind: found for kind, (home, found) in _names(document).items() if not _is_in(home, unread)}
    models: Models = {}
    problems: list[Problem] = []
    for file, data in document.items():
        if file.startswith("templates/"):
            problems += template_problems(document, file, unread)
            continue
        model = model_of(file)
        if model is None:
            problems.append(Problem(file, (), "no such file belongs to a catalog"))
            continue
        try:
            models[file] = model.model_validate({} if data is None else data, context=names)
        except ValidationError as error:
            problems += [_problem(file, data, details) for details in error.errors(include_url=False)]
    for rule in _RULES:
        problems += rule(document, models)
    for file, action in _of_kind(models, Action):
        problems += content_problems(document, file, action, unread)
    return models, sorted(problems, key=lambda problem: problem.file)


def _is_in(home: str, unread: Collection[str]) -> bool:
    return any(file == home or file.startswith(home + "/") for file in unread)


# Files as they were written


def items(document: Document, file: str, key: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The mappings in a list of a file, with their positions; whatever else stands there is its model's problem."""
    data = document.get(file)
    listed = data.get(key) if isinstance(data, Mapping) else None
    return [(i, item) for i, item in enumerate(listed or ()) if isinstance(item, Mapping)] if isinstance(
        listed, list
    ) else []


def by_id(document: Document, file: str, key: str) -> dict[str, Mapping[str, Any]]:
    """The same by their ids."""
    return {item["id"]: item for _, item in items(document, file, key) if isinstance(item.get("id"), str)}


def in_folder(document: Document, folder: str) -> dict[str, Mapping[str, Any]]:
    """The mappings in the files of a folder, by file."""
    return {f: data for f, data in document.items() if f.startswith(folder + "/") and isinstance(data, Mapping)}


def _keys(document: Document, file: str, key: str) -> set[str]:
    data = document.get(file)
    named = data.get(key) if isinstance(data, Mapping) else None
    return {name for name in named if isinstance(name, str)} if isinstance(named, Mapping) else set()


def _names(document: Document) -> dict[str, tuple[str, Collection[str]]]:
    """Where names of each kind are defined, and which there are."""
    actions = {data["id"] for data in in_folder(document, "actions").values() if isinstance(data.get("id"), str)}
    return {
        "action": ("actions", actions),
        "channel": ("channels.yaml", by_id(document, "channels.yaml", "channels").keys()),
        "namespace": ("identity.yaml", {*NAMESPACES, *_keys(document, "identity.yaml", "namespaces")}),
        "placement": ("placements.yaml", by_id(document, "placements.yaml", "placements").keys()),
        "purpose": ("consent.yaml", _keys(document, "consent.yaml", "purposes")),
        "segment": ("segments.yaml", _keys(document, "segments.yaml", "segments")),
        "suppression": ("policies.yaml", by_id(document, "policies.yaml", "suppress").keys()),
    }
