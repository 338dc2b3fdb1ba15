"""`segue verify`: is a data directory whole?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from actors import store_folders
from engine.errors import UsageError
from serve.data_directory import engine_key_of, id_key_of
from serve.settings import DATA


def verify(
    data: Annotated[Path, typer.Option("--data", help="The data directory of a stopped engine.")] = DATA,
    replay: Annotated[bool, typer.Option("--replay", help="Also rebuild every profile from its journal.")] = False,
) -> None:
    """Check audit chains, references and counts of a stopped engine; exit 1 and say where if something is broken."""
    from actors import verify as check  # opens RocksDB, which the other commands need not wait for
    from actors.vault import FileVault
    from actors.verify_replay import verify_replay

    paths = [*sorted(data.glob("shard-*")), *sorted(data.glob("pin-*"))]
    if not paths:
        raise UsageError(f"{data} is no data directory", "--data")
    store_folders.check_settled(data)
    engine_key = engine_key_of(data, os.environ.get("SEGUE_ENGINE_KEY"))
    vault = FileVault(data / "vault", engine_key)
    faults, seen = check.verify(paths, vault)
    if replay:
        differing, seen["profiles rebuilt"] = verify_replay(
            paths, vault, id_key_of(data, os.environ.get("SEGUE_ID_KEY"))
        )
        faults += differing
    for fault in faults:
        typer.echo(fault, err=True)
    counted = ", ".join(f"{count:,} {what}" for what, count in seen.items())
    typer.echo(f"{data}: {len(faults)} faults in {counted}")
    if faults:
        raise typer.Exit(1)
