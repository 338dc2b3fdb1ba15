"""`segue train`: a model's coefficients or rates, from what became of the actions that a stopped engine has shown."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from actors.catalog_files import config_files
from actors.platform import durable
from actors.storage import store_folders
from engine.catalog.compiled import Catalog
from engine.catalog.schema.models import PropensityModel
from engine.errors import UsageError
from engine.propensity.features import features_of, vector
from engine.propensity.models import context_reader
from engine.propensity.training import Quality, Shown, fit
from engine.view import View
from serve.commands import screen
from serve.process import which_catalog
from serve.process.data_directory import engine_key_of, id_key_of, stopped
from serve.process.settings import DATA

_DAY_MS = 86_400_000


def train(
    model: Annotated[str, typer.Option("--model", help="The model's name in models/.")],
    data: Annotated[Path, typer.Option("--data", help="The data directory of a stopped engine.")] = DATA,
    config: Annotated[Path | None, typer.Option("--config", help="The directory of the catalog.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to write the model; its own file.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="A click counts within so many days of the view.")] = 7,
) -> None:
    """Fit a model and print how good it is on customers that it has not seen."""
    directory = which_catalog.which(config)
    catalog, documents = config_files.load(directory), config_files.read(directory)
    typer.echo(which_catalog.line(directory, catalog.version))
    declared = _declared(documents.data, model)
    checked = PropensityModel.model_validate(declared).model_dump(by_alias=True, exclude_unset=True)
    body = checked.get("logistic") or {}
    by = context_reader((checked.get("rates") or {}).get("by") or {})

    def read(view: View, facts: Mapping[str, Any]) -> tuple[Sequence[float], str]:
        return vector(features_of(body.get("features", ()), facts), view), by(view)

    rows = _rows(data, catalog, read, days * _DAY_MS)
    made, quality = fit(declared, rows)
    made["trained"] = {"rows": quality.rows, "auc": round(quality.auc, 4), "logLoss": round(quality.log_loss, 5)}
    target = out or directory / "models" / f"{model}.yaml"
    durable.write(target, _yaml(made), mode=0o644)  # a file of the catalog, and no secret
    _print(screen.console(), model, quality, target)


def _rows(data: Path, catalog: Catalog, read: Any, within_ms: int) -> list[Shown]:
    from actors.maintenance import training_samples  # opens RocksDB, which the other commands need not wait for
    from actors.storage.vault import FileVault

    with stopped(data):
        store_folders.check_settled(data)
        vault = FileVault(data / "vault", engine_key_of(data, os.environ.get("SEGUE_ENGINE_KEY")))
        known = replace(catalog, id_key=id_key_of(data, os.environ.get("SEGUE_ID_KEY")))
        paths = [*sorted(data.glob("shard-*")), *sorted(data.glob("pin-*"))]
        return list(training_samples.samples(paths, vault, known, read, within_ms))


def _declared(document: Mapping[str, Any], model: str) -> dict[str, Any]:
    found = [data for file, data in document.items() if file.startswith("models/") and isinstance(data, dict)]
    declared = next((data for data in found if data.get("id") == model), None)
    if declared is None:
        raise UsageError(f"no model called {model!r} is in models/", "--model")
    return dict(declared)


def _yaml(made: Mapping[str, Any]) -> str:
    text = StringIO()
    writer = YAML()
    writer.default_flow_style = None
    writer.width = 120
    writer.dump(made, text)
    return text.getvalue()


def _print(console: Console, model: str, quality: Quality, target: Path) -> None:
    console.print(
        f"{model}: {quality.rows:,} shown actions, {quality.base_rate:.2%} taken; judged by {quality.held_out:,} of "
        f"customers that it has not seen"
    )
    console.print(f"AUC {quality.auc:.3f}, log loss {quality.log_loss:.4f}")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("tenth", "actions", "mean chance", "taken"):
        table.add_column(column, justify="right")
    for number, (count, chance, taken) in enumerate(quality.calibration, 1):
        table.add_row(str(number), f"{count:,}", f"{chance:.2%}", f"{taken:.2%}")
    console.print(table)
    console.print(f"written to {target}")
