"""What others install: the wheel in an environment of its own, run from an empty directory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

import pytest
from support.installing import HERE, PACKAGES, PYTHONS, NotHere, build_wheel, install
from support.running import Engine, run_segue

_DEMO_S = 240.0


@dataclass(frozen=True)
class Installed:
    """Segue in an environment, and an empty folder to be in."""

    programs: Path
    folder: Path

    def run(self, *words: str | Path, within: str = "", deadline_s: float = 60.0) -> str:
        """What a command that ends well prints."""
        segue = self.programs / "segue"
        done = run_segue(*words, segue=segue, cwd=self.folder / within, deadline_s=deadline_s)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Path]]]:
    """An environment for each Python, all made at once."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(folder)
    with ThreadPoolExecutor(len(PYTHONS)) as threads:
        yield {each: threads.submit(install, wheel, each, folder / f"python{each}") for each in PYTHONS}


@pytest.fixture(params=PYTHONS)
def installed(request: pytest.FixtureRequest, environments: dict[str, Future[Path]], tmp_path: Path) -> Installed:
    """Segue from its wheel, on one Python."""
    try:
        return Installed(environments[request.param].result(), tmp_path)
    except NotHere as reason:
        pytest.skip(str(reason))


def test_a_workspace_is_made_proved_simulated_and_run(installed: Installed):
    where = f"import importlib as i; [print(i.import_module(each).__file__) for each in {PACKAGES!r}]"
    python = installed.programs / "python"
    homes = subprocess.check_output([python, "-c", where], text=True, cwd=installed.folder).split()
    assert all(Path(home).is_relative_to(installed.programs.parent) for home in homes), homes

    said = subprocess.check_output([python, "-m", "serve", "--version"], text=True, cwd=installed.folder)
    assert said == installed.run("--version") == f"segue {metadata.version('segue')}\n"

    assert "Next:" in installed.run("init", "shop")
    inside = partial(installed.run, within="shop")
    assert f"configs: {installed.folder / 'shop' / 'configs'}, version " in inside("validate", "--strict")
    assert "sends email" in inside("simulate", "--events", "events.jsonl")

    home = installed.folder / "shop"
    engine = Engine(installed.folder / "run", config=home / "configs", cwd=home, segue=installed.programs / "segue")
    engine.start()
    try:
        assert engine.web.get("/healthz").status_code == 200
        asked = {"userId": "ada", "channel": "web", "placement": "home_hero"}
        decided = engine.web.post("/v1/decide", json=asked).json()
        assert [action["actionId"] for action in decided["actions"]] == ["new_arrivals"]
    finally:
        code, _, left = engine.stop()
    assert (code, left) == (0, [])


def test_the_demo_plays_the_workspace_that_it_is_in(environments: dict[str, Future[Path]], tmp_path: Path):
    installed = Installed(environments[HERE].result(), tmp_path)
    installed.run("init", "mine", "--template", "blank")
    shown = installed.run("demo", "events.jsonl", within="mine", deadline_s=_DEMO_S)
    assert "for user_id:eve at home: " in shown and "The proof" in shown


def test_the_demo_needs_no_checkout(environments: dict[str, Future[Path]], tmp_path: Path):
    installed = Installed(environments[HERE].result(), tmp_path)
    installed.run("init", "shop")
    shown = installed.run("demo", "shop/events.jsonl", deadline_s=_DEMO_S)
    assert "The proof" in shown and "1 purchases ended journeys" in shown
