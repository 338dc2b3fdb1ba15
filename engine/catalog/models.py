"""The models of a document's files, by file, and how to pick those of a kind."""

from __future__ import annotations

from typing import TypeVar

from engine.catalog.schema.grammar import Model

Models = dict[str, Model]
AnyModel = TypeVar("AnyModel", bound=Model)


def of_kind(models: Models, kind: type[AnyModel]) -> list[tuple[str, AnyModel]]:
    """The models of one kind, with their files."""
    return [(file, model) for file, model in models.items() if isinstance(model, kind)]
