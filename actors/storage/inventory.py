"""The inventory of a data directory: the parts that it must hold. It is the file `engine.json`, which is written before
any part that it names is relied on.

It says how the engine was made, and names every store with the identity that RocksDB gave it, every key file with its
least size, and the small files. So a part that was lost is never taken for one that has not been made yet. A check over
the whole file tells when a byte of it has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from actors.platform import durable
from engine.errors import Corrupt, UsageError

FILE = "engine.json"
FORMAT = 3
SAME_STORES = (2, FORMAT)  # formats whose stores are those of today
MADE_ANEW = ("catalog",)  # files that a start makes anew where they are missing
_FIRST_CHECKED = 3
_OF_FORMAT_2 = {"format", "shards", "clock", "vault_base", "id_key_check", "moving_from"}
_DIGEST_BYTES = 16

Facts = dict[str, Any]


def read(data: Path) -> Facts:
    """The facts in engine.json; Corrupt where it is missing, cannot be read or is not as it was written."""
    path = data / FILE
    try:
        made = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise Corrupt("is missing", str(path)) from None
    except (OSError, ValueError):
        made = None
    if not isinstance(made, dict) or not _is_whole(made):
        raise Corrupt("is damaged", str(path))
    made.pop("check", None)
    return made


def write(data: Path, facts: Mapping[str, Any]) -> None:
    """Replace the facts in `engine.json`; durable on return."""
    written = dict(facts)
    if written["format"] >= _FIRST_CHECKED:
        written["check"] = _digest(facts)
    durable.write(data / FILE, json.dumps(written))


def check_of(secret: bytes) -> str:
    """A short digest that tells one secret from another, and says nothing else about it."""
    return blake2b(secret, digest_size=8).hexdigest()


def others(data: Path) -> list[str]:
    """The files and folders in `data` that only an engine can have left there."""
    patterns = ("id.key", "engine.key", "keys.json", "catalog", "vault", "shard-*", "pin-*", "reshard-*")
    return sorted(path.name for pattern in patterns for path in data.glob(pattern))


def identity(store: Path) -> str:
    """The name that RocksDB gave a store when it was made, which its copies have too; empty where it has none."""
    try:
        return (store / "IDENTITY").read_text("utf-8", "replace").strip()
    except OSError:
        return ""


def shard_name(number: int) -> str:
    """The folder of a shard's store."""
    return f"shard-{number:03d}"


def key_file_name(number: int) -> str:
    """The name of a key file in `vault/`."""
    return f"keys-{number:05d}"


def stores_in(data: Path, shards: int) -> dict[str, str]:
    """The stores of so many shards as they are, for `engine.json`."""
    return {shard_name(number): identity(data / shard_name(number)) for number in range(shards)}


def key_files_in(data: Path) -> dict[str, int]:
    """The key files that are there, with their sizes in bytes."""
    return {path.name: path.stat().st_size for path in sorted(data.glob("vault/keys-*[0-9]"))}


def check(data: Path, facts: Facts) -> None:
    """Corrupt names the first part that is missing or is another one, unless a start makes it anew without loss.
    UsageError in the middle of a switch."""
    fault = next((each for each in faults(data, facts) if Path(each.field).name not in MADE_ANEW), None)
    if fault is not None:
        raise fault


def faults(data: Path, facts: Facts) -> Iterator[Corrupt]:
    """A fault for every part that is missing, too short, or another one than was made. The contents of parts are not
    read."""
    if "moving_from" in facts:
        raise UsageError(
            f"{data} is between two numbers of shards; segue up or segue reshard goes on with it", "--data"
        )
    for name, known in facts.get("stores", {}).items():
        yield from _faults_of_store(data / name, known)
    for name, size in facts.get("vault", {}).items():
        yield from _faults_of_key_file(data / "vault" / name, size)
    for name in facts.get("files", ()):
        if not (data / name).is_file():
            yield Corrupt("is missing", str(data / name))


def _faults_of_store(store: Path, known: str) -> Iterator[Corrupt]:
    if not store.is_dir():
        yield Corrupt("is missing, with every customer who lives there", str(store))
    elif not any(store.iterdir()):
        yield Corrupt("is empty, and customers live there", str(store))
    elif not (store / "CURRENT").is_file():
        yield Corrupt("is missing", str(store / "CURRENT"))
    elif known and not (store / "IDENTITY").is_file():
        yield Corrupt("is missing", str(store / "IDENTITY"))
    elif known and identity(store) != known:
        yield Corrupt(f"is damaged, or {store.name} is another store than was made here", str(store / "IDENTITY"))


def _faults_of_key_file(path: Path, size: int) -> Iterator[Corrupt]:
    if not path.is_file():
        yield Corrupt("is missing, with the keys of customers", str(path))
    elif (there := path.stat().st_size) < size:
        yield Corrupt(f"ends after {there} bytes, and had {size}", str(path))


def _is_whole(made: dict[str, Any]) -> bool:
    """Whether the file is as it was written. Files of formats 1 and 2 have no check; they are whole where they name no
    other facts than those formats had."""
    if not {"format", "shards", "clock"} <= set(made) or not isinstance(made.get("vault_base", 0), int):
        return False
    if "check" not in made:
        return set(made) <= _OF_FORMAT_2 and isinstance(made["format"], int) and made["format"] < _FIRST_CHECKED
    return bool(made["check"] == _digest({name: fact for name, fact in made.items() if name != "check"}))


def _digest(facts: Mapping[str, Any]) -> str:
    return blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=_DIGEST_BYTES).hexdigest()
