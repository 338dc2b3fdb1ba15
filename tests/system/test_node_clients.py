"""The clients from npm talk to the running engine, unchanged; skipped, with the reason, where Node or its packages are
not to be had. The browser's client runs whole in a page without a window (jsdom)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.running import WRITE_KEY, Engine, eventually_equal

HERE = Path(__file__).with_name("clients")
INSTALL_S, RUN_S = 180, 60
CLICKS = {"segment": ("node-segment", 40), "rudder": ("node-rudder", 40), "browser": ("web-segment", 1)}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages that `package.json` names."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node and npm are not installed")
    folder = tmp_path_factory.mktemp("clients")
    for file in HERE.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not install the clients in time")
    if done.returncode != 0:
        pytest.skip(f"npm could not install the clients: {done.stderr.strip()[-200:]}")
    return folder


def run(clients: Path, engine: Engine, which: str, key: str = WRITE_KEY) -> dict[str, Any]:
    """What a client reports."""
    command = ["node", "node.mjs", engine.url, key, which]
    done = subprocess.run(command, cwd=clients, capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return told


@pytest.mark.parametrize("which", CLICKS)
def test_what_a_client_from_npm_sends_arrives_once(shop: Engine, clients: Path, which: str):
    assert run(clients, shop, which) == {"faults": []}
    user, clicks = CLICKS[which]
    wanted = {"Identified": 1, "Clicked": clicks, "Page Viewed": 1}
    eventually_equal(lambda: dict(Counter(entry["summary"] for entry in events(shop, user))), wanted, 30)
    numbers = [entry["properties"]["number"] for entry in events(shop, user) if entry["summary"] == "Clicked"]
    assert sorted(numbers) == (list(range(clicks)) if clicks > 1 else [1])
    assert shop.profile("email", f"{user}@shop.example")["traits"]["name"] == "Zoë"


def test_openfeature_reads_a_placement_as_a_flag(shop: Engine, clients: Path):
    told = run(clients, shop, "openfeature")
    assert (told["value"], told["reason"]) == ({"title": "Spring"}, "TARGETING_MATCH")
    assert (told["unknown"], told["fallback"]) == ("FLAG_NOT_FOUND", {"mine": True})


def events(engine: Engine, user: str) -> list[dict[str, Any]]:
    return [entry for entry in engine.timeline("user_id", user) if entry["kind"] == "event"]
