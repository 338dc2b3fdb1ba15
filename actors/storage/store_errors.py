"""Turns RocksDB's errors into ours: whose fault it is, whether it passes, and which file is at fault."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path

from actors.platform import logs
from engine.errors import Corrupt, InUse, NotReady, StoreFailed, UsageError

WOUNDED: set[Path] = set()  # stores in which RocksDB has met damage while it rewrote files, in this process
_CONFIG = {"raw_mode": True, "prefix_extractors": {}}

log = logging.getLogger(__name__)


def opening_error(path: Path, error: Exception) -> Exception:
    """The reason why a store cannot be opened: it is in use, there is no right or no room, or it is damaged."""
    text = str(error)  # rocksdict raises plain exceptions, so only their words tell them apart
    if "LOCK" in text or "lock hold" in text:
        return InUse(f"another engine has {path} open")
    if "No space left" in text or "Disk quota" in text or "File too large" in text:
        return NotReady(f"the disk takes no more: {text}")
    if "Permission denied" in text or isinstance(error, OSError):
        return UsageError(f"{path} cannot be written: {text}")
    return damage(path, error)


def damage(path: Path, error: Exception) -> Corrupt:
    """RocksDB's words, with the file that they are about. Words that name no file are about a log, so the newest one is
    named."""
    text = " ".join(str(error).split())
    named = re.search(r"\d{6,}\.(?:sst|log)|MANIFEST-\d+|CURRENT", text)
    file = path / named[0] if named else newest_log(path)
    reason = re.sub(r" The file \S+ may be corrupted\.?$", "", text).removeprefix("Corruption: ")
    return Corrupt(f"is damaged: {reason}", str(file))


def newest_log(path: Path) -> Path:
    """The newest write-ahead log that is not empty, else the newest; a pattern where there is none."""
    logs = sorted(path.glob("*.log"), key=lambda file: (file.stat().st_size > 0, file.name))
    return logs[-1] if logs else path / "*.log"


def check_config(path: Path) -> None:
    """Corrupt where rocksdict's own file, which says how it encodes keys and values, differs from the one that it
    writes for us."""
    file = path / "rocksdict-config.json"
    try:
        config = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise Corrupt("is missing", str(file)) from None
    except (OSError, ValueError):
        config = None
    if config != _CONFIG:
        raise Corrupt("is damaged", str(file))


def check_there_is_one(path: Path) -> None:
    """Corrupt where there is no store: RocksDB would make a new one there."""
    if not path.is_dir():
        raise Corrupt("is missing, with every customer who lives there", str(path))
    if not (path / "CURRENT").exists():
        raise Corrupt("is missing", str(path / "CURRENT"))


def check_names(path: Path, tables: Iterable[str]) -> None:
    """StoreFailed where a file in use has lost its name. RocksDB would go on writing to it until the process ends."""
    try:
        there = {entry.name for entry in path.iterdir()}
    except OSError:
        there = set()
    for name in ("CURRENT", *(table.lstrip("/") for table in tables)):
        if name not in there:
            raise gone(path / name)
    if not any(name.endswith(".log") for name in there):
        raise gone(path / "*.log")


def gone(file: Path) -> StoreFailed:
    """The error for a file that was there when the store was opened, and has gone since."""
    return StoreFailed(f"{file}: is missing since the engine has opened it; bring it back")


def write_error(path: Path, error: Exception) -> StoreFailed:
    """The reason why a write failed. RocksDB refuses all writes once it has met damage while it rewrote files. The next
    opening in this process then rewrites none, so that undamaged records can still be read."""
    if "Corruption" not in str(error):
        return StoreFailed(f"the disk takes no more: {error}")
    WOUNDED.add(path)
    found = damage(path, error)
    logs.fault(log, "store_damaged", found)
    return StoreFailed(str(found))
