"""`segue simulate`: the engine over event files, in this process, on the events' own clock, with a sandbox as provider.

It uses the shards and windows of the running engine, so a replay of the same files through that sends the same. The
watermark is the time of the line being read, so timers fire in order with the lines.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from actors.catalog_files import event_files
from actors.catalog_files.event_files import Line
from actors.catalog_proof import proof
from actors.replay_clock.in_process import LocalEngine
from actors.replay_clock.windows import WINDOW_MS
from engine import seeds
from engine.catalog.compiled import Catalog
from engine.errors import InvalidInput, UsageError
from engine.handoffs.touchpoints import kinds_of
from engine.inputs import AnyInput
from serve.commands import screen
from serve.ingest import pipeline, segment_format
from serve.ingest.items import REJECTED, Item
from serve.process import which_catalog
from serve.simulation import summary
from serve.simulation.letters import Letters

CHUNK_LINES = 5_000
_SOURCE = "server"  # the name of the key with which a replay imports, so that both tell the engine the same
_AFTER_MS = 30_000  # without a drain: sends that the last lines started may arrive, and nothing later
_NAMED_MAX = 20


def simulate(
    events: Annotated[list[Path], typer.Option("--events", help="Event files (.jsonl, .jsonl.gz), Segment format.")],
    more_events: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More of them.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The directory of the catalog.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="A second catalog to compare with.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write what happened under --config as JSON lines.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    silence: Annotated[bool, typer.Option("--silence", help="Also report what was held back, and its cost.")] = False,
    render: Annotated[
        bool, typer.Option("--render", help="Write every message that is sent; name those that cannot be written.")
    ] = False,
    no_drain: Annotated[bool, typer.Option("--no-drain", help="Leave what is pending after the last line.")] = False,
    shards: Annotated[int, typer.Option("--shards", min=1, max=seeds.SLOTS, help="The result is the same.")] = 1,
) -> None:
    """Run history through a catalog: who is sent what, what is held, stopped and withdrawn. Nothing leaves."""
    files = [*events, *(more_events or [])]
    directories = [which_catalog.which(each) for each in ([config] if against is None else [config, against])]
    catalogs = [_catalog(directory) for directory in directories]
    if not as_json:
        for directory, catalog in zip(directories, catalogs, strict=True):
            typer.echo(which_catalog.line(directory, catalog.version))
    lines_file = _opened(out, files)
    past = [
        run(
            catalog,
            files,
            shards=shards,
            drain=not no_drain,
            keep_lines=lines_file is not None and position == 0,
            render=render,
        )
        for position, catalog in enumerate(catalogs)
    ]
    if lines_file is not None:
        with lines_file:
            lines_file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in past[0].observer.lines())
    if past[0].problems and not past[0].summary["events"]:
        where, what = past[0].problems[0]
        typer.echo(f"segue: none of the {past[0].lines:,} lines can be used: {where}: {what}", err=True)
        raise typer.Exit(1)
    _print(past, as_json=as_json, silence=silence)
    _complain(past)


@dataclass(slots=True)
class Past:
    """A history after it was run through one catalog. `problems` has (where, what) of everything that was not taken."""

    observer: summary.Summary
    summary: dict[str, Any] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)  # of things that most histories do not have
    lines: int = 0


def run(
    catalog: Catalog,
    files: Sequence[Path],
    *,
    shards: int = 1,
    drain: bool = True,
    keep_lines: bool = False,
    render: bool = False,
) -> Past:
    """Feed the files through the engine, in order of time."""
    letters = Letters(catalog) if render else None
    past = Past(summary.Summary(catalog, keep_lines=keep_lines, letters=letters))
    provider = letters.take if letters else None
    engine = LocalEngine(catalog, shards=shards, observer=past.observer.observe, provider=provider)
    asyncio.run(_feed(engine, files, past, drain=drain))
    shards_of = [windows.shard for windows in engine.windows]
    for shard in shards_of:
        for letter in reversed(shard.dead.all()):
            past.problems.append((f"profile {letter.profile}", f"a turn failed and was set aside: {letter.reason}"))
    accepted = sum(shard.counts["accepted"] for shard in shards_of)
    past.counts["refused"] = len(letters.refused) if letters else 0
    past.problems += letters.refused if letters else []
    past.summary = past.observer.summary(accepted, sum(shard.profiles for shard in shards_of))
    past.summary |= {name: count for name, count in past.counts.items() if count}
    return past


async def _feed(engine: LocalEngine, files: Sequence[Path], past: Past, *, drain: bool) -> None:
    last_ms = None
    for lot, next_ms in event_files.chunks(event_files.read(files), CHUNK_LINES):
        past.lines += len(lot)
        _stage(engine, lot, past)
        last_ms = lot[-1].at_ms
        if next_ms is not None:
            await engine.advance(next_ms - 1)
    if last_ms is not None:
        end_ms = (last_ms // WINDOW_MS + 1) * WINDOW_MS + _AFTER_MS
        await engine.advance(last_ms if drain else end_ms, drain=drain)


def _stage(engine: LocalEngine, lot: list[Line], past: Past) -> None:
    """Hand the events of a lot to their shards, each with its time, by which the windows order them."""
    by_shard: list[list[tuple[str, AnyInput, int]]] = [[] for _ in engine.windows]
    found = _parsed(lot, past, engine.catalog)
    items = [item for _, item in found]
    pipeline.find_each_profile(engine.catalog, items)
    for line, item in found:
        if item.result == REJECTED:
            past.problems.append((line.where, f"{item.message}: its identifiers are blocked values"))
    past.counts["warned"] += pipeline.quarantine_what_is_not_to_be_sent(engine.catalog, items)
    for line, item in found:
        if item.event is not None:
            by_shard[engine.number_of(item.profile)].append((item.profile, item.event, line.at_ms))
        elif item.result != REJECTED:
            past.counts["quarantined"] += 1
            past.problems.append((line.where, f"{item.field}: {item.reason}"))
    for windows, inputs in zip(engine.windows, by_shard, strict=True):
        windows.stage(inputs)


def _parsed(lot: list[Line], past: Past, catalog: Catalog) -> list[tuple[Line, Item]]:
    """The good lines with their items; the others become problems, with the reason."""
    for line in lot:
        if line.problem:
            past.problems.append((line.where, line.problem))
    good = [line for line in lot if not line.problem]
    try:
        return _good(good, _parse(good, catalog), past)
    except InvalidInput:  # one line spoils the whole batch: read each line alone to find it
        return [pair for line in good for pair in _parsed_alone(line, past, catalog)]


def _parsed_alone(line: Line, past: Past, catalog: Catalog) -> list[tuple[Line, Item]]:
    try:
        return _good([line], _parse([line], catalog), past)
    except InvalidInput as fault:
        past.problems.append((line.where, str(fault)))
        return []


def _good(lines: list[Line], items: list[Item], past: Past) -> list[tuple[Line, Item]]:
    """The items that are events, each with its line; the rejected ones become problems."""
    for item in items:
        if item.result == REJECTED:
            told = f"{item.field}: {item.message}".removeprefix(": ")
            past.problems.append((lines[item.index].where, told))
    return [(lines[item.index], item) for item in items if item.event is not None]


def _parse(lines: list[Line], catalog: Catalog) -> list[Item]:
    body = b'{"batch":[' + b",".join(line.raw for line in lines) + b"]}"
    received_at_ms = lines[-1].at_ms if lines else 0
    return segment_format.parse_body(
        body,
        None,
        source=_SOURCE,
        channel="",
        received_at_ms=received_at_ms,
        imported=True,
        country=catalog.country,
        rules=catalog.identity,
        touchpoints=kinds_of(catalog),
    ).items


def _catalog(directory: Path) -> Catalog:
    """The proved catalog of a directory; its warnings go to stderr."""
    proved = proof.of_directory(directory, os.environ)
    for warning in proved.warnings:
        typer.echo(f"warning: {warning}", err=True)
    return replace(proved.catalog, id_key=seeds.FIXED_KEY)


def _opened(out: Path | None, files: list[Path]) -> IO[str] | None:
    if out is None:
        return None
    if out.resolve() in [file.resolve() for file in files]:
        raise UsageError("is one of the files to read", f"--out {out}")
    try:
        return out.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", f"--out {out}") from None


def _print(past: list[Past], *, as_json: bool, silence: bool) -> None:
    mine = past[0]
    if len(past) == 1:
        if as_json:
            extra = {"silence": mine.observer.silence()} if silence else {}
            typer.echo(json.dumps(mine.summary | extra, ensure_ascii=False))
            return
        screen.console().print(summary.table("What happened", ["count"], [mine.summary]))
        if silence:
            _report(mine)
        return
    other = past[1]
    compared = {
        "config": mine.summary,
        "against": other.summary,
        "difference": summary.difference(mine.summary, other.summary),
    }
    moved = summary.movement(mine.observer.sends_of, other.observer.sends_of)
    held = {"config": mine.observer.silence(), "against": other.observer.silence()}
    if as_json:
        typer.echo(json.dumps(compared | {"profiles": moved, "silence": held}, ensure_ascii=False))
        return
    title = "Under --config, and how that differs from --against"
    screen.console().print(summary.table(title, list(compared), list(compared.values())))
    typer.echo(f"{moved['gain']:,} profiles gain sends, {moved['lose']:,} lose sends")
    for name, one in (("--config", mine), ("--against", other)):
        typer.echo(f"\nUnder {name}:")
        _report(one)


def _report(past: Past) -> None:
    """Print the sends that were held back: by which rule, how often by that rule alone, and at what expected cost."""
    held = past.observer.silence()
    if held:
        screen.console().print(summary.silence_table(held, past.observer.currency))
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
