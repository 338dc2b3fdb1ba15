"""Facts about things in event files: `"type": "thing"` among the events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.things import PRICE_DROPS

from serve.commands.simulate import simulate
from serve.simulation import running, sorting, sources

DROP = {"type": "thing", "kind": "product", "event": "Price Dropped", "properties": {"percent": 15}}


def viewed(time: str, user: str, product: str) -> dict[str, Any]:
    what = {"event": "Product Viewed", "properties": {"product_id": product}, "messageId": f"{user}-{product}"}
    return {"type": "track", "userId": user, "timestamp": f"2026-03-02T{time}Z", **what}


HISTORY = [
    viewed("08:00:00", "ada", "sku-1"),
    viewed("08:00:00", "bob", "sku-2"),
    viewed("08:00:01", "eve", "sku-1"),
    {**DROP, "id": "sku-1", "timestamp": "2026-03-02T08:00:01Z", "messageId": "d-1"},
    {**DROP, "id": "sku-1", "timestamp": "2026-03-02T08:00:02Z", "messageId": "d-1"},
    {**DROP, "id": "sku-2", "timestamp": "2026-03-02T09:00:00Z"},
    {**DROP, "id": None, "timestamp": "2026-03-02T09:00:00Z"},
    viewed("10:00:00", "dora", "sku-1"),
]


@pytest.mark.parametrize(("short", "processes", "lot"), [(30_000, 1, 5_000), (0, 1, 1), (0, 2, 3)])
def test_facts_reach_all_who_looked_before_them(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    short: int,
    processes: int,
    lot: int,
):
    monkeypatch.setattr(running, "SHORT_INPUTS", short)
    monkeypatch.setattr(sorting, "GROUP_INPUTS", 1)
    monkeypatch.setattr(sources, "LOT_LINES", lot)
    for name, content in PRICE_DROPS.items():
        path = tmp_path / "configs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    history = tmp_path / "history.jsonl"
    history.write_text("\n".join(map(json.dumps, HISTORY)))
    simulate(events=[history], config=tmp_path / "configs", as_json=True, processes=processes)
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["journeys"]["price_drop"]["entered"] == 3  # ada, eve, bob
    assert summary["events"] == 4
    assert "history.jsonl:7: is missing: id" in told.err or "history.jsonl:7: id: is missing" in told.err
