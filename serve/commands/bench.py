"""`segue bench`: the figures of this engine on this machine, each beside its baseline from the same run."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from loadtest.bench import compare as bench_compare
from loadtest.bench import figures as benchmarks
from loadtest.bench.things import fan_out
from loadtest.processes.engine import EngineError
from serve.commands import screen
from serve.process.ray_runtime.flags import ray_flags, serve_flags
from serve.process.settings import LOOPBACK


def bench(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
    is_full: Annotated[
        bool, typer.Option("--full", help="A million profiles and timers, a minute of overload.")
    ] = False,
    is_matching: Annotated[
        bool, typer.Option("--matching", help="Only: 10,000 new people matched against 100,000, or a million.")
    ] = False,
    is_things: Annotated[
        bool, typer.Option("--things", help="Only: a price drop with 100,000 interested customers.")
    ] = False,
    compare: Annotated[
        Path | None, typer.Option("--compare", help="An earlier run's --json file: show what has changed.")
    ] = None,
) -> None:
    """Measure decide, profiles, ingest, start-up and memory, some five minutes; stops the engine that it starts."""
    before = {} if compare is None else bench_compare.read(compare)
    if json_file is not None:
        _check_writable(json_file)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM, too, stops the started processes
    progress = screen.console(stderr=True)
    try:
        say = lambda what: progress.print(f"measuring: {what}", style="dim")  # noqa: E731
        if is_matching:
            os.environ.update(ray_flags(LOOPBACK))  # Ray starts in this very process
            from loadtest.bench import matching

            report = matching.report(say, is_full=is_full)
        elif is_things:
            report = fan_out.report(say)
        else:
            report = benchmarks.measure(say, ray_flags(LOOPBACK) | serve_flags(), is_full=is_full)
    except EngineError as error:
        typer.echo(f"segue: {error}", err=True)
        raise typer.Exit(1) from None
    screen.console().print(benchmarks.table(report))
    if before:
        screen.console().print(bench_compare.table(list(bench_compare.changes(report.figures, before))))
    for why in report.missing:
        typer.echo(why)
    if json_file is not None:
        json_file.write_text(benchmarks.as_json(report) + "\n", "utf-8")
        typer.echo(f"written to {json_file}")


def _check_writable(path: Path) -> None:
    """UsageError now rather than after a minute."""
    try:
        path.open("a").close()
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", "--json") from None
