"""What RocksDB's complaints mean: whose fault it is, whether it passes, and which file is at fault."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import Corrupt, NotReady, UsageError


class InUse(UsageError):
    """Another process has the store open."""

    code = "in_use"


def opening_error(path: Path, error: Exception) -> Exception:
    """Why a store cannot be opened: in use, no right, no room, or damaged."""
    text = str(error)
    if "LOCK" in text or "lock hold" in text:
        return InUse(f"another engine has {path} open")
    if "No space left" in text or "Disk quota" in text or "File too large" in text:
        return NotReady(f"the disk takes no more: {text}")
    if "Permission denied" in text or isinstance(error, OSError):
        return UsageError(f"{path} cannot be written: {text}")
    return damage(path, error)


def damage(path: Path, error: Exception) -> Corrupt:
    """What RocksDB said, with the file that it is about; of a broken log it does not say which."""
    text = " ".join(str(error).split())
    named = re.search(r"\d{6,}\.(?:sst|log)|MANIFEST-\d+|CURRENT", text)
    file = path / named[0] if named else newest_log(path)
    reason = re.sub(r" The file \S+ may be corrupted\.?$", "", text).removeprefix("Corruption: ")
    return Corrupt(f"is damaged: {reason}", str(file))


def newest_log(path: Path) -> Path:
    """The write-ahead log that was written last, one that holds something first; the store where there is none."""
    logs = sorted(path.glob("*.log"), key=lambda file: (file.stat().st_size > 0, file.name))
    return logs[-1] if logs else path
