"""One rule for every command says which catalog is meant, and each says which one it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.world import document
from typer.testing import CliRunner, Result

from actors.catalog_files import config_files
from serve.cli import app
from serve.process import settings as process_settings
from serve.process import which_catalog

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder without any catalog."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_catalog(directory: Path) -> Path:
    """A small catalog."""
    for name, content in document().items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else str(content).replace("'", '"').replace("True", "true"))
    return directory


def said(directory: Path) -> str:
    return f"configs: {directory.resolve()}, version {config_files.load(directory).version}"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.mark.parametrize("place", ["named", "here", "shipped"])
def test_every_command_means_the_same_catalog_and_says_which(elsewhere: Path, place: str):
    directory = {"named": elsewhere / "mine", "here": elsewhere / "configs", "shipped": ROOT / "configs"}[place]
    if place != "shipped":
        write_catalog(directory)
    if place == "named":
        (elsewhere / "configs").mkdir()  # it is not asked
    given = ("--config", directory) if place == "named" else ()
    history = elsewhere / "history.jsonl"
    history.write_text("")
    assert said(directory) in run("validate", *given).stdout.splitlines()[0]
    assert run("simulate", "--events", history, *given).stdout.splitlines()[0] == said(directory)
    config = directory if place == "named" else None
    assert process_settings.read(config=config, environment={}).config == directory.resolve()  # of up and demo


def test_a_file_called_configs_is_no_catalog(elsewhere: Path):
    (elsewhere / "configs").write_text("of somebody else")
    assert which_catalog.which(None) == (ROOT / "configs").resolve()


def test_no_command_has_a_rule_of_its_own():
    commands = {path.stem: path.read_text() for path in (ROOT / "serve" / "commands").rglob("*.py")}
    # A proposal and the workspace that a playbook goes into are directories that somebody names.
    named_by_hand = {"planning", "playbook"}
    asking = {name for name, text in commands.items() if '"--config"' in text} - named_by_hand
    assert asking == {"up", "demo", "simulate", "validate", "train"}
    assert {name for name in asking if "which_catalog.line(" not in commands[name]} == set()
    named = [path for path in (ROOT / "serve").rglob("*.py") if '"configs"' in path.read_text()]
    assert [path.name for path in named] == ["which_catalog.py"]
