"""Ray's session folders. Of each engine the newest two stay: this one's and the one before. Other engines' are not
touched.

A session is marked with the data directory that it ran on. A process that holds the lock of that directory may remove
its former sessions, because none of them can be alive.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

MARK = "segue-data"
_KEPT = 1  # of the former ones, so that an operator can find out how the last one ended


def mark(session: str, data: Path) -> None:
    """Write down to which engine a session belongs."""
    with contextlib.suppress(OSError):
        (Path(session) / MARK).write_text(str(data), "utf-8")


def forget_former(ray_folder: Path, data: Path) -> int:
    """Remove the former sessions of an engine whose data directory the caller holds, before a new one begins; returns
    how many there were."""
    own = sorted(found.parent for found in ray_folder.glob(f"session_*/{MARK}") if _is_of(found, data))
    former = own[: max(0, len(own) - _KEPT)]
    for session in former:
        if not session.is_symlink():
            shutil.rmtree(session, ignore_errors=True)
    return len(former)


def _is_of(found: Path, data: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return not found.parent.is_symlink() and found.read_text("utf-8") == str(data)
    return False
