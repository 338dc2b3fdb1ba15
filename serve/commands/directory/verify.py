"""`segue verify`: is a data directory whole?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from actors.storage import inventory
from engine.errors import UsageError
from serve.process.data_directory import engine_key_of, faults_of_small_files, id_key_of
from serve.process.settings import DATA


def verify(
    data: Annotated[Path, typer.Option("--data", help="The data directory of a stopped engine.")] = DATA,
    replay: Annotated[bool, typer.Option("--replay", help="Also rebuild every profile from its journal.")] = False,
) -> None:
    """Check audit chains, references and counts of a stopped engine; exit 1 and say where if something is broken."""
    from actors.maintenance import verify as check  # opens RocksDB, which the other commands need not wait for
    from actors.maintenance.verify_files import verify_files, verify_keys
    from actors.maintenance.verify_replay import verify_replay
    from actors.storage.vault import FileVault

    paths = [*sorted(data.glob("shard-*")), *sorted(data.glob("pin-*"))]
    if not paths and not inventory.others(data):
        raise UsageError(f"{data} is no data directory", "--data")
    facts = inventory.read(data)
    given = os.environ.get("SEGUE_ID_KEY"), os.environ.get("SEGUE_ENGINE_KEY")
    secrets = list(faults_of_small_files(data, facts, *given))
    faults = [*verify_files(data, facts), *secrets]
    if secrets:  # without the right keys nothing else can be read
        _end(data, faults, {})
    vault = FileVault(data / "vault", engine_key_of(data, given[1], facts))
    faults += verify_keys(data, vault)
    found, seen = check.verify(paths, vault)
    faults += found
    if replay:
        id_key = id_key_of(data, given[0], facts)
        differing, seen["profiles rebuilt"] = verify_replay(paths, vault, id_key)
        faults += differing
    _end(data, faults, seen)


def _end(data: Path, faults: list[str], seen: dict[str, int]) -> None:
    for fault in faults:
        typer.echo(fault, err=True)
    counted = ", ".join(f"{count:,} {what}" for what, count in seen.items())
    typer.echo(f"{data}: {len(faults)} faults in {counted}")
    if faults:
        raise typer.Exit(1)
