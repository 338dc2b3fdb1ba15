"""What the pages say of playbooks is what the playbooks are, and the README's second section runs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve.cli import app
from serve.playbooks import library

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", library.names())
def test_its_page_names_what_it_needs_and_how_it_is_measured(name: str):
    page = (ROOT / f"docs/playbooks/{name}.md").read_text("utf-8")
    found = library.find(name)
    playbook = found.playbook
    said = [page.count(f"`{event}`") for event in playbook.events]
    assert all(said) and playbook.title in page and f"`{playbook.holdout.id}`" in page
    for planned in playbook.events.values():
        assert {path for path in planned.paths() if f"`{path}`" not in page} == set()
    files = re.findall(r"`((?:actions|journeys|templates)/[\w.]+|\w+\.yaml)`", page)
    assert files and all((found.configs / file).exists() for file in files)


def test_the_readmes_second_section_has_one_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    headings = re.split(r"^## ", (ROOT / "README.md").read_text("utf-8"), flags=re.MULTILINE)
    section = headings[2]
    assert section.startswith("Run your first playbook")
    (block,) = re.findall(r"```\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for line in block.replace(" && ", "\n").splitlines():
        program, *words = shlex.split(line)
        if program == "cd":
            monkeypatch.chdir(tmp_path / words[0])
        elif program == "segue":
            done = CliRunner().invoke(app, words, catch_exceptions=False)
            assert done.exit_code == 0, (line, done.output)
            ran += 1
    assert ran == 5
