"""`segue keys`: make, list and revoke the keys of an engine, while it runs or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table

from actors.platform import diary
from engine.errors import UsageError
from serve.commands import screen
from serve.http import auth
from serve.process.settings import DATA

app = typer.Typer(help="Make, list and revoke keys; a running engine follows within a second.", no_args_is_help=True)

Data = Annotated[Path, typer.Option("--data", help="The data directory.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key stands for: the source of its events.")],
    kind: Annotated[Literal["write", "server"], typer.Option("--kind", help="write: for web pages.")] = "write",
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="Requests a second; any number.")] = None,
    data: Data = DATA,
) -> None:
    """Make a key and show it, this once."""
    made = auth.create(_file(data), name, kind, rate)
    diary.write(data, "key_created", name=name, kind=kind)
    typer.echo(made)


@app.command("list")
def listed(data: Data = DATA) -> None:
    """The keys' names, kinds and rates; never the keys."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "kind", "requests/s", "fingerprint"):
        table.add_column(column)
    for key in auth.known(_file(data)):
        table.add_row(key.name, key.kind, f"{key.per_s:g}" if key.per_s else "", key.sha256[:12])
    screen.console().print(table)


@app.command("user-secret")
def user_secret(name: Annotated[str, typer.Argument(help="The write key's name.")], data: Data = DATA) -> None:
    """Make the secret that a shop's server proves user ids with (userHash), and show it, this once."""
    made = auth.make_user_secret(_file(data), name)
    diary.write(data, "user_secret_made", name=name)
    typer.echo(made)


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")], data: Data = DATA) -> None:
    """Revoke a key. One of the two first keys is made anew at the next start."""
    auth.revoke(_file(data), name)
    diary.write(data, "key_revoked", name=name)
    typer.echo(f"{name} is revoked")


def _file(data: Path) -> Path:
    path = data / "keys.json"
    if not path.exists():
        raise UsageError(f"{data} is no data directory", "--data")
    return path
