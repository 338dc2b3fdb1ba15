"""Notices that a shard, the dispatcher or the process of a pinned profile was started again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path


class PartStarts:
    """Each part writes its process id beside its socket; `note` is told of one that has changed."""

    def __init__(self, sockets: Path, note: Callable[..., None]) -> None:
        self._sockets, self._note = sockets, note
        self._known: dict[str, str] = {}

    def look(self) -> None:
        """Look once."""
        for file in self._sockets.glob("*.pid"):
            with contextlib.suppress(OSError):
                process = file.read_text()
                if process != self._known.setdefault(file.stem, process):
                    self._note("part_restarted", "warning", part=file.stem, pid=int(process.split()[0]))
                self._known[file.stem] = process
