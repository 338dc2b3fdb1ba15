"""`segue up`: what it prints while it runs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from support.running import eventually

from engine.errors import CatalogError, Forbidden
from serve.commands import up


def test_a_catalog_that_is_not_taken_is_told_a_fault_a_line(tmp_path: Path):
    def refuse() -> str:
        raise CatalogError(("a.yaml:1: id: missing", "b.yaml:2: id: missing"))

    shown = StringIO()
    engine: Any = SimpleNamespace(
        settings=SimpleNamespace(config=tmp_path),
        catalog=SimpleNamespace(version="v"),
        take_catalog=refuse,
        note=lambda *_, **__: None,
    )

    def told() -> str:
        (tmp_path / "a.yaml").write_text("id:")  # again and again: the watch may begin after the first
        return shown.getvalue()

    with up.watching(Console(file=shown), engine):
        said = eventually(told)
    assert said.startswith("the catalog is not taken:\n  a.yaml:1: id: missing\n  b.yaml:2: id: missing\n")


def test_a_directory_that_nobody_approved_is_called_a_proposal_and_nothing_takes_effect(tmp_path: Path):
    def refuse() -> str:
        raise Forbidden("this workspace takes only what was approved")

    shown, noted = StringIO(), list[tuple[str, Any]]()
    engine: Any = SimpleNamespace(
        settings=SimpleNamespace(config=tmp_path),
        catalog=SimpleNamespace(version="v"),
        take_catalog=refuse,
        note=lambda event, *_, **facts: noted.append((event, facts)),
    )

    def told() -> str:
        (tmp_path / "a.yaml").write_text("id: a")
        return shown.getvalue()

    with up.watching(Console(file=shown, width=200), engine):
        said = eventually(told)
    assert said.startswith("proposal:       the directory holds what nobody has approved; segue plan shows it")
    assert noted[0] == ("catalog_proposed", {"by": "directory"})
