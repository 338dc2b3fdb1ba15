"""`segue replay`: history into a running engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from actors.catalog_files import event_files
from engine.errors import UsageError
from serve.commands import screen
from serve.commands.running import asking
from serve.demo.replayer import Replayer, Totals

_PROBLEMS_SHOWN = 20


def replay(
    files: Annotated[list[Path], typer.Argument(help="Event files, .jsonl or .jsonl.gz, in Segment's format.")],
    url: asking.Url = asking.HERE,
    rate: Annotated[str, typer.Option("--rate", help="Events a second, or max.")] = "max",
    drain: Annotated[bool, typer.Option("--drain", help="At the end, let all pending timers fire.")] = False,
) -> None:
    """Stream event files into a running engine (SEGUE_SERVER_KEY is its key). Can be run again after an
    interruption."""
    console, limit = screen.console(), _rate(rate)
    event_files.check(files)
    with asking.engine(url) as client:
        is_replay = client.get("/v1/status")["clock"] == "replay"
        totals = run_with_bar(console, Replayer(client, is_replay=is_replay, rate=limit), files, drain=drain)
    print_totals(console, totals)
    if totals.lines and len(totals.rejected) == totals.lines:
        typer.echo(f"segue: none of the {totals.lines:,} lines can be used: {totals.rejected[0]}", err=True)
        raise typer.Exit(1)


def run_with_bar(console: Console, replayer: Replayer, files: list[Path], *, drain: bool) -> Totals:
    """Run a replay with a progress bar."""
    total = sum(1 for _ in event_files.read(files))
    with screen.bar(console, "replaying", total) as told:
        tell = lambda done, reached: told(done, reached[:16].replace("T", " "))  # noqa: E731
        return replayer.run(files, drain=drain, progress=tell)


def print_totals(console: Console, totals: Totals) -> None:
    """Print what became of the lines."""
    console.print(
        f"{totals.lines:,} lines: {totals.accepted:,} accepted, {totals.repeated:,} repeated, "
        f"{len(totals.rejected):,} rejected"
    )
    if totals.now:
        console.print(f"the clock stands at {totals.now}, {totals.pending_timers:,} timers pending")
    for problem in totals.rejected[:_PROBLEMS_SHOWN]:
        console.print(f"rejected: {problem}", markup=False)
    if len(totals.rejected) > _PROBLEMS_SHOWN:
        console.print(f"… and {len(totals.rejected) - _PROBLEMS_SHOWN:,} more")


def _rate(given: str) -> float | None:
    if given == "max":
        return None
    try:
        rate = float(given)
    except ValueError:
        rate = 0.0
    if not 0 < rate < 1e9:
        raise UsageError("is a number of events a second, or max", "--rate")
    return rate
