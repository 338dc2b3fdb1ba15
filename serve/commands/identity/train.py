"""`segue identity train`: how much each agreement of two records says, learnt without knowing who is who."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace
from rich.console import Console

from actors.matching import tables, training
from actors.platform import durable
from engine.matching import model as models
from serve.commands import screen

RECORDS = typer.Option(
    "--records", help="A CSV file of records with a header; may be given several times.", exists=True, dir_okay=False
)
WITHOUT = typer.Option("--without", help="A column to leave out; may be given several times.")


def train(
    records: Annotated[list[Path], RECORDS],
    out: Annotated[Path, typer.Option("--out", help="Where to write the model, such as configs/models/identity.json.")],
    without: Annotated[list[str] | None, WITHOUT] = None,
    values: Annotated[
        bool, typer.Option("--values/--no-values", help="Keep the common values, such as frequent names, in the model.")
    ] = True,
) -> None:
    """Learn a model of matching from records, without labels, and write it."""
    console = screen.console()
    started = time.monotonic()
    read = tables.read_records(records, without or ())
    with screen.waiting(console, f"learning from {len(read.ids):,} records"):
        found = training.train(read.comparable)
    model = found.model if values else replace(found.model, terms={})
    durable.write(out, models.written(model), mode=0o644)  # a file of the catalog, and no secret
    say(console, found, time.monotonic() - started)
    console.print(f"written to {out}")


def say(console: Console, found: training.Training, took_s: float) -> None:
    """Print what was learnt, from what, and how long it took."""
    model = found.model
    console.print(
        f"{model.records:,} records, {found.pairs:,} pairs worth comparing, of which some {found.matches:,.0f} are "
        f"one person; {found.rounds} rounds, {took_s:.1f} s"
    )
    console.print(f"learnt: {', '.join(found.learnt)}")
