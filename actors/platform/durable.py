"""The one way to write a file or a folder that must survive a power cut.

The whole content goes to a new file beside its place, is synced, takes the place at once, and then the folder is
synced: a name is a part of its folder, and a power cut can take back one that was not. Whoever reads finds the old
content or the new one, never a part of either. A new folder is nothing but a name, and so is one that goes.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

OWNER_ONLY = 0o600
_CHUNK_BYTES = 1 << 20


def write(path: Path, content: bytes | str, mode: int = OWNER_ONLY) -> None:
    """Put `content` at `path`, whatever is there; durable on return. OSError where the disk does not take it: then
    what was there is as it was."""
    _put(io.BytesIO(content.encode() if isinstance(content, str) else content), path, mode)


def copy(source: Path, target: Path, mode: int = OWNER_ONLY) -> None:
    """The same with the content of another file."""
    with source.open("rb") as file:
        _put(file, target, mode)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Have a folder, and those that it lies in; durable on return, also where somebody who was killed has made it."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in (*reversed(missing), path):
        folder.mkdir(mode=mode, exist_ok=True)
    for folder in missing[1:]:
        sync_folder(folder)
    with contextlib.nullcontext() if missing else contextlib.suppress(PermissionError):  # somebody else's, and no news
        sync_folder((missing[-1] if missing else path).parent)


def remove_folder(path: Path) -> None:
    """Have nothing there any more; no power cut brings it back."""
    if path.exists():
        shutil.rmtree(path)
        sync_folder(path.parent)


def drop_folder(path: Path) -> None:
    """The same for what nobody needs; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        remove_folder(path)


def move(source: Path, target: Path) -> None:
    """Give what is at `source` the name `target`; durable on return."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def sync_file(path: Path) -> None:
    """Make a file that somebody else has written durable. Its name is so when its folder is."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _put(content: IO[bytes], path: Path, mode: int) -> None:
    opened, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".new")
    try:
        with os.fdopen(opened, "wb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
