"""`segue init`: a workspace to begin with, from a template that comes with Segue."""

from __future__ import annotations

import shlex
import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from engine.errors import UsageError
from serve.commands.validate import write_schemas
from serve.process.which_catalog import HERE, TEMPLATES


class Template(StrEnum):
    """The templates from which a workspace can be made."""

    SHOP = "shop"
    BLANK = "blank"


# In the package these names have no dot, because with one they would be rules for this repository, too.
_DOTTED: Final = {"gitignore": ".gitignore", "env.example": ".env.example"}


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where: it must be absent or empty.")],
    template: Annotated[
        Template, typer.Option("--template", help="shop: the whole example. blank: the least that runs.")
    ] = Template.SHOP,
) -> None:
    """Make a workspace: a commented catalog, events to try it on, and a README that says what is what."""
    _check_usable(directory)
    _make(directory, template)
    typer.echo(f"{directory} is a workspace, made from the template {template.value!r}. Next:")
    typer.echo(f"  cd {shlex.quote(str(directory))}")
    typer.echo("  segue validate                        # prove the catalog")
    typer.echo("  segue simulate --events events.jsonl  # what would happen, without starting anything")
    typer.echo("  segue up                              # start the engine; README.md says how to talk to it")


def _check_usable(directory: Path) -> None:
    """UsageError where the directory has something in it, or is none."""
    if directory.is_dir():
        if any(directory.iterdir()):
            raise UsageError("is not empty; a workspace is made in a new or empty directory", str(directory))
    elif directory.exists():
        raise UsageError("is not a directory", str(directory))


def _make(directory: Path, template: Template) -> None:
    # The schemas are those of this version, so they are written anew and not copied from a template.
    ignored = shutil.ignore_patterns("schema")
    # `copyfile` leaves permissions behind: a package may be installed read-only, a workspace is there to be edited.
    shutil.copytree(TEMPLATES / template, directory, ignore=ignored, copy_function=shutil.copyfile, dirs_exist_ok=True)
    write_schemas(directory / HERE / "schema")
    for name, dotted in _DOTTED.items():
        shutil.copyfile(TEMPLATES / "common" / name, directory / dotted)
