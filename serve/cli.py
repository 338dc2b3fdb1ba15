"""The command `segue`. Each command has a file in `serve/commands`; here it gets its name, and its errors become one
line each."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from engine.errors import CatalogError, PartLost, SegueError
from engine.values.nearest import nearest
from serve.commands import screen
from serve.process.ending import GAVE_UP, exit_now, tell

if TYPE_CHECKING:
    from typer._click import Command, Context  # Typer has click inside and exports no names for its types

# Each command and the module that it is in, in the order of the help.
_HOMES = MappingProxyType(
    {
        "init": "init",
        "up": "up",
        "demo": "demo",
        "replay": "running.replay",
        "simulate": "simulate",
        "validate": "validate",
        "profile": "running.profile",
        "plan": "running.plan",
        "apply": "running.apply",
        "rollback": "running.rollback",
        "journey": "running.journey",
        "things": "running.things",
        "transitions": "running.transitions",
        "identity": "identity.group",
        "pin": "running.pin",
        "unpin": "running.pin",
        "keys": "directory.keys",
        "dead-letters": "running.dead_letters",
        "sandbox": "running.sandbox",
        "verify": "directory.verify",
        "backup": "directory.backup",
        "restore": "directory.restore",
        "reshard": "directory.reshard",
        "train": "directory.train",
        "dashboard": "dashboard",
        "bench": "bench",
    }
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"segue {version('segue')}")
        raise typer.Exit


class _Commands(TyperGroup):
    """Imports a command only when it is asked for, so no command waits for the imports of another."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Context | None = None, **extra: Any
    ) -> Context:
        """In a pipe, help is plain and as wide as what it says: a frame is either too narrow or mostly empty."""
        if parent is None and not sys.stdout.isatty() and not screen.are_columns_set():
            self.rich_markup_mode = None
            extra["terminal_width"] = screen.PIPE_COLUMNS
        return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: Context) -> list[str]:
        """The names of all commands."""
        return list(_HOMES)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """The command of that name; None where there is none."""
        if cmd_name not in _HOMES:
            return None
        module = import_module(f"serve.commands.{_HOMES[cmd_name]}")
        alone = typer.Typer(rich_markup_mode=self.rich_markup_mode)
        alone.callback()(_help)  # without it, Typer takes a lone command for the whole program
        if isinstance(several := getattr(module, "app", None), typer.Typer):
            alone.add_typer(several, name=cmd_name)
        else:
            alone.command(cmd_name)(getattr(module, cmd_name.replace("-", "_")))
        return typer.main.get_group(alone).commands[cmd_name]


def _help() -> None:
    """One conversation per customer, across every channel, with promises that hold."""


def _segue(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """One conversation per customer, across every channel, with promises that hold."""


app = typer.Typer(
    name="segue", cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.callback()(_segue)


def main() -> None:
    """Run a command. Exit codes: 0 fine, 1 a check failed, 2 used wrongly or bad configuration, 3 the engine lost a
    part of itself; no traceback."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except typer.TyperException as error:
        _end(_usage(error), getattr(error, "exit_code", 2))
    except typer.Abort:
        _end("given up", 1)
    except BrokenPipeError:  # the reader of our output has enough, as `head` has
        # Python flushes stdout at its exit, and would complain there of the same closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        named = f"{error.filename}: " if error.filename is not None else ""
        _end(f"{named}{error.strerror or error}", 2)
    except CatalogError as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        sys.exit(2)
    except PartLost as error:
        tell(str(error))
        exit_now(GAVE_UP)  # Ray's exit handlers may wait for the part that is lost
    except SegueError as error:
        _end(str(error), 2)


def _end(line: str, code: int) -> NoReturn:
    if line:
        print(f"segue: {line}".replace("\n", " "), file=sys.stderr)
    sys.exit(code)


def _usage(error: typer.TyperException) -> str:
    """The fault of a command line in one line, with the command that was probably meant."""
    message = str(getattr(error, "format_message", error.__str__)())
    context = getattr(error, "ctx", None)
    if context is None or not message:
        return message
    if found := re.match(r"No such command ['\"]([^'\"]*)['\"]", message):
        known = nearest(found[1], context.command.list_commands(context), 0.6)
        message = f"there is no command {found[1]!r}" + (f", did you mean {known!r}?" if known else "")
    return f"{message} ({context.command_path} --help says more)"
