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
    typer.echo(f"  cd {shlex.quote(_as_argument(directory))}")
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
    elif directory.is_symlink():
        raise UsageError("is a link that leads nowhere", str(directory))


def _as_argument(directory: Path) -> str:
    """The directory as a command takes it: what begins with `-` would be read as an option."""
    return f"./{directory}" if str(directory).startswith("-") else str(directory)


def _make(directory: Path, template: Template) -> None:
    """Make the workspace, or leave nothing of it; UsageError says what the system does not let it do."""
    absent = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        _write(directory, template)
    except BaseException as error:  # Ctrl-C too: a directory with half a workspace would be refused the next time
        _remove(absent or list(directory.iterdir()))
        if isinstance(error, OSError):
            raise UsageError(error.strerror or str(error), str(directory)) from None
        raise


def _write(directory: Path, template: Template) -> None:
    source = TEMPLATES / template
    directory.mkdir(parents=True, exist_ok=True)
    # The schemas are those of this version, so they are written anew and not copied from a template.
    write_schemas(directory / HERE / "schema")
    for path in sorted(source.rglob("*")):
        within = path.relative_to(source)
        if "schema" in within.parts or "playbooks" in within.parts:  # playbooks are put in one by one
            continue
        if path.is_dir():
            (directory / within).mkdir(exist_ok=True)
        else:
            # It leaves permissions behind: a package may be installed read-only, a workspace is there to be edited.
            shutil.copyfile(path, directory / within)
    for name, dotted in _DOTTED.items():
        shutil.copyfile(TEMPLATES / "common" / name, directory / dotted)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
