"""`segue identity train`: how much each agreement of two records says, learnt without knowing who is who."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.console import Console

from actors.catalog_files import config_files
from actors.matching import tables, training
from actors.platform import durable
from actors.storage import store_folders
from engine.errors import UsageError
from engine.matching import model as models
from engine.matching.comparable import Comparable
from serve.commands import screen
from serve.process import which_catalog
from serve.process.data_directory import engine_key_of, stopped
from serve.process.settings import DATA

RECORDS = typer.Option(
    "--records", help="A CSV file of records with a header; may be given several times.", exists=True, dir_okay=False
)
WITHOUT = typer.Option("--without", help="A column to leave out; may be given several times.")
CONFIG = typer.Option(
    "--config", help="The directory of the catalog: matching.fields of its identity.yaml names columns."
)


def train(
    out: Annotated[Path, typer.Option("--out", help="Where to write the model, such as configs/models/identity.json.")],
    records: Annotated[list[Path] | None, RECORDS] = None,
    data: Annotated[Path | None, typer.Option("--data", help="The data directory of a stopped engine.")] = None,
    config: Annotated[Path | None, CONFIG] = None,
    without: Annotated[list[str] | None, WITHOUT] = None,
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="Keep the common values, such as frequent names, in the model.")
    ] = True,
) -> None:
    """Learn a model of matching from records or profiles, without labels, and write it."""
    if bool(records) == bool(data):
        raise UsageError("needs either CSV files (--records) or a data directory (--data)", "segue identity train")
    if data is not None and without:
        raise UsageError(
            "leaves a column of --records out; what of a profile is compared, identity.yaml says", "--without"
        )
    writable(out, "--out")
    console = screen.console()
    started = time.monotonic()
    read = read_records(records, without, config).comparable if records else _profiles(data or DATA, config)
    with screen.waiting(console, f"learning from {len(read):,} records"):
        found = training.train(read)
    model = found.model if values else replace(found.model, terms={})
    durable.write(out, models.written(model), mode=0o644)  # a file of the catalog, and no secret
    say(console, found, time.monotonic() - started)
    console.print(f"written to {out}")


def writable(path: Path, option: str) -> None:
    """Raises UsageError where a file cannot be written, before the work that it is for."""
    if path.is_dir():
        raise UsageError(f"{path} is a directory", option)
    if not path.parent.is_dir():
        raise UsageError(f"there is no directory {path.parent}", option)


def read_records(paths: Sequence[Path], without: Sequence[str] | None, config: Path | None) -> tables.Records:
    """The records of some files. Where a catalog is named, it says which column feeds which comparison."""
    if config is None:
        return tables.read_records(paths, without or ())
    stated = config_files.load(which_catalog.which(config)).identity.matching.fields
    return tables.read_records(paths, without or (), stated)


def _profiles(data: Path, config: Path | None) -> Sequence[Comparable]:
    from actors.maintenance import comparable_profiles  # opens RocksDB, which the other commands need not wait for
    from actors.storage.vault import FileVault

    directory = which_catalog.which(config)
    stated = config_files.load(directory).identity.matching.fields
    with stopped(data):
        store_folders.check_settled(data)
        vault = FileVault(data / "vault", engine_key_of(data, os.environ.get("SEGUE_ENGINE_KEY")))
        paths = [*sorted(data.glob("shard-*")), *sorted(data.glob("pin-*"))]
        return list(comparable_profiles.records(paths, vault, stated))


def say(console: Console, found: training.Training, took_s: float) -> None:
    """Print what was learnt, from what, and how long it took."""
    model = found.model
    console.print(
        f"{model.records:,} records, {found.pairs:,} pairs worth comparing, of which some {found.matches:,.0f} are "
        f"one person; {found.rounds} rounds, {took_s:.1f} s"
    )
    console.print(f"learnt: {', '.join(found.learnt)}")
