"""Checks models of matching before anybody is compared by them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from engine.catalog.document import Document
from engine.catalog.problems import Problem
from engine.errors import InvalidInput
from engine.matching import model as models

_IDENTITY: Final = "identity.yaml"


def matching_model_problems(document: Document, file: str) -> Iterator[Problem]:
    """The faults of a model's file: identity.yaml does not name it, or it is none."""
    data = document[file]
    if _named(document) != file:
        yield Problem(file, ("file",), f"{_IDENTITY} does not name it: matching: {{model: {file.rpartition('/')[2]}}}")
    if not isinstance(data, bytes):
        yield Problem(file, ("file",), "should be the bytes of a model")
        return
    try:
        models.read(data)
    except InvalidInput as error:
        yield Problem(file, ("file",), error.message)


def missing_model_problems(document: Document, unread: Collection[str]) -> Iterator[Problem]:
    """The fault that identity.yaml names a model without a file."""
    file = _named(document)
    if file and file not in document and file not in unread:
        yield Problem(_IDENTITY, ("matching", "model"), f"there is no file {file}")


def _named(document: Document) -> str:
    """The file of the model that identity.yaml names; empty where it names none."""
    written = document.get(_IDENTITY)
    matching = written.get("matching") if isinstance(written, Mapping) else None
    name = matching.get("model") if isinstance(matching, Mapping) else None
    return f"models/{name}" if isinstance(name, str) and name else ""
