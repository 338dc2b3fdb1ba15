"""The document as it was written: plain data by file name, before any model has judged it.

These functions leave out parts of a wrong shape silently, because the model of their file complains about them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from engine.catalog import zones
from engine.catalog.problems import Loc
from engine.errors import CatalogError
from engine.vocabulary import NAMESPACES

Document = Mapping[str, Any]


def canonical(document: Document) -> bytes:
    """The document's one spelling: msgpack with sorted keys, from which its version is taken."""
    try:
        if not all(isinstance(file, str) for file in document):
            raise TypeError("a file's name is a text")
        return msgspec.msgpack.encode(document, order="deterministic")
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise CatalogError((f"document: not plain data: {error}",)) from None


def version_of(document_bytes: bytes) -> str:
    """16 hex digits that stand for the document and for the time zones that it is read with: other zones can mean other
    instants, so they make another version."""
    return hashlib.blake2b(document_bytes + zones.VERSION.encode(), digest_size=8).hexdigest()


def items(document: Document, file: str, *path: str) -> list[tuple[int, Mapping[str, Any]]]:
    """The mappings in a list of a file, with their positions."""
    listed = document.get(file)
    for key in path:
        listed = listed.get(key) if isinstance(listed, Mapping) else None
    return [(i, item) for i, item in enumerate(listed) if isinstance(item, Mapping)] if isinstance(listed, list) else []


def by_id(document: Document, file: str, key: str) -> dict[str, Mapping[str, Any]]:
    """The same by their ids."""
    return {item["id"]: item for _, item in items(document, file, key) if isinstance(item.get("id"), str)}


def in_folder(document: Document, folder: str) -> dict[str, Mapping[str, Any]]:
    """The mappings in the files of a folder, by file."""
    return {
        file: data for file, data in document.items() if file.startswith(folder + "/") and isinstance(data, Mapping)
    }


def actions(document: Document) -> dict[str, Mapping[str, Any]]:
    """Every action by its id."""
    return {data["id"]: data for data in in_folder(document, "actions").values() if isinstance(data.get("id"), str)}


def channels_of(action: Mapping[str, Any]) -> list[str]:
    """The channels that an action names."""
    named = action.get("channels")
    return [channel for channel in named if isinstance(channel, str)] if isinstance(named, list) else []


def names(document: Document, unread: Collection[str]) -> dict[str, Collection[str]]:
    """The names that there are, by kind. A kind whose file could not be read is left out."""
    homes: dict[str, tuple[str, Collection[str]]] = {
        "action": ("actions", actions(document)),
        "channel": ("channels.yaml", by_id(document, "channels.yaml", "channels")),
        "model": ("models", [str(data.get("id")) for data in in_folder(document, "models").values()]),
        "namespace": ("identity.yaml", {*NAMESPACES, *_keys(document, "identity.yaml", "namespaces")}),
        "placement": ("placements.yaml", by_id(document, "placements.yaml", "placements")),
        "purpose": ("consent.yaml", _keys(document, "consent.yaml", "purposes")),
        "segment": ("segments.yaml", _keys(document, "segments.yaml", "segments")),
        "suppression": ("policies.yaml", by_id(document, "policies.yaml", "suppress")),
    }
    lost = {file.partition("/")[0] for file in unread}
    return {kind: found for kind, (home, found) in homes.items() if home not in lost}


def texts(data: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """Every text in `data`, which stands at `loc`, with its place."""
    if isinstance(data, str):
        yield loc, data
    elif isinstance(data, Mapping | list):
        for key, value in data.items() if isinstance(data, Mapping) else enumerate(data):
            yield from texts(value, (*loc, key))


def _keys(document: Document, file: str, key: str) -> list[str]:
    data = document.get(file)
    named = data.get(key) if isinstance(data, Mapping) else None
    return [name for name in named if isinstance(name, str)] if isinstance(named, Mapping) else []
