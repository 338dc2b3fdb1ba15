"""Where the stores of a data directory are, and how new ones take their place at once.

`engine.json` says which stores count. A switch is one replacement of that file: from then on the new ones count, and
the renames that follow can be done by whoever comes next, from wherever they were interrupted.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.errors import UsageError

_MOVING = "moving_from"  # in engine.json: the number of shards before

Told = Callable[[], None]


def shard_path(data: Path, number: int) -> Path:
    """Where a shard keeps its store."""
    return data / f"shard-{number:03d}"


def growing_path(data: Path, shards: int) -> Path:
    """Where the stores of another number of shards grow."""
    return data / f"reshard-{shards}"


def read_engine(data: Path) -> dict[str, Any]:
    """What engine.json says."""
    made: dict[str, Any] = json.loads((data / "engine.json").read_text())
    return made


def check_settled(data: Path) -> None:
    """UsageError where a switch was interrupted: nobody can tell the stores apart by their names then."""
    if _MOVING in read_engine(data):
        raise UsageError(
            f"{data} is between two numbers of shards; segue up or segue reshard goes on with it", "--data"
        )


def switch(data: Path, shards: int, told: Told) -> None:
    """From now on the stores in `growing_path` are those of the engine; the others are deleted.

    New shards make their keys in new files, beside those of the old ones, which stay readable.
    """
    before = read_engine(data)
    base = before.get("vault_base", 0) + before["shards"]
    _write_engine(data, before | {"shards": shards, "vault_base": base, _MOVING: before["shards"]})
    told()
    finish_switch(data, told)


def finish_switch(data: Path, told: Told = lambda: None) -> None:
    """Do what is left of a switch; nothing where there was none. The caller holds the directory."""
    engine = read_engine(data)
    if _MOVING not in engine:
        _delete_former(data)
        return
    shards, former = engine["shards"], engine[_MOVING]
    growing = growing_path(data, shards)
    for number in range(max(shards, former)):
        old, new, aside = shard_path(data, number), shard_path(growing, number), growing / f"old-{number:03d}"
        is_new_in_place = number < shards and not new.exists()
        if old.exists() and not is_new_in_place:
            old.rename(aside)
            told()
        if new.exists():
            new.rename(old)
            told()
    sync_folder(data)
    del engine[_MOVING]
    _write_engine(data, engine)
    told()
    _delete_former(data)


def _delete_former(data: Path) -> None:
    """The stores that count no more; those that grow for another number of shards stay."""
    for growing in data.glob("reshard-*"):
        if not list(growing.glob("shard-*")):
            shutil.rmtree(growing, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _write_engine(data: Path, engine: dict[str, Any]) -> None:
    new = data / "engine.json.new"
    with new.open("w") as file:
        file.write(json.dumps(engine))
        file.flush()
        os.fsync(file.fileno())
    new.replace(data / "engine.json")
    sync_folder(data)
