"""`segue init`: what it makes is proved, runs, and says of itself what is true; what is there already is left alone."""

from __future__ import annotations

import errno
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.errors import UsageError
from serve.cli import app
from serve.commands.init import Template
from serve.commands.validate import schema_texts
from serve.process import which_catalog

EVERY = [template.value for template in Template]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(params=EVERY)
def workspace(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace of each template, as the current folder."""
    made = run("init", tmp_path / "mine", "--template", request.param)
    assert made.exit_code == 0, made.output
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def test_its_catalog_is_proved_without_a_warning(workspace: Path):
    proved = run("validate", "--strict")
    assert proved.exit_code == 0 and "warning: " not in proved.stderr, proved.output
    assert proved.stdout.startswith(f"configs: {workspace / 'configs'}, version ")


def test_its_readme_names_every_file_of_the_catalog_and_the_commands_that_it_prints_run(workspace: Path):
    text = (workspace / "README.md").read_text("utf-8")
    top = {path.name for path in (workspace / "configs").iterdir()}
    assert {name for name in top if name not in text} == set()
    without_engine, *_ = re.findall(r"^## .*?```\n(.*?)```", text, re.MULTILINE | re.DOTALL)
    for line in without_engine.splitlines():
        program, *words = shlex.split(line)
        assert program == "segue" and run(*words).exit_code == 0, line


def test_its_readme_never_goes_on_in_the_terminal_that_the_engine_holds(workspace: Path):
    blocks = re.findall(r"```\n(.*?)```", (workspace / "README.md").read_text("utf-8"), re.DOTALL)
    starting = [block for block in blocks if "segue up" in block]
    assert starting and all(block.splitlines()[-1].startswith("segue up") for block in starting)


def test_its_events_show_what_the_engine_does(workspace: Path):
    done = json.loads(run("simulate", "--events", "events.jsonl", "--json").stdout)
    assert done["sends"]["email"] >= 1 and done["timers"]["fired"] >= 1


def test_its_editor_schemas_are_those_of_this_version(workspace: Path):
    written = {path.stem: path.read_text("utf-8") for path in (workspace / "configs" / "schema").iterdir()}
    assert written == schema_texts()


def test_its_data_and_keys_belong_in_no_repository(workspace: Path):
    assert {".env", "segue-data/"} <= set((workspace / ".gitignore").read_text("utf-8").splitlines())
    assert "SEGUE_SERVER_KEY=" in (workspace / ".env.example").read_text("utf-8")


def test_the_shop_is_the_shipped_catalog(tmp_path: Path):
    assert run("init", tmp_path / "shop").exit_code == 0  # the template where none is named
    version = r"version (\w+)"
    mine = run("validate", "--config", tmp_path / "shop" / "configs").output
    shipped = run("validate", "--config", which_catalog.SHIPPED).output
    assert re.findall(version, mine) == re.findall(version, shipped)


def test_an_empty_folder_will_do(tmp_path: Path):
    assert run("init", tmp_path, "--template", "blank").exit_code == 0
    assert (tmp_path / "configs").is_dir()


def test_what_is_read_only_in_the_package_can_be_edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = tmp_path / "package"
    for folder in ("blank/configs", "common"):
        (source / folder).mkdir(parents=True)
    for name in ("blank/README.md", "common/gitignore", "common/env.example"):
        (source / name).write_text("x")
        (source / name).chmod(0o444)
    monkeypatch.setattr("serve.commands.init.TEMPLATES", source)
    assert run("init", tmp_path / "mine", "--template", "blank").exit_code == 0
    assert all(path.stat().st_mode & 0o200 for path in (tmp_path / "mine").rglob("*"))


@pytest.fixture(params=["absent/deep/mine", "empty"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / request.param


@pytest.mark.parametrize("end", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device", "/a/b")])
def test_what_is_stopped_half_way_leaves_nothing_and_works_the_next_time(
    target: Path, tmp_path: Path, end: BaseException, monkeypatch: pytest.MonkeyPatch
):
    before = sorted(tmp_path.rglob("*"))
    copies = iter(range(100))

    def copy(source: Path, to: Path) -> None:
        if next(copies) == 20:
            raise end
        to.write_bytes(source.read_bytes())

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfile", copy)
        if isinstance(end, OSError):
            with pytest.raises(UsageError) as refused:
                run("init", target)
            assert str(refused.value) == f"{target}: No space left on device"
        else:
            assert run("init", target).exit_code != 0
    assert next(copies) == 21
    assert sorted(tmp_path.rglob("*")) == before
    assert run("init", target).exit_code == 0


def test_the_folder_to_go_to_is_no_option_of_cd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert "  cd ./-P\n" in run("init", "--", "-P").output
    assert "  cd mine\n" in run("init", "mine").output


@pytest.mark.parametrize("to", ["nowhere", "link"])
def test_a_link_to_nothing_is_called_that(tmp_path: Path, to: str):
    (tmp_path / "link").symlink_to(tmp_path / to)
    with pytest.raises(UsageError, match="link: is a link that leads nowhere"):
        run("init", tmp_path / "link")
