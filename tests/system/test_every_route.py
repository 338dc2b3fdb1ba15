"""Every route of a whole engine is read back, on both clocks, with customers that use every feature there is."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from support.every_feature import SERVER, WRITE, Story, happens, texts
from support.every_route import read_back
from support.running import Engine, eventually, write_catalog
from support.world import ID_KEY


@pytest.mark.parametrize("clock", ["wall", "replay"])
def test_every_route_of_a_whole_engine_is_read_back(clock: str, tmp_path: Path):
    keys = {"SEGUE_ID_KEY": ID_KEY.decode(), "SEGUE_WRITE_KEY": WRITE, "SEGUE_SERVER_KEY": SERVER}
    config = write_catalog(tmp_path / "configs", texts())
    engine = Engine(tmp_path / "engine", config=config, clock=clock, environment=keys)
    try:
        engine.start()
        with httpx.Client(base_url=engine.url, trust_env=False, timeout=60) as client:
            story = Story(client, clock, pins=clock == "wall")
            happens(story, eventually)
            found, unasked, _ = read_back(story, tmp_path)
    finally:
        engine.close()
    assert found == [], "\n".join(found)
    assert unasked == set()
