"""A price drops while everything is killed: each customer who looked is told once (Invariants 1 and 3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import SERVER_KEY, Engine, eventually, eventually_equal, run_segue, write_catalog

CROWD = 400
DROP = {"kind": "product", "id": "sku-1", "event": "Price Dropped", "properties": {"percent": 15}, "messageId": "m-1"}
JOURNEY = """
id: price_drop
tier: promotional
trigger:
  thing:
    kind: product
    event: Price Dropped
    where: {percent: {at_least: 10}}
    interested: {event: Product Viewed, within: 30d}
key: thing.id
re_entry: {after: 0d}
steps:
  - send: {action: price_alert, channel: email}
"""


@pytest.fixture
def engine(tmp_path: Path, shop_files: dict[str, str]) -> Iterator[Engine]:
    """A shop on two shards."""
    files = shop_files | {"journeys/price_drop.yaml": JOURNEY}
    engine = Engine(tmp_path, config=write_catalog(tmp_path / "configs", files))
    try:
        yield engine.start()
    finally:
        engine.close()


def newest(engine: Engine) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.read("/v1/things")["things"]
    return rows


def test_everybody_who_looked_is_told_once_though_all_is_killed(engine: Engine):
    engine.bring(
        {
            "type": "track",
            "event": "Product Viewed",
            "userId": f"p{number}",
            "messageId": f"v{number}",
            "properties": {"product_id": "sku-1" if number < CROWD else "sku-2"},
        }
        for number in range(CROWD + 20)
    )
    answer = engine.server.post("/v1/things", json=DROP)
    assert answer.json() == {"accepted": 1, "repeated": 0, "wanted": 1}
    engine.kill()  # somewhere in the middle of telling it
    engine.start()
    eventually(lambda: newest(engine) and not newest(engine)[0]["waits"])
    assert [row["told"] for row in newest(engine)] == [CROWD]
    assert engine.server.post("/v1/things", json=DROP).json() == {"accepted": 0, "repeated": 1, "wanted": 1}
    for number in (0, 1, CROWD // 2, CROWD - 1):
        eventually_equal(lambda name=f"p{number}": entries(engine, name), 1)
    assert entries(engine, f"p{CROWD}") == 0
    assert engine.status()["things"]["told"] == CROWD
    listed = run_segue("things", "--json", "--url", engine.url, environment={"SEGUE_SERVER_KEY": SERVER_KEY})
    assert json.loads(listed.stdout)["told"] == CROWD
    code, _, left = engine.stop()
    assert (code, left) == (0, [])
    verified = run_segue("verify", "--data", engine.data)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def entries(engine: Engine, user: str) -> int:
    return sum(run["journey"] == "price_drop" for run in engine.profile("user_id", user)["journeys"])
