"""`segue restore`: a data directory from a backup."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from actors.platform import diary
from engine.errors import Corrupt, UsageError
from serve.process.data_directory import engine_key_of
from serve.process.settings import DATA


def restore(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `segue backup` has made.")],
    data: Annotated[Path, typer.Option("--data", help="A data directory that is not there yet, or empty.")] = DATA,
    keys: Annotated[Path | None, typer.Option("--keys", help="The directory of the keys; DIR.keys.")] = None,
    check_only: Annotated[bool, typer.Option("--check-only", help="Check the files, and make nothing.")] = False,
) -> None:
    """Make a data directory from a backup and check all of it; exit 1 and name what is broken, with nothing left
    behind."""
    from actors.maintenance import restore as copies  # opens RocksDB, which the other commands need not wait for

    directory, data = directory.absolute(), data.absolute()
    keys = keys.absolute() if keys else directory.with_name(directory.name + ".keys")
    try:
        if check_only:
            found, faults = copies.check(directory)
        else:
            restored = copies.restore(directory, keys, data, _engine_key)
            found, faults = restored.manifest, restored.faults
    except Corrupt as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    for fault in faults:
        typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(1)
    profiles = sum(shard.profiles for shard in found.shards)
    if not check_only:
        diary.write(data, "restored", directory=str(directory), of=found.at, profiles=profiles)
    where = directory if check_only else data
    typer.echo(f"{where}: {profiles:,} profiles of {len(found.shards)} shards, as of {found.at}, every file checked")


def _engine_key(data: Path) -> bytes:
    """The key that opens the keys of profiles. UsageError where it or the id key is missing: a new engine key would
    open no profile, and a new id key would find nobody."""
    given = os.environ.get("SEGUE_ENGINE_KEY")
    if given is None and not (data / "engine.key").exists():
        raise UsageError("holds no engine.key, and SEGUE_ENGINE_KEY is not set", "--keys")
    is_wall = json.loads((data / "engine.json").read_text())["clock"] == "wall"
    if is_wall and not os.environ.get("SEGUE_ID_KEY") and not (data / "id.key").exists():
        raise UsageError("holds no id.key, and SEGUE_ID_KEY is not set", "--keys")
    return engine_key_of(data, given)
