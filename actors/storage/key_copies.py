"""The keys of a data directory and their copies, which live apart from the backups of its stores.

There is one copy of the keys, and each backup replaces it. An erasure destroys a key, not the copies of the records
that it opens. So with the next backup to the same folder of keys the erasure reaches every earlier backup of the
stores. A folder that holds anything else may be somebody else's: it is refused, and nothing in it is touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from actors.platform import durable
from engine.errors import InvalidInput, NotReady

_OF_THE_ENGINE = ("engine.key", "id.key")
_KNOWN = (*_OF_THE_ENGINE, "keys.json", "vault")
_KEY_FILE = r"keys-\d{5}"
_COMPARED_BYTES = 4096


def check(data: Path, folder: Path) -> None:
    """Refuse a folder that holds anything but copies of this engine's keys, or keys that it does not have any more."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no directory", "keys")
    stranger = next(_strangers(folder), None)
    if stranger is not None:
        raise InvalidInput(
            f"{stranger} is no copy of keys; name a folder that is new, empty, or of earlier backups", "keys"
        )
    for name in _OF_THE_ENGINE:
        ours, theirs = data / name, folder / name
        if ours.exists() and theirs.exists() and ours.read_bytes() != theirs.read_bytes():
            raise InvalidInput(f"{theirs} is of another engine", "keys")
    for theirs in folder.glob("vault/keys-*[0-9]"):
        ours = data / "vault" / theirs.name
        if not ours.exists() or ours.stat().st_size < theirs.stat().st_size:
            raise InvalidInput(f"{theirs} holds keys that are not in {data}", "keys")
    if any(path.is_file() for path in folder.rglob("*")) and not _is_of_this(data, folder):
        raise InvalidInput(f"{folder} holds nothing that is surely of this engine; name another folder", "keys")


def renew(data: Path, folder: Path) -> None:
    """Replace the copies in `folder`, each file at once; what was there before is overwritten."""
    check(data, folder)
    try:
        durable.make_folder(folder / "vault", 0o700)
        for name in _names(data):
            _replace(data / name, folder / name)
    except OSError as error:
        raise NotReady(f"{folder} cannot be written: {error.strerror}") from error


def bring(folder: Path, data: Path) -> None:
    """Put the copies into a data directory that is being made."""
    durable.make_folder(data / "vault", 0o700)
    for name in _names(folder):
        durable.copy(folder / name, data / name)


def _strangers(folder: Path) -> Iterator[Path]:
    """Files that no backup has put there, not even one that was killed on its way."""
    known = "|".join(map(re.escape, _KNOWN))
    for path in folder.iterdir():
        is_ours = re.fullmatch(rf"{known}|({known})\.new|\.({known})-\w+\.new", path.name)
        if not is_ours or path.is_symlink() or path.is_dir() != (path.name == "vault"):
            yield path
    for path in (folder / "vault").glob("*"):
        if not re.fullmatch(rf"{_KEY_FILE}(\.new)?|\.{_KEY_FILE}-\w+\.new", path.name) or not path.is_file():
            yield path


def _is_of_this(data: Path, folder: Path) -> bool:
    """Whether a copy in the folder is of these keys. A key file may differ where a key was erased since."""
    if any((data / name).exists() and (folder / name).exists() for name in _OF_THE_ENGINE):
        return True  # `check` has refused those that differ
    for theirs in folder.glob("vault/keys-*[0-9]"):
        with theirs.open("rb") as copy, (data / "vault" / theirs.name).open("rb") as original:
            pairs = list(zip(copy.read(_COMPARED_BYTES), original.read(_COMPARED_BYTES), strict=False))
        if any(a and a == b for a, b in pairs) and all(a == b or not a or not b for a, b in pairs):
            return True
    return False


def _names(home: Path) -> Iterator[str]:
    """The files that are copied. The first ones tell whose keys they are, even if the copying is killed."""
    for name in _OF_THE_ENGINE:
        if (home / name).exists():
            yield name
    for path in sorted(home.glob("vault/keys-*[0-9]")):
        yield f"vault/{path.name}"
    if (home / "keys.json").exists():
        yield "keys.json"


def _replace(source: Path, target: Path) -> None:
    old = os.open(target, os.O_RDWR | os.O_NOFOLLOW) if target.exists() else -1
    try:
        durable.copy(source, target)
        if old >= 0:
            os.pwrite(old, bytes(os.fstat(old).st_size), 0)  # no erased key is left in blocks that are free now
            os.fdatasync(old)
    finally:
        if old >= 0:
            os.close(old)
