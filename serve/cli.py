"""The command `segue`: one file per command in `serve/commands`; here they get their names and their errors one
line."""

from __future__ import annotations

import sys

import typer

from engine.errors import CatalogError, SegueError
from serve.commands import keys
from serve.commands.backup import backup
from serve.commands.bench import bench
from serve.commands.dashboard import dashboard
from serve.commands.dead_letters import dead_letters
from serve.commands.demo import demo
from serve.commands.pin import pin, unpin
from serve.commands.profile import profile
from serve.commands.replay import replay
from serve.commands.reshard import reshard
from serve.commands.restore import restore
from serve.commands.simulate import simulate
from serve.commands.train import train
from serve.commands.up import up
from serve.commands.validate import validate
from serve.commands.verify import verify

app = typer.Typer(
    name="segue",
    help="One conversation per customer, across every channel, with promises that hold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("dead-letters")(dead_letters)
app.add_typer(keys.app, name="keys")
for command in (
    up,
    demo,
    replay,
    simulate,
    validate,
    profile,
    pin,
    unpin,
    verify,
    backup,
    restore,
    reshard,
    train,
    dashboard,
    bench,
):
    app.command(command.__name__)(command)


def main() -> None:
    """Run a command. Exit codes: 0 fine, 1 a check failed, 2 used wrongly or bad configuration; no traceback."""
    try:
        app()
    except CatalogError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        sys.exit(2)
    except SegueError as error:
        print(f"segue: {error}".replace("\n", " "), file=sys.stderr)
        sys.exit(2)
