"""A power cut for real files: the content of a folder on a disk that has kept only what was synced.

POSIX promises no more than that: the bytes of a file as they were at its last fsync, and the names of a folder as they
were at the folder's last fsync. A disk may have kept more, in any order: names before the bytes that they lead to, or
all. RocksDB syncs by itself, past Python, so a store counts as synced whole. The name of the store is an entry of its
folder, as every other name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest

_STORE = "CURRENT"  # a folder with such a file is RocksDB's
_STEPS: Final = ("open", "fchmod", "fsync", "fdatasync", "replace", "rename", "unlink")  # between which power may fail

# What is found after a cut, beside what was synced: nothing else, all names, or everything.
Kept = Literal["synced", "names", "all"]
KEPT: Final[tuple[Kept, ...]] = ("synced", "names", "all")


class Disk:
    """Watches every sync of this process below `root`, which is there already when it begins."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.root = root
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, int]] = {root.stat().st_ino: {}}
        self._held: list[int] = []  # so that no number of a file is used again
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._watching(getattr(os, name)))

    def cut(self, into: Path, kept: Kept = "synced") -> Path:
        """Write the folder as it would be after a power cut now to `into`."""
        if kept == "all":
            return Path(shutil.copytree(self.root, into))
        self._rebuild(self.root, self.root.stat().st_ino, into, are_names_kept=kept == "names")
        return into

    @contextlib.contextmanager
    def cuts(self, into: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Kept, Path]]]:
        """The folder as it would be after a power cut before and after each step of the body, in order."""
        found: list[tuple[Kept, Path]] = []
        is_cutting = False

        def cut() -> None:
            nonlocal is_cutting
            if not is_cutting:
                is_cutting = True
                found.extend((kept, self.cut(into / str(len(found) + i), kept)) for i, kept in enumerate(KEPT))
                is_cutting = False

        def stepping(step: Callable[..., Any]) -> Callable[..., Any]:
            def stepped(*arguments: Any, **options: Any) -> Any:
                cut()
                try:
                    return step(*arguments, **options)
                finally:
                    cut()

            return stepped

        with monkeypatch.context() as watched:
            for name in _STEPS:
                watched.setattr(os, name, stepping(getattr(os, name)))
            yield found

    def close(self) -> None:
        """Let go of the files."""
        for held in self._held:
            os.close(held)

    def _watching(self, sync: Callable[[int], None]) -> Callable[[Any], None]:
        def watched(file: Any) -> None:
            number = file if isinstance(file, int) else file.fileno()
            sync(number)
            self._keep(Path(f"/proc/self/fd/{number}").readlink(), number)

        return watched

    def _keep(self, path: Path, number: int) -> None:
        found = os.fstat(number)
        self._held.append(os.dup(number))
        if path.is_dir():
            self._folders[found.st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            with open(f"/proc/self/fd/{number}", "rb") as again:  # noqa: PTH123
                self._files[found.st_ino] = again.read()

    def _rebuild(self, path: Path, node: int, target: Path, *, are_names_kept: bool = False) -> None:
        """`path` is where the folder is today: that tells which of its names are folders."""
        target.mkdir(parents=True, exist_ok=True)
        today = {entry.inode(): Path(entry.path) for entry in self._all()}
        names = self._folders.get(node, {})
        if are_names_kept:
            names = {entry.name: entry.inode() for entry in os.scandir(path)}
        for name, inner in names.items():
            place = today.get(inner)
            if place is not None and place.is_dir():
                if (place / _STORE).exists():
                    shutil.copytree(place, target / name)
                else:
                    self._rebuild(place, inner, target / name, are_names_kept=are_names_kept)
            elif place is not None or inner in self._files:
                (target / name).write_bytes(self._files.get(inner, b""))

    def _all(self) -> list[os.DirEntry[str]]:
        found, folders = [], [str(self.root)]
        while folders:
            entries = list(os.scandir(folders.pop()))
            found += entries
            folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        return found
