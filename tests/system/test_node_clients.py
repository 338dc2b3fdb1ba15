"""The clients from npm talk to the running engine, unchanged; skipped, with the reason, where Node or its packages are
not to be had. The browser's client runs whole in a page without a window (jsdom)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.node import installed, run
from support.running import WRITE_KEY, Engine, eventually_equal

CLICKS = {"segment": ("node-segment", 40), "rudder": ("node-rudder", 40), "browser": ("web-segment", 1)}


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients."""
    return installed(Path(__file__).with_name("clients"), tmp_path_factory.mktemp("clients"))


@pytest.mark.parametrize("which", CLICKS)
def test_what_a_client_from_npm_sends_arrives_once(shop: Engine, clients: Path, which: str):
    assert run(clients, "node.mjs", shop.url, WRITE_KEY, which) == {"faults": []}
    user, clicks = CLICKS[which]
    wanted = {"Identified": 1, "Clicked": clicks, "Page Viewed": 1}
    eventually_equal(lambda: dict(Counter(entry["summary"] for entry in events(shop, user))), wanted, 30)
    numbers = [entry["properties"]["number"] for entry in events(shop, user) if entry["summary"] == "Clicked"]
    assert sorted(numbers) == (list(range(clicks)) if clicks > 1 else [1])
    assert shop.profile("email", f"{user}@shop.example")["traits"]["name"] == "Zoë"


def test_openfeature_reads_a_placement_as_a_flag(shop: Engine, clients: Path):
    told = run(clients, "node.mjs", shop.url, WRITE_KEY, "openfeature")
    assert (told["value"], told["reason"]) == ({"title": "Spring"}, "TARGETING_MATCH")
    assert (told["unknown"], told["fallback"]) == ("FLAG_NOT_FOUND", {"mine": True})


def events(engine: Engine, user: str) -> list[dict[str, Any]]:
    return [entry for entry in engine.timeline("user_id", user) if entry["kind"] == "event"]
