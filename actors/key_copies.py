"""The keys of a data directory and their copies, which live apart from the backups of its stores.

There is one copy, and the newest replaces it. So an erasure, which destroys a key and leaves the records as they are,
reaches every backup of the stores with the next backup that goes to the same folder of keys.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from actors.store_folders import sync_folder
from engine.errors import InvalidInput, NotReady

_OF_THE_ENGINE = ("engine.key", "id.key")


def check(data: Path, folder: Path) -> None:
    """Refuse a folder with the keys of another engine, or with keys that this one does not have any more."""
    for name in _OF_THE_ENGINE:
        ours, theirs = data / name, folder / name
        if ours.exists() and theirs.exists() and ours.read_bytes() != theirs.read_bytes():
            raise InvalidInput(f"{theirs} is of another engine", "keys")
    for theirs in folder.glob("vault/keys-*[0-9]"):
        ours = data / "vault" / theirs.name
        if not ours.exists() or ours.stat().st_size < theirs.stat().st_size:
            raise InvalidInput(f"{theirs} holds keys that are not in {data}", "keys")


def renew(data: Path, folder: Path) -> None:
    """Replace the copies in `folder`, each file at once; what was there before is overwritten."""
    check(data, folder)
    try:
        (folder / "vault").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        for name in _names(data):
            _replace(data / name, folder / name)
        sync_folder(folder / "vault")
        sync_folder(folder)
    except OSError as error:
        raise NotReady(f"{folder} cannot be written: {error.strerror}") from error


def bring(folder: Path, data: Path) -> None:
    """Put the copies into a data directory that is being made."""
    (data / "vault").mkdir(mode=0o700)
    for name in _names(folder):
        shutil.copyfile(folder / name, data / name)
        (data / name).chmod(0o600)


def _names(home: Path) -> Iterator[str]:
    for name in (*_OF_THE_ENGINE, "keys.json"):
        if (home / name).exists():
            yield name
    for path in sorted(home.glob("vault/keys-*[0-9]")):
        yield f"vault/{path.name}"


def _replace(source: Path, target: Path) -> None:
    new = target.with_name(f"{target.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(source.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    if not target.exists():
        new.rename(target)
        return
    with target.open("r+b") as old:
        new.replace(target)
        old.write(bytes(os.fstat(old.fileno()).st_size))  # no erased key is left in blocks that are free now
        old.flush()
        os.fsync(old.fileno())
