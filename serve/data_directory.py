"""The directory that an engine keeps everything in: its lock, its secrets, its shards.

`LOCK` is held by the engine that runs here; a dead engine holds nothing. `engine.json` has the format, the number of
shards and the kind of clock, fixed at the first start. `id.key` is the workspace's secret for ids and tokens,
`engine.key` wraps the keys of profiles, which are in `vault/`; `keys.json` has the hashes of the keys that clients
present; all of them have mode 0600. `shard-NNN/` is one store a shard, `pin-ID/` one of a
pinned profile.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from actors import store_folders
from engine.errors import Corrupt, UsageError
from engine.seeds import FIXED_KEY
from serve.settings import Settings

FORMAT = 2
UPGRADED = (1,)  # formats that the next start rewrites


class DataDirectory:
    """A data directory that this process holds the lock of."""

    def __init__(self, settings: Settings) -> None:
        """Make or open it. UsageError where it cannot be written, another engine runs here, or it was made
        otherwise."""
        self.path = settings.data
        self._lock = lock(self.path)
        try:
            self._check(settings)
            self.id_key = id_key_of(self.path, settings.id_key)
            self._check_id_key()
            self.engine_key = engine_key_of(self.path, settings.engine_key)
        except BaseException:
            self.release()
            raise

    def shard_path(self, number: int) -> Path:
        """Where a shard keeps its store."""
        return store_folders.shard_path(self.path, number)

    def upgraded(self) -> None:
        """All stores are in the present format now."""
        self._add_facts({"format": FORMAT, "vault_base": self.vault_base})
        self.is_old = False

    @property
    def vault_path(self) -> Path:
        """The folder of the key files."""
        return self.path / "vault"

    def release(self) -> None:
        """Let another engine have it."""
        self._lock.close()

    def _check(self, settings: Settings) -> None:
        wanted: dict[str, Any] = {"format": FORMAT, "shards": settings.shards, "clock": settings.clock}
        self.vault_base = 0
        self.is_old = False
        path = self.path / "engine.json"
        if not path.exists():
            path.write_text(json.dumps(wanted | {"vault_base": 0}))
            return
        made = _facts(path)  # names a file that is damaged
        store_folders.finish_switch(self.path)
        made = _facts(path)
        self.vault_base = made.get("vault_base", 0)
        self.is_old = made.get("format") in UPGRADED
        if self.is_old:
            made["format"] = FORMAT
        flags = {"format": "--data", "shards": "--shards", "clock": "--clock"}
        for name, value in wanted.items():
            if made.get(name) != value:
                raise UsageError(f"{self.path} was made with {name} {made.get(name)}, not {value}", flags[name])

    def _check_id_key(self) -> None:
        """Another id key would make new customers of all: Corrupt where it is not the one of the first start."""
        check = hashlib.blake2b(self.id_key, digest_size=8).hexdigest()
        known = _facts(self.path / "engine.json").get("id_key_check")
        if known is None:
            self._add_facts({"id_key_check": check})
        elif known != check:
            reason = "or SEGUE_ID_KEY is not the id key that this data was made with"
            raise Corrupt(reason, str(self.path / "id.key"))

    def _add_facts(self, more: dict[str, Any]) -> None:
        path = self.path / "engine.json"
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(json.dumps(_facts(path) | more))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def _facts(path: Path) -> dict[str, Any]:
    """What engine.json says; Corrupt where it cannot be read."""
    try:
        made = json.loads(path.read_bytes())
    except (OSError, ValueError):
        made = None
    known = isinstance(made, dict) and {"format", "shards", "clock"} <= set(made)
    if not known or not isinstance(made.get("vault_base", 0), int):
        raise Corrupt("is damaged", str(path))
    return dict(made)


def id_key_of(path: Path, given: str | None) -> bytes:
    """The workspace's secret for ids: `SEGUE_ID_KEY`, else the directory's own, made where there is none; a fixed one
    on a replay clock."""
    if given is not None:
        raw = given.encode()
        if not 16 <= len(raw) <= 64:
            raise UsageError("must have 16 to 64 bytes", "SEGUE_ID_KEY")
        return raw
    if _facts(path / "engine.json")["clock"] == "replay":
        return FIXED_KEY
    return _secret(path / "id.key", needed_by="shard-*")


def engine_key_of(path: Path, given: str | None) -> bytes:
    """The 32 bytes that wrap the keys of profiles: `SEGUE_ENGINE_KEY` (64 hex digits), else the directory's own,
    made where there is none."""
    if given is None:
        return _secret(path / "engine.key", needed_by="vault/keys-*")
    try:
        key = bytes.fromhex(given)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise UsageError("must be 64 hex digits", "SEGUE_ENGINE_KEY")
    return key


@contextlib.contextmanager
def stopped(path: Path) -> Iterator[dict[str, Any]]:
    """Hold the directory of an engine that does not run; gives its engine.json."""
    if not (path / "engine.json").exists():
        raise UsageError(f"{path} is no data directory", "--data")
    with lock(path):
        _facts(path / "engine.json")
        store_folders.finish_switch(path)
        made = _facts(path / "engine.json")
        if made["format"] != FORMAT:
            raise UsageError(f"{path} was made with format {made['format']}, not {FORMAT}", "--data")
        yield made


def _secret(path: Path, *, needed_by: str) -> bytes:
    """A file of 64 hex digits that only we may read; made where nothing was written under another one yet."""
    if not path.exists():
        if any(path.parent.glob(needed_by)):
            raise Corrupt(f"is missing, and {needed_by} cannot be read without it", str(path))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
    text = path.read_bytes()
    if re.fullmatch(rb"[0-9a-f]{64}\s*", text) is None:
        raise Corrupt("is damaged: it should be 64 hex digits", str(path))
    return bytes.fromhex(text.decode())


def lock(path: Path) -> IO[str]:
    """Hold the directory until the file is closed; UsageError where somebody else does, or it cannot be written.

    From then on this process makes files and directories for its own user alone, and the directory itself is so.
    """
    os.umask(0o077)
    try:
        path.mkdir(parents=True, exist_ok=True)
        _close_to_others(path)
        file = (path / "LOCK").open("a+")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "--data") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UsageError(f"an engine already runs on {path}", "--data") from None
    return file


def _close_to_others(path: Path) -> None:
    found = path.stat()
    if found.st_mode & 0o077 and found.st_uid == os.getuid():
        path.chmod(0o700)
