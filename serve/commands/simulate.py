"""`segue simulate`: the engine over history, on the history's own clock, with a sandbox as provider.

It uses the turns and windows of the running engine, so a replay of the same files through that sends the same. The
watermark is the time of the line being read, so timers fire in order with the lines.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from actors.catalog_proof import proof
from actors.storage import inventory
from actors.storage.vault import FileVault
from engine import seeds
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput, UsageError
from engine.values.times import read_ms
from serve.commands import screen
from serve.process import which_catalog
from serve.process.data_directory import engine_key_of, id_key_of
from serve.simulation import tables
from serve.simulation.journals import Journals
from serve.simulation.running import Options, Past, run
from serve.simulation.sources import EventFiles, Source

_NAMED_MAX = 20
_PROCESSES_MAX = 64


def simulate(
    events: Annotated[
        list[Path] | None, typer.Option("--events", help="Event files (.jsonl, .jsonl.gz), Segment format.")
    ] = None,
    more_events: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More of them.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Instead of files: the journals of this engine, stopped or running.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The directory of the catalog.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="A second catalog to compare with.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write what happened under --config as JSON lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    silence: Annotated[bool, typer.Option("--silence", help="Also report what was held back, and its cost.")] = False,
    render: Annotated[
        bool, typer.Option("--render", help="Write every message that is sent; name those that cannot be written.")
    ] = False,
    since: Annotated[str, typer.Option("--since", help="Count only what happens from this time on (UTC).")] = "",
    no_drain: Annotated[bool, typer.Option("--no-drain", help="Leave what is pending after the last line.")] = False,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=_PROCESSES_MAX, help="The result is the same; one per core."),
    ] = None,
) -> None:
    """Run history through a catalog: who is sent what, what is held, stopped and withdrawn. Nothing leaves."""
    files = [*(events or []), *(more_events or [])]
    if (data is None) == (not files):
        raise UsageError("needs either --events FILE… or --data DIR", "segue simulate")
    directories = [which_catalog.which(each) for each in ([config] if against is None else [config, against])]
    catalogs = [_catalog(directory) for directory in directories]
    if not as_json:
        for directory, catalog in zip(directories, catalogs, strict=True):
            typer.echo(which_catalog.line(directory, catalog.version))
    lines_file = _opened(out, files)
    options = Options(processes or _cores(), drain=not no_drain, render=render, since_ms=_since(since))
    with ExitStack() as opened:
        if lines_file is not None:
            opened.enter_context(lines_file)
        source: Source = EventFiles(files) if data is None else opened.enter_context(_journals(data, catalogs))
        past = [
            run(catalog, source, options, lines_file if position == 0 else None)
            for position, catalog in enumerate(catalogs)
        ]
    if past[0].problems and not past[0].counted.events:
        where, what = past[0].problems[0]
        typer.echo(f"segue: none of the {past[0].lines:,} lines can be used: {where}: {what}", err=True)
        raise typer.Exit(1)
    _print(past, catalogs, as_json=as_json, silence=silence)
    _complain(past)


def _since(text: str) -> int:
    try:
        return read_ms(text, "--since") or 0 if text else 0
    except InvalidInput as fault:
        raise UsageError(f"{text!r} {fault.message}", "--since") from None


def _cores() -> int:
    """The cores that this process may use."""
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, _PROCESSES_MAX
    )


def _catalog(directory: Path) -> Catalog:
    """The proved catalog of a directory; its warnings go to stderr."""
    proved = proof.of_directory(directory, os.environ)
    for warning in proved.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return replace(proved.catalog, id_key=seeds.FIXED_KEY)


@contextmanager
def _journals(data: Path, catalogs: list[Catalog]) -> Iterator[Journals]:
    """The journals of a data directory; the catalogs get its key and the catalogs that its runs are in."""
    if not inventory.others(data):
        raise UsageError(f"{data} is no data directory", "--data")
    facts = inventory.read(data)
    id_key = id_key_of(data, os.environ.get("SEGUE_ID_KEY"), facts)
    vault = FileVault(data / "vault", engine_key_of(data, os.environ.get("SEGUE_ENGINE_KEY"), facts), create=False)
    with tempfile.TemporaryDirectory(prefix="segue-journals-") as folder:
        journals = Journals([*sorted(data.glob("shard-*")), *sorted(data.glob("pin-*"))], vault, id_key, Path(folder))
        for place, catalog in enumerate(catalogs):
            catalogs[place] = replace(catalog, id_key=id_key)
            journals.prepare(catalogs[place])
        yield journals
    vault.close()


def _opened(out: Path | None, files: list[Path]) -> IO[bytes] | None:
    if out is None:
        return None
    if out.resolve() in [file.resolve() for file in files]:
        raise UsageError("is one of the files to read", f"--out {out}")
    try:
        return out.open("wb")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", f"--out {out}") from None


def _summary(past: Past, catalog: Catalog) -> dict[str, Any]:
    return past.counted.summary(catalog) | {name: count for name, count in past.counts.items() if count}


def _print(past: list[Past], catalogs: list[Catalog], *, as_json: bool, silence: bool) -> None:
    mine, catalog = past[0], catalogs[0]
    summaries = [_summary(each, one) for each, one in zip(past, catalogs, strict=True)]
    if len(past) == 1:
        if as_json:
            extra = {"silence": mine.counted.silent()} if silence else {}
            typer.echo(json.dumps(summaries[0] | extra, ensure_ascii=False))
            return
        screen.console().print(tables.table("What happened", ["count"], summaries))
        for table in tables.funnels(summaries[0]["funnels"]):
            screen.console().print(table)
        if silence:
            _report(mine, catalog)
        return
    other = past[1]
    compared = {
        "config": summaries[0],
        "against": summaries[1],
        "difference": tables.difference(*summaries),
    }
    moved = tables.movement(mine.counted.sends_of, other.counted.sends_of)
    held = {"config": mine.counted.silent(), "against": other.counted.silent()}
    if as_json:
        typer.echo(json.dumps(compared | {"profiles": moved, "silence": held}, ensure_ascii=False))
        return
    title = "Under --config, and how that differs from --against"
    screen.console().print(tables.table(title, list(compared), list(compared.values())))
    typer.echo(f"{moved['gain']:,} profiles gain sends, {moved['lose']:,} lose sends")
    for name, one in (("--config", mine), ("--against", other)):
        typer.echo(f"\nUnder {name}:")
        _report(one, catalog)


def _report(past: Past, catalog: Catalog) -> None:
    """Print the sends that were held back: by which rule, how often by that rule alone, and at what expected cost."""
    held = past.counted.silent()
    if held:
        screen.console().print(tables.silence_table(held, catalog.currency))
    else:
        typer.echo("nothing was held back")


def _complain(past: list[Past]) -> None:
    """Print the problems to stderr, so that the summary on stdout stays clean."""
    # Each problem once: with --against, both runs read the same lines.
    problems = list(Counter(problem for each in past for problem in each.problems))
    for where, what in problems[:_NAMED_MAX]:
        typer.echo(f"{where}: {what}", err=True)
    if len(problems) > _NAMED_MAX:
        typer.echo(f"… and {len(problems) - _NAMED_MAX:,} more", err=True)
    lines = {where for where, _ in past[0].problems if not where.startswith("profile ")}
    if lines:
        typer.echo(f"{len(lines):,} of {past[0].lines:,} lines were not taken", err=True)
    if past[0].older:
        told = f"{past[0].older:,} of {past[0].lines:,} lines are older than one before them, and were told late"
        typer.echo(
            f"{told}: lines are told in the order of their file, so sort it by time where that is no order", err=True
        )
