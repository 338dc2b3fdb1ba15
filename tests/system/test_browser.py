"""A page in Chromium talks to the running engine, from another origin: the clients from npm unchanged, and what a page
does by itself. Skipped, with the reason, where Node, its packages or Chromium are not to be had."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.node import installed, run
from support.running import SERVER_KEY, WRITE_KEY, Engine, eventually_equal

USER = "page-visitor"


def test_a_page_in_a_browser_is_served(shop: Engine, tmp_path: Path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    folder = installed(Path(__file__).with_name("browser"), tmp_path)
    told = run(folder, "drive.mjs", shop.url, WRITE_KEY, SERVER_KEY, chromium)
    assert told["complaints"] == []
    assert told["decide"].pop("id")
    assert told["decide"] == {"status": 200, "content": {"title": "Spring"}, "exposed": 200}
    assert told["refused"] == {"status": 401, "code": "unauthorised"}
    assert told["flags"] == {"value": {"title": "Spring"}, "reason": "TARGETING_MATCH", "unknown": "FLAG_NOT_FOUND"}
    assert told["beacon"] is True
    # the three that waited in the page when it was left are among them
    wanted = {"Identified": 2, "Page Viewed": 1, "Clicked": 1, "Left": 1, "Scrolled": 3}
    eventually_equal(lambda: summaries(shop), wanted, 30)
    exposures = ["clicked", "viewed"]  # one by a beacon
    eventually_equal(lambda: sorted(row["outcome"] for row in entries(shop, "exposure")), exposures, 30)
    profile = shop.profile("email", f"{USER}@shop.example")
    assert profile["traits"]["name"] == "Zoë"
    known = {(each["namespace"], each["value"]) for each in profile["identifiers"]}
    assert {("user_id", USER), ("anonymous_id", told["browse"])} <= known


def entries(engine: Engine, kind: str) -> list[dict[str, Any]]:
    return [entry for entry in engine.timeline("user_id", USER) if entry["kind"] == kind]


def summaries(engine: Engine) -> dict[str, int]:
    return dict(Counter(entry["summary"] for entry in entries(engine, "event")))
