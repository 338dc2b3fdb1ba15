"""`segue reshard`: another number of shards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from actors.platform import diary
from engine.errors import UsageError
from serve.commands import screen
from serve.process.data_directory import engine_key_of, stopped
from serve.process.settings import DATA, SHARDS_MAX


def reshard(
    shards: Annotated[int, typer.Option("--shards", help="How many shards there shall be.")],
    data: Annotated[Path, typer.Option("--data", help="The data directory of a stopped engine.")] = DATA,
) -> None:
    """Give a stopped engine another number of shards. It can be killed and run again: until all is copied and checked,
    the old stores count."""
    from actors.maintenance.reshard import Reshard  # opens RocksDB, which the other commands need not wait for
    from actors.storage.vault import FileVault

    if not 1 <= shards <= SHARDS_MAX:
        raise UsageError(f"must be from 1 to {SHARDS_MAX}", "--shards")
    pins = sorted(path.name.removeprefix("pin-") for path in data.glob("pin-*"))
    if pins:  # the shard of a pinned profile notes it in its own store, and that store is replaced here
        raise UsageError(
            f"{len(pins)} profiles are pinned; start the engine and unpin {', '.join(pins)} first", "--data"
        )
    console = screen.console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with stopped(data) as made, Progress(*columns, console=console) as bar:
        task = bar.add_task("copying", total=None)
        vault = FileVault(data / "vault", engine_key_of(data, os.environ.get("SEGUE_ENGINE_KEY")))
        work = Reshard(data, shards, vault, lambda what, done: bar.update(task, description=what, completed=done))
        bar.update(task, total=work.about())
        totals = work.run()
        bar.update(task, description="done", completed=work.copied, total=work.copied)
        if totals:
            diary.write(data, "resharded", shards=shards, former=made["shards"], profiles=totals["profiles"])
    if not totals:
        console.print(f"{data} has {shards} shards; start it with --shards {shards}")
        return
    console.print(
        f"{data}: {totals['profiles']:,} profiles and {sum(totals.values()) - totals['profiles']:,} records "
        f"of {made['shards']} shards are now on {shards}; start it with --shards {shards}"
    )
