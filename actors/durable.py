"""The one way to write a file that must survive a power cut.

The whole content goes to a new file beside its place, is synced, takes the place at once, and then the folder is
synced: a name is a part of its folder, and a power cut can take back one that was not. Whoever reads finds the old
content or the new one, never a part of either.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

OWNER_ONLY = 0o600


def write(path: Path, content: bytes | str, mode: int = OWNER_ONLY) -> None:
    """Put `content` at `path`, whatever is there; durable on return. OSError where the disk does not take it: then
    what was there is as it was."""
    opened, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".new")
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


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
