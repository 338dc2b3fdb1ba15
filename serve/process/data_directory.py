"""The directory in which an engine keeps everything: its lock, its secrets, its shards.

`LOCK` is held by the engine that runs here; a dead engine holds nothing. `engine.json` has the format, the number of
shards and the kind of clock, fixed at the first start, and says what must be there (`actors.storage.inventory`).
`id.key` is the workspace's secret for ids and tokens, `engine.key` wraps the keys of profiles, which are in `vault/`;
`keys.json` has the hashes of the keys that clients present; all of them have mode 0600. `catalog` is what the engine
runs by. `shard-NNN/` is one store a shard, `pin-ID/` one of a pinned profile.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from actors.platform import durable
from actors.storage import inventory, store_folders
from engine.errors import Corrupt, UsageError
from engine.seeds import FIXED_KEY
from serve.http import auth
from serve.process.settings import Settings

UPGRADED = (1, 2)  # formats that the next start brings to the present one
_REWRITTEN = 1  # the one whose stores have to be rewritten for that


class DataDirectory:
    """A data directory that this process holds the lock of."""

    def __init__(self, settings: Settings) -> None:
        """Make or open it. UsageError where it cannot be written, another engine runs here, or it was made
        otherwise; Corrupt where something that it must hold is missing or damaged."""
        self.path = settings.data
        self._lock = lock(self.path)
        try:
            self._facts = self._opened(settings)
            self.id_key = id_key_of(self.path, settings.id_key, self._facts)
            self.engine_key = engine_key_of(self.path, settings.engine_key, self._facts)
            self._check_keys()
        except BaseException:  # Ctrl-C too: the caller never gets this object, and could not release the lock
            self.release()
            raise

    def shard_path(self, number: int) -> Path:
        """Where a shard keeps its store."""
        return store_folders.shard_path(self.path, number)

    @property
    def vault_path(self) -> Path:
        """The folder of the key files."""
        return self.path / "vault"

    @property
    def vault_base(self) -> int:
        """Shard n makes its keys in file `vault_base` + n."""
        return int(self._facts.get("vault_base", 0))

    @property
    def is_old(self) -> bool:
        """Whether the stores are of a format that has to be rewritten."""
        return bool(self._facts["format"] == _REWRITTEN)

    def upgraded(self) -> None:
        """All stores are in the present format now."""
        self._put({"format": inventory.FORMAT, "vault_base": self.vault_base})
        self._check_keys()

    def settle(self) -> None:
        """Make the stores and key files that are missing at a first start, and write down which must be there from now
        on."""
        from actors.storage.store import RocksStore  # opens RocksDB, which only the first start needs here
        from actors.storage.vault import FileVault

        known = self._facts.get("stores", {})
        try:
            for number in range(self._facts["shards"]):
                if not known.get(inventory.shard_name(number)):
                    RocksStore(self.shard_path(number)).close()
                FileVault(self.vault_path, self.engine_key, self.vault_base + number).close()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror}", "--data") from error
        self._put(
            {
                "stores": inventory.stores_in(self.path, self._facts["shards"]),
                "vault": inventory.key_files_in(self.path),
            }
        )

    @property
    def catalog_path(self) -> Path:
        """The catalog that the engine runs by."""
        return self.path / "catalog"

    def missing_catalog(self) -> list[str]:
        """A notice where the active catalog's file has gone; the first shard's copy takes its place."""
        was_there = "catalog" in self._facts.get("files", ())
        return [f"{self.catalog_path}: is missing; what the first shard went by takes its place"] if was_there else []

    def rely_on(self, name: str) -> None:
        """From now on this small file must be there."""
        self._put({"files": sorted({*self._facts.get("files", ()), name})})

    def release(self) -> None:
        """Let another engine have it."""
        self._lock.close()

    def _opened(self, settings: Settings) -> inventory.Facts:
        """What engine.json says, made where nothing is there yet; all that it names is there."""
        wanted: dict[str, Any] = {"shards": settings.shards, "clock": settings.clock}
        if not (self.path / inventory.FILE).exists():
            left = inventory.others(self.path)
            if left:
                raise Corrupt(f"is missing, and {', '.join(left[:3])} is there", str(self.path / inventory.FILE))
            made = {"format": inventory.FORMAT} | wanted | {"vault_base": 0}
            inventory.write(self.path, made)
            return made
        made = _settled(self.path)
        flags = {"shards": "--shards", "clock": "--clock"}
        for name, value in wanted.items():
            if made.get(name) != value:
                raise UsageError(f"{self.path} was made with {name} {made.get(name)}, not {value}", flags[name])
        if made["format"] not in (inventory.FORMAT, *UPGRADED):
            raise UsageError(f"{self.path} was made with format {made['format']}, not {inventory.FORMAT}", "--data")
        return made

    def _check_keys(self) -> None:
        """Corrupt where a key is not that of the first start: another id key would turn every customer into a new one,
        and another engine key would open no profile."""
        fresh = {}
        for name, key in (("id", self.id_key), ("engine", self.engine_key)):
            _check_secret(self.path, name, key, self._facts)
            if f"{name}_key_check" not in self._facts:
                fresh[f"{name}_key_check"] = inventory.check_of(key)
        if self._facts["format"] == inventory.FORMAT:
            self._put(fresh)
        elif "id_key_check" in fresh:
            self._put({"id_key_check": fresh["id_key_check"]})

    def _put(self, more: dict[str, Any]) -> None:
        changed = self._facts | more
        if changed != self._facts:
            inventory.write(self.path, changed)
            self._facts = changed


def _check_secret(path: Path, name: str, key: bytes, facts: inventory.Facts) -> None:
    """Corrupt where this is not the `id` or `engine` key of the first start."""
    if facts.get(f"{name}_key_check", inventory.check_of(key)) != inventory.check_of(key):
        reason = f"or SEGUE_{name.upper()}_KEY is not the {name} key that this data was made with"
        raise Corrupt(reason, str(path / f"{name}.key"))


def faults_of_small_files(
    path: Path, facts: inventory.Facts, id_key: str | None, engine_key: str | None
) -> Iterator[str]:
    """What is wrong with the secrets of a data directory and with the keys of its clients, as `file: message`."""
    for name, read, given in (("id", id_key_of, id_key), ("engine", engine_key_of, engine_key)):
        try:
            _check_secret(path, name, read(path, given, facts), facts)
        except Corrupt as error:
            yield str(error)
    try:
        auth.known(path / "keys.json")
    except UsageError as error:
        yield str(error)


def _settled(path: Path) -> inventory.Facts:
    """The facts of a directory. An interrupted switch of stores is finished first, and the format is the present one,
    unless stores have to be rewritten. Corrupt where something that the directory must hold is missing."""
    inventory.read(path)  # raises where engine.json is damaged, before anything is moved
    store_folders.finish_switch(path)
    made = inventory.read(path)  # the switch may have put another one in its place
    if made["format"] in UPGRADED:
        made = _upgraded(path, made)
    inventory.check(path, made)
    return made


def _upgraded(path: Path, made: inventory.Facts) -> inventory.Facts:
    """Bring a directory from before there was an inventory to the present format.

    Nothing says what must be there, so engine.json and the files that are there are believed as far as they agree: once
    anything was written, every shard and its key file must be there. New keys go to new files, because in the old ones
    the number of a slot is its nonce.
    """
    used = bool([*path.glob("shard-*/CURRENT"), *path.glob("vault/keys-*")])
    if used:
        stores = {inventory.shard_name(number): "" for number in range(made["shards"])}
        base = made.get("vault_base", 0)
        numbers = range(base, base + made["shards"]) if made["format"] != _REWRITTEN else ()
        inventory.check(path, {"stores": stores, "vault": {inventory.key_file_name(number): 0 for number in numbers}})
    has_keys = any(path.glob("vault/keys-*"))
    made = made | {"vault_base": made.get("vault_base", 0) + made["shards"] * has_keys}
    if made["format"] != _REWRITTEN:
        made["format"] = inventory.FORMAT
    if used and made["format"] == inventory.FORMAT:
        made |= {"stores": inventory.stores_in(path, made["shards"]), "vault": inventory.key_files_in(path)}
    inventory.write(path, made)
    return made


def id_key_of(path: Path, given: str | None, facts: inventory.Facts | None = None) -> bytes:
    """The workspace's secret for ids: `SEGUE_ID_KEY`, else the directory's own, made where there has never been one; a
    fixed one on a replay clock."""
    made = inventory.read(path) if facts is None else facts
    if given is not None:
        raw = given.encode()
        if not 16 <= len(raw) <= 64:
            raise UsageError("must have 16 to 64 bytes", "SEGUE_ID_KEY")
        return raw
    if made["clock"] == "replay":
        return FIXED_KEY
    return _secret(path / "id.key", is_known="id_key_check" in made, needed_by="shard-*")


def engine_key_of(path: Path, given: str | None, facts: inventory.Facts | None = None) -> bytes:
    """The 32 bytes that wrap the keys of profiles: `SEGUE_ENGINE_KEY` (64 hex digits), else the directory's own,
    made where there has never been one."""
    if given is None:
        made = inventory.read(path) if facts is None else facts
        return _secret(path / "engine.key", is_known="engine_key_check" in made, needed_by="vault/keys-*")
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
    if not path.is_dir() or not ((path / inventory.FILE).exists() or inventory.others(path)):
        raise UsageError(f"{path} is no data directory", "--data")
    with lock(path):
        made = inventory.read(path)
        store_folders.finish_switch(path)
        made = inventory.read(path)
        if made["format"] not in inventory.SAME_STORES:
            raise UsageError(f"{path} was made with format {made['format']}, not {inventory.FORMAT}", "--data")
        inventory.check(path, made)
        yield made


def _secret(path: Path, *, is_known: bool, needed_by: str) -> bytes:
    """A file of 64 hex digits that only we may read; made where nothing was written under another one yet."""
    if not path.exists():
        if is_known or any(path.parent.glob(needed_by)):
            raise Corrupt(f"is missing, and {needed_by} cannot be read without it", str(path))
        durable.write(path, secrets.token_hex(32))
    try:
        text = path.read_bytes()
    except OSError as error:
        raise Corrupt(f"cannot be read: {error.strerror}", str(path)) from None
    if re.fullmatch(rb"[0-9a-f]{64}\s*", text) is None:
        raise Corrupt("is damaged: it should be 64 hex digits", str(path))
    return bytes.fromhex(text.decode())


def lock(path: Path) -> IO[str]:
    """Hold the directory until the file is closed; UsageError where somebody else does, or it cannot be written.

    From then on this process makes files and directories that no other user may read, and the directory itself is one.
    """
    os.umask(0o077)
    try:
        durable.make_folder(path)
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
