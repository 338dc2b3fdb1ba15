"""Which catalogs were active before, so that one command can go back: a small file beside the active catalog."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from actors.platform import durable

KEPT: Final = 20


class FormerCatalogs:
    """The versions whose files were replaced, the newest last. A file that is lost or damaged is as good as empty: a
    version can still be named."""

    def __init__(self, active: Path) -> None:
        self._path = active.with_name(f"{active.name}.former")

    def versions(self) -> list[str]:
        """The versions, the newest last."""
        try:
            found = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return []
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []

    def add(self, version: str) -> None:
        """The files of this version are about to be replaced; durable on return. OSError where the disk takes no
        more."""
        kept = [each for each in self.versions() if each != version]
        durable.write(self._path, json.dumps([*kept, version][-KEPT:]))

    def before(self, active: str) -> str:
        """The version to go back to from the active one; empty where there is none."""
        return next((each for each in reversed(self.versions()) if each != active), "")
