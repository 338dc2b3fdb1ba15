"""The manifest of a backup lists its contents. It is written last: a folder without a matching manifest is no backup.

It names every file with its size and digest, and how many records each shard had, counted in the copy itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from actors.platform import durable
from actors.storage.store import RocksStore, Store
from engine import codec
from engine.errors import Corrupt

FORMAT = 1
NAME = "manifest.json"
COUNTED = ("state", "timers", "outbox", "messages", "staged", "dead")

_DIGEST_BYTES = 20
_CHUNK_BYTES = 1 << 20


class ShardCopy(msgspec.Struct):
    """The contents of one shard's copy."""

    shard: int
    slots: tuple[int, int]  # the first and the last that it owns
    epoch: int
    profiles: int
    journal_seq: int
    catalogs: list[str]
    records: dict[str, int]  # by family


class FileCopy(msgspec.Struct):
    """One file of a store."""

    size_bytes: int
    digest: str  # blake2b


class Manifest(msgspec.Struct):
    """One backup. `engine` is the engine.json of the data directory."""

    at: str
    version: str
    engine: dict[str, Any]
    shards: list[ShardCopy]
    files: dict[str, FileCopy]
    format: int = FORMAT
    digest: str = ""  # of all the above


def shard_copy(store: RocksStore, shard: int, slots: range) -> ShardCopy:
    """The contents of a store."""
    return ShardCopy(
        shard,
        (slots[0], slots[-1]),
        meta(store, "epoch", 0),
        meta(store, "profiles", 0),
        meta(store, "journal_seq", 0),
        sorted(key.removeprefix(b"catalog/").decode() for key, _ in store.scan("meta", b"catalog/")),
        {family: store.count(family) for family in COUNTED},
    )


def meta(store: Store, name: str, default: Any) -> Any:
    """A fact that a shard has kept about itself."""
    raw = store.get("meta", name.encode())
    return default if raw is None else msgspec.msgpack.decode(codec.unseal(raw, f"meta/{name}"))


def files_below(folder: Path) -> dict[str, FileCopy]:
    """Every file below a folder, made durable and digested."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        durable.sync_file(path)
        found[path.relative_to(folder).as_posix()] = FileCopy(path.stat().st_size, digest_of(path))
    return found


def digest_of(path: Path) -> str:
    """The blake2b of a file."""
    hashed = blake2b(digest_size=_DIGEST_BYTES)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            hashed.update(chunk)
    return hashed.hexdigest()


def write(manifest: Manifest, folder: Path) -> None:
    """Write the manifest into its folder, durably."""
    manifest.digest = _own_digest(manifest)
    durable.write(folder / NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=1), mode=0o644)


def read(folder: Path) -> Manifest:
    """The manifest of a backup; Corrupt where there is none, or it is not as it was written."""
    path = folder / NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise Corrupt(f"cannot be read, so this is no whole backup: {error}", str(path)) from error
    if manifest.format != FORMAT:
        raise Corrupt(f"has format {manifest.format}, not {FORMAT}", str(path))
    if manifest.digest != _own_digest(manifest):
        raise Corrupt("is not as it was written", str(path))
    return manifest


def faults_of(manifest: Manifest, folder: Path) -> Iterator[str]:
    """The files of a backup that are not as they were written, as `file: message`."""
    for name, wanted in manifest.files.items():
        path = folder / name
        if not path.is_file():
            yield f"{path}: is missing"
        elif path.stat().st_size != wanted.size_bytes:
            yield f"{path}: has {path.stat().st_size} bytes, not {wanted.size_bytes}"
        elif digest_of(path) != wanted.digest:
            yield f"{path}: is not as it was written"


def _own_digest(manifest: Manifest) -> str:
    plain = msgspec.json.encode(msgspec.structs.replace(manifest, digest=""), order="deterministic")
    return blake2b(plain, digest_size=_DIGEST_BYTES).hexdigest()
