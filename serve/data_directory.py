"""The directory that an engine keeps everything in: its lock, its secrets, its shards.

LOCK          held by the engine that runs here; a dead engine holds nothing engine.json   format, number of shards,
kind of clock: fixed at the first start id.key        the workspace's secret for ids and tokens, mode 0600 keys.json
the hashes of the keys that clients present, mode 0600 shard-NNN/    one store a shard
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

from engine.errors import UsageError
from engine.seeds import FIXED_KEY
from serve.settings import Settings

FORMAT = 1


class DataDirectory:
    """A data directory that this process holds the lock of."""

    def __init__(self, settings: Settings) -> None:
        """Make or open it. UsageError where it cannot be written, another engine runs here, or it was made
        otherwise."""
        self.path = settings.data
        self._lock = _lock(self.path)
        try:
            self._check(settings)
            self.id_key = self._read_id_key(settings)
        except BaseException:
            self.release()
            raise

    def shard_path(self, number: int) -> Path:
        """Where a shard keeps its store."""
        return self.path / f"shard-{number:03d}"

    def release(self) -> None:
        """Let another engine have it."""
        self._lock.close()

    def _check(self, settings: Settings) -> None:
        wanted: dict[str, Any] = {"format": FORMAT, "shards": settings.shards, "clock": settings.clock}
        path = self.path / "engine.json"
        if not path.exists():
            path.write_text(json.dumps(wanted))
            return
        made = json.loads(path.read_text())
        flags = {"format": "--data", "shards": "--shards", "clock": "--clock"}
        for name, value in wanted.items():
            if made.get(name) != value:
                raise UsageError(f"{self.path} was made with {name} {made.get(name)}, not {value}", flags[name])

    def _read_id_key(self, settings: Settings) -> bytes:
        if settings.id_key is not None:
            raw = settings.id_key.encode()
            if not 16 <= len(raw) <= 64:
                raise UsageError("must have 16 to 64 bytes", "SEGUE_ID_KEY")
            return raw
        if settings.clock == "replay":
            return FIXED_KEY
        path = self.path / "id.key"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
        return bytes.fromhex(path.read_text())


def _lock(path: Path) -> IO[str]:
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / "LOCK").open("a+")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "--data") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UsageError(f"an engine already runs on {path}", "--data") from None
    return file
