"""The one way to write a file or a folder that must survive a power cut.

The whole content is written to a new file beside its place and synced. Then that file is renamed, and its folder is
synced: a name belongs to its folder, and a power cut takes back a name whose folder was not synced. A reader finds the
old content or the new one, never a part of either. Making and removing a folder changes names too, so both sync.
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
    """Replace the content of `path` by `content`; durable on return. OSError where the disk does not take it: then the
    old content stays."""
    _put(io.BytesIO(content.encode() if isinstance(content, str) else content), path, mode)


def copy(source: Path, target: Path, mode: int = OWNER_ONLY) -> None:
    """Put a copy of `source` at `target`, as `write` does."""
    with source.open("rb") as file:
        _put(file, target, mode)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make sure that a folder exists, with all folders above it; durable on return. A folder that exists already is
    synced all the same: the process that made it may have been killed before its sync."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in (*reversed(missing), path):
        folder.mkdir(mode=mode, exist_ok=True)
    for folder in missing[1:]:
        sync_folder(folder)
    # The folder above an existing one may belong to another user. Then we cannot sync it, and need not.
    with contextlib.nullcontext() if missing else contextlib.suppress(PermissionError):
        sync_folder((missing[-1] if missing else path).parent)


def remove_folder(path: Path) -> None:
    """Remove a folder with its contents; no power cut brings it back. Does nothing where there is none."""
    if path.exists():
        shutil.rmtree(path)
        sync_folder(path.parent)


def drop_folder(path: Path) -> None:
    """Remove a folder that nobody needs any more. Contents that cannot be removed stay, and are no error."""
    with contextlib.suppress(OSError):
        remove_folder(path)


def move(source: Path, target: Path) -> None:
    """Rename `source` to `target`; durable on return."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def sync_file(path: Path) -> None:
    """Make the content of a file durable that other code has written. Its name needs `sync_folder`."""
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
    # In the same folder, because a rename is atomic only within one file system.
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
