"""What is wrong on the command line is said in one line on stderr, with exit code 2 and without a traceback."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine, run_segue, write_catalog

from actors.platform.ports import free_port


def test_a_wrong_type_in_yaml_is_named_by_file_and_line(tmp_path: Path, shop_files: dict[str, str]):
    broken = shop_files | {"policies.yaml": "caps:\n  - id: alerts\n    limit: many\n    per: 7d\n"}
    config = write_catalog(tmp_path / "configs", broken)
    for command in ("validate", "up"):
        said = _refused(command, "--config", config, *(_elsewhere(tmp_path) if command == "up" else ()))
        assert re.match(r"\S*policies\.yaml:3: caps\[1\]\.limit: \S", said), said
    assert not (tmp_path / "data").exists()


def test_a_directory_without_a_catalog_is_named(tmp_path: Path):
    assert "nowhere" in _refused("up", "--config", tmp_path / "nowhere", *_elsewhere(tmp_path))


def test_a_second_engine_on_the_same_data_is_told_so(shop: Engine):
    said = _refused("up", "--config", shop.config, "--data", shop.data, "--port", free_port(), "--shards", shop.shards)
    assert "already runs" in said and str(shop.data) in said


def test_an_occupied_port_is_named(shop: Engine, tmp_path: Path):
    said = _refused("up", "--config", shop.config, "--data", tmp_path / "data", "--port", shop.port)
    assert str(shop.port) in said and "--port" in said
    assert not (tmp_path / "data").exists()


def test_a_data_directory_that_cannot_be_written_is_named(shop: Engine, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text("not a directory")
    for data in (file / "data", file, Path("/dev/null/data")):
        said = _refused("up", "--config", shop.config, "--data", data, "--port", free_port())
        assert str(data) in said and "--data" in said


def test_data_that_was_made_otherwise_is_not_opened(tmp_path: Path, shop: Engine):
    data = tmp_path / "data"  # of three shards, on the wall clock
    shutil.copytree(shop.data, data, ignore=shutil.ignore_patterns("LOCK", "run.json"))
    where = ("--config", shop.config, "--data", data, "--port", free_port())
    assert "--shards" in _refused("up", *where, "--shards", 5)
    assert "--clock" in _refused("up", *where, "--shards", 3, "--clock", "replay")


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--clock", "sundial"), "--clock"),
        (("--port", "0"), "--port"),
        (("--port", "http"), "--port"),
        (("--shards", "0"), "--shards"),
        (("--shards", "100000"), "--shards"),
        (("--colour", "red"), "--colour"),
    ],
)
def test_a_flag_that_cannot_be_is_named(tmp_path: Path, flags: tuple[str, str], named: str):
    done = run_segue("up", "--data", tmp_path / "data", *flags)
    assert done.returncode == 2
    assert named in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_keys_that_cannot_work_are_named_and_not_shown(tmp_path: Path, shop: Engine):
    for keys, named in (
        ({"SEGUE_WRITE_KEY": "with space"}, "SEGUE_WRITE_KEY"),
        ({"SEGUE_WRITE_KEY": SERVER_KEY}, "two keys are equal"),
        ({"SEGUE_ID_KEY": "short"}, "SEGUE_ID_KEY"),
    ):
        done = run_segue("up", "--config", shop.config, *_elsewhere(tmp_path), environment=keys)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert named in done.stderr and WRITE_KEY not in done.stderr and SERVER_KEY not in done.stderr


def _elsewhere(folder: Path) -> tuple[str | Path, ...]:
    return ("--data", folder / "data", "--port", str(free_port()))


def _refused(*arguments: str | Path | int) -> str:
    done = run_segue(*map(str, arguments))
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == "" and "Traceback" not in done.stderr
    assert done.stderr.endswith("\n") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr
