"""`segue validate`: proves `configs/`. It writes nothing, unless it is asked for the JSON Schema that editors use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from actors.catalog_proof import own_process
from actors.catalog_proof.proof import Proved
from engine.catalog.compiled import Catalog
from engine.catalog.schema import files
from engine.errors import CatalogError
from serve.process import which_catalog

STORIES_MAX: Final = 10  # that are printed: of the others, what they show


def validate(
    config: Annotated[Path | None, typer.Option("--config", help="The directory of the catalog.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 where there is a warning.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that was found as JSON.")] = False,
    write_schema: Annotated[bool, typer.Option("--write-schema", help="Renew its schema/*.json first.")] = False,
) -> None:
    """Prove the catalog: compile it, build its channels, write every message to made-up customers, and rehearse where
    journeys clash. Prints every problem as `file:line: path: message`; exit 2 if there is any. Warnings and notes are
    printed too, after `warning:` and `note:`, with the story that shows them."""
    directory = which_catalog.which(config)
    if write_schema:
        write_schemas(directory / "schema")
    try:
        proved = own_process.prove_directory(directory, os.environ, clashes=True)
    except CatalogError as error:
        if as_json:
            typer.echo(json.dumps({"problems": error.problems}, indent=2, ensure_ascii=False))
        for problem in () if as_json else error.problems:
            typer.echo(problem, err=True)
        raise typer.Exit(2) from None
    if as_json:
        typer.echo(json.dumps(_as_data(proved), indent=2, ensure_ascii=False))
    else:
        _show(proved)
        typer.echo(f"{which_catalog.line(directory, proved.catalog.version)}, {_counted(proved.catalog)}")
    if strict and (proved.warnings or any(found.kind == "warning" for found in proved.findings)):
        raise typer.Exit(1)


def _show(proved: Proved) -> None:
    """Print warnings, then what clashes, each with its story."""
    for warning in proved.warnings:
        typer.echo(f"warning: {warning}", err=True)
    told = 0
    for found in sorted(proved.findings, key=lambda each: each.kind, reverse=True):
        typer.echo(f"{found.kind}: {found}", err=True)
        is_harmless = found.verdict is not None and found.verdict.kind == "room"
        if found.witness is not None and not is_harmless and told < STORIES_MAX:
            told += 1
            for line in found.witness.lines:
                typer.echo(f"    {line}", err=True)
    if sum(found.witness is not None for found in proved.findings) > told:
        typer.echo("note: `segue validate --json` has the story of each finding", err=True)


def _as_data(proved: Proved) -> dict[str, Any]:
    """What was found, as other programs read it."""
    return {
        "version": proved.catalog.version,
        "problems": [],
        "warnings": proved.warnings,
        "findings": msgspec.to_builtins(proved.findings),
    }


def write_schemas(directory: Path) -> None:
    """Write the JSON Schema of each kind of file, for editors."""
    directory.mkdir(parents=True, exist_ok=True)
    for kind, text in schema_texts().items():
        (directory / f"{kind}.json").write_text(text, "utf-8")


def schema_texts() -> dict[str, str]:
    """The texts that `configs/schema/` should hold, by kind of file."""
    return {
        kind: json.dumps(found, indent=2, ensure_ascii=False) + "\n" for kind, found in files.json_schemas().items()
    }


def _counted(catalog: Catalog) -> str:
    counts = {
        "channels": catalog.channels,
        "actions": catalog.actions,
        "journeys": catalog.journeys,
        "caps": catalog.caps,
        "suppressions": catalog.suppressions,
        "stops": catalog.stops,
        "segments": catalog.segments,
        "placements": catalog.placements,
        "templates": catalog.templates,
    }
    return ", ".join(f"{len(found)} {what}" for what, found in counts.items())
