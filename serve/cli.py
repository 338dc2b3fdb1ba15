"""The command `segue`: one file per command in `serve/commands`; here they get their names and their errors one
line."""

from __future__ import annotations

import sys
from importlib import import_module
from types import MappingProxyType

import typer
from typer.core import TyperGroup

from engine.errors import CatalogError, PartLost, SegueError
from serve.ending import GAVE_UP, exit_now, tell

# Each command and the module that it is in, in the order of the help.
_HOMES = MappingProxyType(
    {
        "up": "up",
        "demo": "demo",
        "replay": "replay",
        "simulate": "simulate",
        "validate": "validate",
        "profile": "profile",
        "journey": "journey",
        "pin": "pin",
        "unpin": "pin",
        "keys": "keys",
        "dead-letters": "dead_letters",
        "verify": "verify",
        "backup": "backup",
        "restore": "restore",
        "reshard": "reshard",
        "train": "train",
        "dashboard": "dashboard",
        "bench": "bench",
    }
)


class _Commands(TyperGroup):
    """Imports a command when somebody asks for it: otherwise each would wait for what all of them need."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """All names."""
        return list(_HOMES)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> typer.core.TyperCommand | TyperGroup | None:
        """The command of that name; None where there is none."""
        if cmd_name not in _HOMES:
            return None
        module = import_module(f"serve.commands.{_HOMES[cmd_name]}")
        alone = typer.Typer()
        alone.callback()(_help)  # without it, Typer takes a lone command for the whole program
        if isinstance(several := getattr(module, "app", None), typer.Typer):
            alone.add_typer(several, name=cmd_name)
        else:
            alone.command(cmd_name)(getattr(module, cmd_name.replace("-", "_")))
        return typer.main.get_group(alone).commands[cmd_name]


def _help() -> None:
    """One conversation per customer, across every channel, with promises that hold."""


app = typer.Typer(
    name="segue", cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.callback()(_help)


def main() -> None:
    """Run a command. Exit codes: 0 fine, 1 a check failed, 2 used wrongly or bad configuration, 3 the engine lost a
    part of itself; no traceback."""
    try:
        app()
    except CatalogError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        sys.exit(2)
    except PartLost as error:
        tell(str(error))
        exit_now(GAVE_UP)
    except SegueError as error:
        print(f"segue: {error}".replace("\n", " "), file=sys.stderr)
        sys.exit(2)
