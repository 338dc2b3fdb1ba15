"""The catalogs that edits were made by, kept beside the active one for a shard that was away when they were active.

Each edit that moves or stops somebody is made from the version before it to its own (`engine.catalog.editing`). A shard
that comes back after several edits has to make all of them, so it needs those versions as well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from actors.platform import durable
from engine.catalog.document import version_of
from engine.catalog.schema.files import OPERATOR


class EditedCatalogs:
    """The documents by version, a file each. One that is lost or damaged is as good as none."""

    def __init__(self, active: Path) -> None:
        self._active = active

    def keep(self, was: bytes, document: bytes) -> None:
        """`document` is about to replace `was`: keep that where edits name it; durable on return. OSError where the
        disk takes no more."""
        version = version_of(was)
        if version in edits_of(document):
            durable.write(self._path(version), was)

    def forget(self, was: bytes, document: bytes) -> None:
        """Remove what no edit names any more. Somebody may still be reading `was`."""
        for path in self._active.parent.glob(f"{self._path('').name}*"):
            if path.name.removeprefix(self._path("").name) not in edits_of(was) | edits_of(document):
                path.unlink(missing_ok=True)

    def documents(self, document: bytes) -> Iterator[tuple[str, bytes]]:
        """The catalogs that the edits of a document name, by version."""
        for version in sorted(edits_of(document)):
            with contextlib.suppress(OSError):
                found = self._path(version).read_bytes()
                if version_of(found) == version:
                    yield version, found

    def _path(self, version: str) -> Path:
        return self._active.with_name(f"{self._active.name}.edit-{version}")


def edits_of(document: bytes) -> set[str]:
    """The versions that a document's edits name."""
    words = (msgspec.msgpack.decode(document).get(OPERATOR) or {}).get("journeys", {})
    return {edit["version"] for word in words.values() for edit in word.get("edits", ()) if edit.get("version")}
