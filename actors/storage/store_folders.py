"""The folders of a data directory's stores, and the switch by which new stores take their place all at once.

`engine.json` says which stores count. Replacing that file is the switch: from then on the new stores count. The renames
that follow can be interrupted anywhere, and the next start finishes them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.platform import durable
from actors.storage import inventory
from engine.errors import Corrupt, UsageError

_MOVING = "moving_from"  # in engine.json: the number of shards before

Told = Callable[[], None]


def shard_path(data: Path, number: int) -> Path:
    """The folder of a shard's store."""
    return data / inventory.shard_name(number)


def growing_path(data: Path, shards: int) -> Path:
    """The folder in which the stores of another number of shards grow."""
    return data / f"reshard-{shards}"


def read_engine(data: Path) -> dict[str, Any]:
    """The facts in engine.json."""
    return inventory.read(data)


def check_settled(data: Path) -> None:
    """UsageError where a switch was interrupted: nobody can tell the stores apart by their names then."""
    if _MOVING in read_engine(data):
        raise UsageError(
            f"{data} is between two numbers of shards; segue up or segue reshard goes on with it", "--data"
        )


def switch(data: Path, shards: int, told: Told) -> None:
    """Make the stores in `growing_path` those of the engine; the others are deleted.

    New shards make their keys in new files, beside those of the old ones, which stay readable.
    """
    before = read_engine(data)
    base = before.get("vault_base", 0) + before["shards"]
    after = before | {"shards": shards, "vault_base": base, _MOVING: before["shards"]}
    if "stores" in before:
        after["stores"] = inventory.stores_in(growing_path(data, shards), shards)
        after["vault"] = inventory.key_files_in(data)
    inventory.write(data, after)
    told()
    finish_switch(data, told)


def finish_switch(data: Path, told: Told = lambda: None) -> None:
    """Finish a switch that was begun; does nothing where none was. The caller holds the lock of the directory."""
    engine = read_engine(data)
    if _MOVING not in engine:
        _delete_former(data)
        return
    shards, former = engine["shards"], engine[_MOVING]
    growing = growing_path(data, shards)
    for number in range(max(shards, former)):
        old, new, aside = shard_path(data, number), shard_path(growing, number), growing / f"old-{number:03d}"
        is_new_in_place = number < shards and not new.exists()  # an interrupted run has moved it here already
        if old.exists() and not is_new_in_place:
            durable.move(old, aside)
            told()
        if new.exists():
            durable.move(new, old)
            told()
    _check_moved(data, engine)
    del engine[_MOVING]
    inventory.write(data, engine)
    told()
    _delete_former(data)


def _check_moved(data: Path, engine: dict[str, Any]) -> None:
    """Corrupt where a place holds another store than the new one. It is raised before the old stores are deleted."""
    known = engine.get("stores", {})
    for name, wanted in known.items():
        if inventory.identity(data / name) != wanted:
            raise Corrupt("is missing, or is not the store that was to take this place", str(data / name))


def _delete_former(data: Path) -> None:
    """Delete the stores that were replaced. Stores that are being made for another number of shards stay."""
    for growing in data.glob("reshard-*"):
        if not list(growing.glob("shard-*")):
            durable.drop_folder(growing)
