"""`segue identity evaluate`: how good the links between records are, where it is known who is who."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from actors.matching import calibration_plot, evaluation, tables, training
from actors.matching.pairs_table import PairsTable
from actors.platform import durable
from engine.errors import UsageError
from engine.matching import model as models
from engine.matching.comparisons import COMPARISONS
from serve.commands import screen
from serve.commands.identity.train import CONFIG, RECORDS, WITHOUT, read_records, say, writable


def evaluate(
    records: Annotated[list[Path], RECORDS],
    truth: Annotated[
        Path, typer.Option("--truth", help="A CSV file of the pairs that are one person.", exists=True, dir_okay=False)
    ],
    model: Annotated[
        Path | None,
        typer.Option("--model", help="A model to judge; without it, one is learnt from the records.", exists=True),
    ] = None,
    without: Annotated[list[str] | None, WITHOUT] = None,
    config: Annotated[Path | None, CONFIG] = None,
    at: Annotated[
        float, typer.Option("--at", min=0.0, max=1.0, help="Records that are at least so likely one person are joined.")
    ] = 0.5,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Where to write the calibration as a picture (SVG).")
    ] = None,
) -> None:
    """Match records and compare with the truth, which nothing is learnt from."""
    if plot is not None:
        writable(plot, "--plot")
    console = screen.console()
    read = read_records(records, without, config)
    true = tables.read_truth(truth, read)
    started = time.monotonic()
    with screen.waiting(console, f"matching {len(read.ids):,} records by {', '.join(read.columns)}"):
        if model is None:
            found = training.train(read.comparable)
            used = found.model
        else:
            used = models.read(model.read_bytes(), str(model))
        links = list(_links(read, used))
    took_s = time.monotonic() - started
    if model is None:
        say(console, found, took_s)
    bins = evaluation.calibration(links, true)
    _print(console, links, true, at, bins)
    if plot is not None:
        durable.write(plot, calibration_plot.svg(bins, "How honest the probabilities are"), mode=0o644)
        console.print(f"written to {plot}")


def _links(read: tables.Records, model: models.Model) -> list[evaluation.Link]:
    if not read.comparable:
        raise UsageError("there are no records", "--records")
    with PairsTable(read.comparable, COMPARISONS, training.SEED) as table:
        return list(table.links(model, evaluation.LINK_MIN))


def _print(
    console: Console,
    links: Sequence[evaluation.Link],
    true: set[evaluation.Pair],
    at: float,
    bins: Sequence[evaluation.Bin],
) -> None:
    joined = evaluation.figures(evaluation.clustered(evaluation.linked(links, at)), true)
    console.print(
        f"joined at {at:g}: precision {joined.precision:.4f}, recall {joined.recall:.4f}, F1 {joined.f1:.4f} "
        f"({joined.right:,} right of {joined.found:,} found and {joined.true:,} true pairs)"
    )
    console.print(_thresholds(links, true, at))
    console.print(_calibration(bins))
    console.print(
        f"expected calibration error {evaluation.calibration_error(bins):.4f}, over the {len(links):,} pairs from "
        f"{evaluation.LINK_MIN:g}"
    )


def _thresholds(links: Sequence[evaluation.Link], true: set[evaluation.Pair], at: float) -> Table:
    """Precision, recall and F1 of the links alone, and of the groups that they join."""
    table = _table("at", "links", "precision", "recall", "F1", "joined", "precision", "recall", "F1")
    for threshold in sorted({*evaluation.THRESHOLDS, at}):
        pairs = evaluation.linked(links, threshold)
        row = []
        for found in (pairs, evaluation.clustered(pairs)):
            figures = evaluation.figures(found, true)
            row += [f"{figures.found:,}", f"{figures.precision:.4f}", f"{figures.recall:.4f}", f"{figures.f1:.4f}"]
        table.add_row(f"{threshold:g}", *row)
    return table


def _calibration(bins: Sequence[evaluation.Bin]) -> Table:
    table = _table("probability", "pairs", "said", "one person")
    for each in bins:
        table.add_row(f"{each.low:g}–{each.high:g}", f"{each.pairs:,}", f"{each.said:.4f}", f"{each.true:.4f}")
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right")
    return table
