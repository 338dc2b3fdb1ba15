"""Makes a data directory from a backup of the stores and the newest copy of the keys. A backup is refused as a whole
where any of its files is not as it was written.

The data directory is made beside its place, and is renamed when it is whole and checked.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from actors.maintenance import manifest
from actors.maintenance.erasure_replay import forget_erased
from actors.maintenance.manifest import Manifest
from actors.maintenance.verify import verify
from actors.platform import durable
from actors.storage import inventory, key_copies
from actors.storage.store import RocksStore
from actors.storage.store_folders import shard_path
from actors.storage.vault import FileVault
from actors.transport.placement import slots_of
from engine.errors import Corrupt, NotReady, UsageError

_PART = ".restoring"

EngineKey = Callable[[Path], bytes]


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore. Where there are `faults`, no data directory was made."""

    manifest: Manifest
    faults: list[str]
    seen: dict[str, int]


def check(directory: Path) -> tuple[Manifest, list[str]]:
    """The manifest of a backup, and every file that is not as it was written. Corrupt where it has none."""
    found = manifest.read(directory)
    return found, list(manifest.faults_of(found, directory))


def restore(directory: Path, keys: Path, data: Path, engine_key: EngineKey) -> Restored:
    """Make `data`, which must not be there or be empty. `engine_key` gives the key of a data directory.

    UsageError says what cannot be used, Corrupt that there is no manifest.
    """
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise UsageError(f"{data} is there already, and not empty", "--data")
    if not keys.is_dir():
        raise UsageError(f"there are no keys in {keys}", "--keys")
    found, faults = check(directory)
    if faults:
        return Restored(found, faults, {})
    part = data.with_name(data.name + _PART)
    shutil.rmtree(part, ignore_errors=True)  # left by a restore that was killed
    try:
        _copy(found, directory, part)
        key_copies.bring(keys, part)
        _describe(found, part)
        faults, seen = _faults_of(found, part, engine_key)
        faults = [_as_given(fault, part, directory, keys) for fault in faults]
        if not faults:
            if data.exists():
                data.rmdir()
            durable.move(part, data)
    except OSError as error:
        raise NotReady(f"{part} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Restored(found, faults, seen)


def _copy(found: Manifest, directory: Path, part: Path) -> None:
    durable.make_folder(part, 0o700)
    for folder in sorted({(part / name).parent for name in found.files}):
        durable.make_folder(folder)
    for name in found.files:
        durable.copy(directory / name, part / name)


def _describe(found: Manifest, part: Path) -> None:
    """Write the inventory: the stores of the backup and the key files of the newest copy. New keys go to new files,
    because the engine that was backed up may have added keys to the old ones since."""
    files = inventory.key_files_in(part)
    numbers = (int(name.rpartition("-")[2]) + 1 for name in files)
    base = max(found.engine.get("vault_base", 0) + len(found.shards), *numbers, 0)
    engine = found.engine | {"vault_base": base}
    if engine["format"] in inventory.SAME_STORES:
        engine |= {
            "format": inventory.FORMAT,
            "stores": inventory.stores_in(part, len(found.shards)),
            "vault": files,
            "files": [name for name in engine.get("files", ()) if name not in inventory.MADE_ANEW],
        }
    engine.pop("check", None)
    inventory.write(part, engine)


def _faults_of(found: Manifest, part: Path, engine_key: EngineKey) -> tuple[list[str], dict[str, int]]:
    """The differences from the manifest, and the faults that `segue verify` finds."""
    paths = [shard_path(part, shard.shard) for shard in found.shards]
    wanted = {"vault": found.engine.get("vault", {}), "files": inventory.read(part).get("files", ())}
    faults = [str(fault) for fault in inventory.faults(part, wanted)]
    if not faults:
        faults += _other_keys(found, part, engine_key)
    if faults:
        return faults, {}
    for shard, path in zip(found.shards, paths, strict=True):
        faults += _uncounted(shard, path, len(paths))
    if faults:
        return faults, {}
    vault = FileVault(part / "vault", engine_key(part))
    try:
        for path in paths:
            _forget_erased(path, vault)
        return verify(paths, vault)
    except (Corrupt, UsageError) as error:
        return [str(error)], {}
    finally:
        vault.close()


def _other_keys(found: Manifest, part: Path, engine_key: EngineKey) -> Iterator[str]:
    """The secrets that are not those of the backup's engine. An old backup may have no digests of them to compare."""
    secrets = {"engine": engine_key(part)}
    if (part / "id.key").exists():
        secrets["id"] = bytes.fromhex((part / "id.key").read_text())
    for name, secret in secrets.items():
        if found.engine.get(f"{name}_key_check", inventory.check_of(secret)) != inventory.check_of(secret):
            yield f"{part / name}.key: is damaged, or of another engine than this backup"


def _as_given(fault: str, part: Path, directory: Path, keys: Path) -> str:
    """A fault that names the file in the backup, not its copy."""
    return fault.replace(f"{part}/shard-", f"{directory}/shard-").replace(f"{part}/", f"{keys}/")


def _forget_erased(path: Path, vault: FileVault) -> None:
    store = RocksStore(path)
    try:
        forget_erased(store, vault)
    finally:
        store.close()


def _uncounted(wanted: manifest.ShardCopy, path: Path, shards: int) -> Iterator[str]:
    store = RocksStore(path)
    try:
        there = manifest.shard_copy(store, wanted.shard, slots_of(wanted.shard, shards))
    finally:
        store.close()
    if there != wanted:
        yield f"{path.name}: holds {there} and not {wanted}"
