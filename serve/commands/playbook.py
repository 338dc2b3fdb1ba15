"""`segue playbook …`: journeys that are ready to be used, under the shop's own event names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from engine.errors import UsageError
from serve.commands import screen
from serve.playbooks import adding, library, mapping
from serve.playbooks.histories import history as histories
from serve.process.which_catalog import HERE

app = typer.Typer(
    no_args_is_help=True, help="Journeys that are ready to be used: list, show, add, and a history to try."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Its name, or the path of a folder of your own.")]
Maps = Annotated[
    list[str] | None,
    typer.Option("--map", help='Your own name: "Order Completed=purchase_done", "Order Completed.order_id=order.no".'),
]


@app.command("list")
def listed() -> None:
    """The playbooks that come with Segue."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "what it is", "measured by"):
        table.add_column(column)
    for name in library.names():
        playbook = library.find(name).playbook
        table.add_row(name, playbook.title, playbook.outcome)
    screen.console().print(table)


@app.command()
def show(name: Name) -> None:
    """What a playbook does, which events it needs, and how it is measured."""
    found = library.find(name)
    playbook = found.playbook
    typer.echo(f"{playbook.title}\n\n{playbook.story}\n")
    for number, step in enumerate(playbook.steps, 1):
        typer.echo(f"  {number}. {step}")
    typer.echo("\nThe events that it needs, each with the properties that it reads (* required):")
    for event, wanted in playbook.events.items():
        read = ", ".join(f"{path}*" if path in wanted.required else path for path in wanted.paths())
        typer.echo(f"  {event}: {wanted.why}" + (f"\n      {read}" if read else ""))
    for trait, why in playbook.traits.items():
        typer.echo(f"  the trait {trait}: {why}")
    typer.echo(f"\nMeasured by: {playbook.outcome}")
    typer.echo(f"Holdout: {playbook.holdout.id} keeps back {playbook.holdout.of}")
    typer.echo(f"Files: {found.configs}")


@app.command()
def add(
    name: Name,
    maps: Maps = None,
    config: Annotated[Path, typer.Option("--config", help="The directory of your catalog.")] = Path(HERE),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
) -> None:
    """Put a playbook into a workspace, under the shop's own names. What the workspace says stays, with its comments.
    Nothing is written unless the whole catalog holds afterwards."""
    found = library.find(name)
    names = mapping.parse(maps or [], adding.events_of(found))
    if not config.is_dir():
        raise UsageError("there is no such directory; `segue init` makes a workspace", str(config))
    change = adding.plan(found, names, config)
    if not dry_run:
        adding.write(change, config)
    for file in sorted(change.files):
        typer.echo(f"{'would change' if dry_run else 'wrote'}  {file}")
    for note in change.notes:
        typer.echo(f"note: {note}", err=True)
    for warning in change.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if not change.files:
        typer.echo(f"{found.playbook.id} is there already")


@app.command()
def history(
    name: Name,
    maps: Maps = None,
    customers: Annotated[int, typer.Option("--customers", min=1, max=100_000, help="How many.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="The same number makes the same history.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", help="Where to; the screen, where nothing is said.")] = None,
) -> None:
    """Make events of invented customers that show a playbook, for `segue simulate` and `segue replay`."""
    found = library.find(name)
    names = mapping.parse(maps or [], adding.events_of(found))
    lines = (
        json.dumps(line, ensure_ascii=False) + "\n" for line in histories.made(found.playbook, names, customers, seed)
    )
    if out is None:
        sys.stdout.writelines(lines)
        return
    try:
        with out.open("w", encoding="utf-8") as file:
            file.writelines(lines)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", f"--out {out}") from None
    typer.echo(f"{out}: {customers:,} customers, seed {seed}. See it: segue simulate --events {out}")
