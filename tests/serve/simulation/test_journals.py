"""The journals of an engine are a history: simulated under the same catalog, the same comes of it."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from support.world import DAY, HOUR, ID_KEY, action, cart_journey, compiled, document

from actors.replay_clock.in_process import LocalEngine
from actors.shard.journal import replay
from actors.storage.store import RocksStore
from actors.storage.vault import PlainVault
from engine.catalog.compiled import Catalog
from engine.inputs import ConsentChange, Event
from serve.simulation import running, sorting
from serve.simulation.counted import Counting
from serve.simulation.journals import Journals
from serve.simulation.lines import Lines
from serve.simulation.running import Options

START_MS = 1_772_409_600_000
STOPS = {"stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]}
MAIL = {"purposes": {"marketing": {"channels": ["email"]}}}


def carts(wait: str = "1h") -> Catalog:
    steps = [{"wait": {"for": wait}}, {"send": {"action": "cart_reminder", "channel": "email"}}]
    journey = cart_journey(steps=steps, outcome={"event": "Order Completed", "within": "2d"})
    plain = document(actions=[action("cart_reminder")], journeys=[journey], consent=MAIL, policies=STOPS)
    return compiled(plain)


def event(hours: float, who: str, name: str, **fields: Any) -> Event:
    at_ms = START_MS + int(hours * HOUR)
    identifiers = (("email", f"{who}@shop.example"),) if name == "Identified" else ()
    told: dict[str, Any] = {"kind": "track", "name": name, "at_ms": at_ms, "received_at_ms": at_ms, "user_id": who}
    return Event(
        **(told | {"message_id": f"{hours}{who}{name}", "identifiers": identifiers, "source": "server"} | fields)
    )


def history() -> list[Event]:
    """Ada is reminded and then buys; Bob buys in time; Eve comes as a visitor first."""
    told = []
    for who in ("ada", "bob", "eve"):
        told.append(event(0, who, "Identified", kind="identify", traits={"email": f"{who}@shop.example"}))
        told.append(event(1, who, "Product Added", properties={"cart_id": f"{who}-1"}))
    told.append(event(1.5, "bob", "Order Completed"))
    told.append(event(5, "", "Product Added", user_id="", anonymous_id="a1", properties={"cart_id": "eve-2"}))
    told.append(event(5.1, "eve", "Page Viewed", anonymous_id="a1"))
    told.append(event(9, "ada", "Order Completed"))
    told.append(event(200, "ada", "Product Added", properties={"cart_id": "ada-2"}))
    return told


def lived(tmp_path: Path, catalog: Catalog, shards: int = 2) -> tuple[list[Path], str]:
    """The stores of an engine that has had this history, and the lines of it."""
    paths, out = [tmp_path / f"shard-{number:03}" for number in range(shards)], BytesIO()
    lines = Lines(out)
    counting = Counting(catalog, lines)
    engine = LocalEngine(catalog, stores=[RocksStore(path) for path in paths], observer=counting.observer)

    async def feed() -> None:
        engine.stage(history())
        await engine.advance(START_MS + HOUR // 2)
        for who in ("ada", "bob", "eve"):
            engine.ask(
                ConsentChange(
                    purpose="marketing",
                    channel="email",
                    granted=True,
                    at_ms=START_MS,
                    source="server",
                    identifiers=(("user_id", who),),
                )
            )
        await engine.advance(START_MS, drain=True)

    asyncio.run(feed())
    lines.write()
    for windows in engine.windows:
        windows.shard.close()
    return paths, out.getvalue().decode()


def simulate(catalog: Catalog, paths: list[Path], folder: Path) -> tuple[str, Any]:
    journals, out = Journals(paths, PlainVault(), ID_KEY, folder), BytesIO()
    journals.prepare(catalog)
    past = running.run(catalog, journals, Options(2), out)
    assert not past.problems
    return out.getvalue().decode(), past.counted.summary(catalog)


@pytest.mark.parametrize("short", [True, False])
def test_under_the_same_catalog_the_same_happens_again(tmp_path: Path, short: bool, monkeypatch: pytest.MonkeyPatch):
    if not short:
        monkeypatch.setattr(running, "SHORT_INPUTS", 0)
        monkeypatch.setattr(sorting, "GROUP_INPUTS", 1)
    paths, happened = lived(tmp_path, carts())
    (tmp_path / "spool").mkdir()
    lines, summary = simulate(carts(), paths, tmp_path / "spool")
    assert lines == happened and '"kind":"send"' in happened
    funnel = summary["funnels"]["abandoned_cart"]
    assert (funnel["entered"], funnel["sent"], funnel["stopped"]) == (5, 4, {"stop.purchase": 1})
    assert funnel["converted"] == 2


def test_under_another_catalog_it_says_what_would_have_been(tmp_path: Path):
    paths, _ = lived(tmp_path, carts())
    (tmp_path / "spool").mkdir()
    _, summary = simulate(carts(wait="10h"), paths, tmp_path / "spool")
    assert summary["funnels"]["abandoned_cart"]["stopped"] == {"stop.purchase": 2}


def test_an_engine_may_serve_the_stores_meanwhile(tmp_path: Path):
    paths, happened = lived(tmp_path, carts())
    (tmp_path / "spool").mkdir()
    serving = [RocksStore(path, create=False) for path in paths]
    assert simulate(carts(), paths, tmp_path / "spool")[0] == happened
    for store in serving:
        store.close()


def test_whoever_has_a_snapshot_begins_with_it(tmp_path: Path):
    """Of the time before, the people, their consent and what is pending are there; what happened then is not told."""
    paths, happened = lived(tmp_path, carts())
    for path in paths:
        engine = LocalEngine(carts(), stores=[RocksStore(path, create=False)])
        shard = engine.windows[0].shard
        for profile in shard.all_profiles():
            replay.compact(shard.batch, profile, shard.catalogs, START_MS + 7 * DAY)
        shard.close()
    (tmp_path / "spool").mkdir()
    lines, summary = simulate(carts(), paths, tmp_path / "spool")
    late = [line for line in happened.splitlines() if line >= '{"at":"2026-03-09']
    assert lines.splitlines() == late and any('"kind":"send"' in line for line in late)
    assert summary["events"] == 1
