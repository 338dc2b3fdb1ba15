"""`segue backup`: a copy of everything, while the engine runs or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from actors.platform import diary
from serve.commands.running import asking
from serve.process.data_directory import stopped


def backup(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory for the copies of the stores.")],
    keys: Annotated[Path | None, typer.Option("--keys", help="The directory of the keys' only copy; DIR.keys.")] = None,
    url: asking.Url = asking.HERE,
    data: Annotated[Path | None, typer.Option("--data", help="The data directory of a stopped engine instead.")] = None,
) -> None:
    """Copy all stores of an engine at one instant, with a manifest, and its keys apart from them (SEGUE_SERVER_KEY is
    the key of a running engine)."""
    directory = directory.absolute()
    keys = keys.absolute() if keys else None
    made = _of_running(url, directory, keys) if data is None else _of_stopped(data, directory, keys)
    typer.echo(
        f"{made['directory']}: {made['profiles']:,} profiles of {made['shards']} shards, {made['files']:,} files, "
        f"{made['bytes'] / 1e6:,.1f} MB, at {made['at']}"
    )
    typer.echo(f"{made['keys']}: the keys; without them nobody can read it. Keep them elsewhere.")


def _of_running(url: str, directory: Path, keys: Path | None) -> dict[str, Any]:
    with asking.engine(url) as client:
        return client.post("/v1/backup", {"directory": str(directory), "keys": None if keys is None else str(keys)})


def _of_stopped(data: Path, directory: Path, keys: Path | None) -> dict[str, Any]:
    from actors.maintenance import backup as copies  # opens RocksDB, which the other commands need not wait for

    with stopped(data) as made:
        done = copies.of_stopped(copies.order(data, directory, keys), made["shards"])
        diary.write(data, "backed_up", **{name: done[name] for name in ("directory", "keys", "profiles", "bytes")})
        return done
