"""The environment variables and the exit codes of the code are those of docs/reference.md, and the other way round."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serve.cli import _HOMES
from serve.process import settings
from serve.process.ending import GAVE_UP

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text("utf-8")
VARIABLE = re.compile(r"\bSEGUE_[A-Z0-9_]*[A-Z0-9]\b")
ENDING = {"Exit", "exit", "_exit", "exit_now", "_end"}  # what a process ends with, or a command


class Recorded(dict[str, str]):
    """An environment that is empty, and notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        self.asked.add(name)
        return default


def files(kind: str, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob(f"*.{kind}"))


def variables_of_the_code() -> set[str]:
    found = [*files("py", "engine", "actors", "serve", "loadtest"), *files("yaml", "configs", "serve/templates")]
    return {name for path in found for name in VARIABLE.findall(path.read_text("utf-8"))}


def variables_of_the_reference() -> set[str]:
    """Those that have a row in the table of variables."""
    rows = (line.split("|")[1] for line in REFERENCE.splitlines() if line.startswith("| `SEGUE_"))
    return {name for row in rows for name in VARIABLE.findall(row)}


def test_every_variable_of_the_code_has_a_row_in_the_reference():
    assert variables_of_the_code() - variables_of_the_reference() == set()


def test_every_row_of_the_reference_is_a_variable_of_the_code():
    assert variables_of_the_reference() - variables_of_the_code() == set()


def test_no_variable_is_mentioned_in_the_docs_that_the_reference_does_not_explain():
    pages = (ROOT / "docs").glob("*.md")
    mentioned = {name for page in pages for name in VARIABLE.findall(page.read_text("utf-8"))}
    assert mentioned - variables_of_the_reference() == set()


def test_what_an_engine_asks_its_environment_for_is_in_the_reference():
    environment = Recorded()
    settings.read(environment=environment)
    assert environment.asked
    assert environment.asked - variables_of_the_reference() == set()


def codes_of(path: Path) -> Iterator[int]:
    """The exit codes that stand in a module, as numbers or by the name of a constant."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and called(node.func) in ENDING:
            for given in ast.walk(node):
                if isinstance(given, ast.Constant) and type(given.value) is int:
                    yield given.value
                elif isinstance(given, ast.Name) and given.id == "GAVE_UP":
                    yield GAVE_UP


def called(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def codes_of_the_reference() -> dict[int, str]:
    """Each code with its meaning."""
    (sentence,) = re.findall(r"Exit codes: ([^.]*)\.", REFERENCE)
    return {int(code): meaning for code, meaning in re.findall(r"(\d) ([^,\d]+)", sentence)}


def test_the_exit_codes_of_the_command_line_are_those_of_the_reference():
    found = {code for path in files("py", "serve") for code in codes_of(path)}
    assert found | {0} == set(codes_of_the_reference())
    assert all(codes_of_the_reference().values())


@pytest.mark.parametrize("command", _HOMES)
def test_a_command_can_end_with_the_codes_that_its_row_names(command: str):
    rows = re.findall(rf"^\| `segue {command}[ `].*$", REFERENCE, re.MULTILINE)
    assert rows, f"{command} has no row"
    named = {int(code) for row in rows for code in re.findall(r"[Ee]xits? (?:with )?(\d)", row)}
    module = ROOT / "serve" / "commands" / f"{_HOMES[command].replace('.', '/')}.py"
    assert named - {2} <= set(codes_of(module))  # 2 is what every bad configuration ends with


FAULTS = [
    ("InvalidInput('no', 'x')", 2),
    ("UsageError('no', '--x')", 2),
    ("CatalogError(('a.yaml:1: no',))", 2),
    ("PartLost('gone')", GAVE_UP),
    ("PermissionError(13, 'no', 'file')", 2),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_a_fault_ends_with_the_code_that_the_reference_gives_it_and_without_a_traceback(fault: str, code: int):
    program = f"""
from engine.errors import *
from serve import cli
def broken(**_):
    raise {fault}
cli.app = broken
cli.main()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert code in codes_of_the_reference()
    assert done.stderr and "Traceback" not in done.stderr
