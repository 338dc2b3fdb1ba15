"""`segue backup`: a copy of everything, while the engine runs or not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.errors import UsageError
from serve.data_directory import stopped
from serve.replayer import EngineClient


def backup(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory for the copies of the stores.")],
    keys: Annotated[Path | None, typer.Option("--keys", help="The directory of the keys' only copy; DIR.keys.")] = None,
    url: Annotated[str, typer.Option("--url", help="Where the engine answers.")] = "http://127.0.0.1:8000",
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
    server_key = os.environ.get("SEGUE_SERVER_KEY")
    if not server_key:
        raise UsageError("is needed in the environment", "SEGUE_SERVER_KEY")
    client = EngineClient(url, server_key)
    try:
        return client.post("/v1/backup", {"directory": str(directory), "keys": None if keys is None else str(keys)})
    finally:
        client.close()


def _of_stopped(data: Path, directory: Path, keys: Path | None) -> dict[str, Any]:
    from actors import backup as copies  # opens RocksDB, which the other commands need not wait for

    with stopped(data) as made:
        return copies.of_stopped(copies.order(data, directory, keys), made["shards"])
