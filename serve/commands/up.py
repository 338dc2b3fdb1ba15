"""`segue up`: an engine that runs until Ctrl-C."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import watchfiles
from rich.console import Console
from rich.markup import escape

from actors.platform import listening
from engine.catalog import statuses
from engine.errors import CatalogError, Forbidden, SegueError
from serve.commands import screen
from serve.process import interrupts, which_catalog
from serve.process import settings as process_settings
from serve.process.engine_process import EngineProcess

_PROPOSAL = "proposal:       the directory holds what nobody has approved; segue plan shows it, segue apply does it"
TOKEN_COMMAND = Path(sys.executable).with_name("ray")


def up(
    config: Annotated[Path | None, typer.Option("--config", help="The directory of the catalog.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Where everything is kept.")] = None,
    port: Annotated[int, typer.Option("--port", help="Where HTTP is answered.")] = 8000,
    shards: Annotated[
        int | None, typer.Option("--shards", help="Fixed at the first start; one per core, at least 2.")
    ] = None,
    address: Annotated[str, typer.Option("--address", help="A Ray cluster to join.")] = "",
    clock: Annotated[str, typer.Option("--clock", help="wall, or replay: it moves only by POST /v1/clock.")] = "wall",
) -> None:
    """Start the engine; it runs until Ctrl-C, which drains and stops it. SIGHUP replaces the ingress, and no request
    fails."""
    asked = process_settings.read(config=config, data=data, port=port, shards=shards, address=address, clock=clock)
    console = screen.console()
    interrupts.listen()
    engine = EngineProcess(asked)
    console.print(escape(which_catalog.line(asked.config, engine.catalog.version)), soft_wrap=True)
    try:
        engine.start()
        interrupts.listen()  # again, because Ray has set handlers of its own
        announce(console, engine)
        with watching(console, engine):
            interrupts.wait(lambda: redeploy(console, engine))
    except KeyboardInterrupt:
        console.print("stopping …")
    finally:
        interrupts.ignore()
        engine.stop()
    engine.leave(0)


def redeploy(console: Console, engine: EngineProcess) -> None:
    """New processes for the ingress, with the code that is installed now."""
    console.print("ingress:        its replicas are being replaced")
    try:
        engine.redeploy()
    except Exception as error:  # the outermost loop of this shell: the old replicas serve on
        console.print(f"[bold red]the ingress is not replaced:[/] {escape(f'{type(error).__name__}: {error}')}")
    else:
        console.print("ingress:        all replicas are new")


def announce(console: Console, engine: EngineProcess) -> None:
    """Print the URLs, and the keys that were just made: only their hashes are kept, so they are shown this once."""
    console.print(f"[bold]Segue[/] is ready: {engine.settings.url}  (API: {engine.settings.url}/docs)")
    console.print(f"Ray dashboard:  {engine.dashboard_url}")
    console.print(f"  its token:    {shlex.quote(str(TOKEN_COMMAND))} get-auth-token", soft_wrap=True)
    console.print(f"data:           {engine.data.path}, {engine.settings.shards} shards, {engine.settings.clock} clock")
    if listening.is_open(engine.settings.addresses) and engine.settings.public_url == engine.settings.url:
        console.print(f"links:          in messages begin with {engine.settings.url}; set SEGUE_PUBLIC_URL")
    said = [
        row for row in statuses.listed(msgspec.msgpack.decode(engine.catalog.document)) if row["operator"] != "live"
    ]
    for row in said:
        console.print(f"journey:        {row['journey']} is {row['status']}, by command")
    if said:
        console.print(f"catalog:        {engine.catalog.version}, with what was said by command")
    if engine.is_proposal:
        console.print(_PROPOSAL)
    if engine.orphans:
        console.print(f"ended:          {engine.orphans} processes that a killed engine had left on this data")
    for notice in engine.notices:
        console.print(f"[bold red]damaged:[/]        {escape(notice)}", soft_wrap=True)
    warn(console, engine.warnings)
    for kind, key in engine.made_keys.items():
        console.print(f"{kind} key:".ljust(16) + key + "  (shown only now)")


def warn(console: Console, warnings: Iterable[str]) -> None:
    """Print the warnings: settings that the author of the catalog has hardly meant."""
    for warning in warnings:
        console.print(f"[yellow]warning:[/]        {escape(warning)}", soft_wrap=True)


@contextmanager
def watching(console: Console, engine: EngineProcess) -> Iterator[None]:
    """While the body runs, changes of the configuration directory take effect. A catalog with a fault is reported, and
    changes nothing."""
    over = threading.Event()

    def watch() -> None:
        for _ in watchfiles.watch(engine.settings.config, stop_event=over, raise_interrupt=False):
            before = engine.catalog.version
            try:
                version = engine.take_catalog()
            except CatalogError as error:
                engine.note("catalog_refused", "warning", by="directory", problems=list(error.problems))
                told = escape("\n  ".join(("", *error.problems)))
                console.print(f"[bold red]the catalog is not taken:[/]{told}", soft_wrap=True)
            except Forbidden:
                engine.note("catalog_proposed", by="directory")
                console.print(_PROPOSAL)
            except SegueError as error:
                engine.note("catalog_refused", "warning", by="directory", problems=[str(error)])
                console.print(f"[bold red]the catalog is not taken:[/] {escape(str(error))}", soft_wrap=True)
            else:
                if version != before:
                    engine.note("catalog_taken", by="directory", version=version, previous=before)
                    console.print(f"catalog:        {version} takes effect")
                    warn(console, engine.warnings)

    thread = threading.Thread(target=watch, name="catalog", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)
