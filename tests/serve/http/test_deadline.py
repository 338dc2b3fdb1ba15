"""A page load never waits for long, and never gets an error page: past the deadline it is the placement's default."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.world import CART, ID_KEY, compiled

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.platform.clock import WallClock
from actors.platform.meter import DEGRADED, HTTP_SECONDS, Metric, NoMeter
from actors.serving.shard_server import ShardServer
from actors.shard.shard import Done, Shard
from actors.storage.memory_store import MemoryStore
from engine.inputs import AnyInput, Decide
from serve.application import admitting
from serve.application.app import App
from serve.http.admission import Limit
from serve.http.auth import KeyRing
from serve.http.gateway import GatewayConfig

WRITE, SERVER = "wk-of-these-tests", "sk-of-these-tests"
LOOKS = {
    **CART,
    "placements.yaml": {"placements": [{"id": "home_hero", "channel": "web", "default": {"title": "New"}}]},
}
ASKED = {"placement": "home_hero", "userId": "ada"}
FLAG = "/ofrep/v1/evaluate/flags/home_hero"
PATIENT_S, HASTY_S = 30.0, 0.05


class SlowShard(Shard):
    """Takes a while for each decision of `slowpoke`."""

    def tell(self, profile_id: str, told: AnyInput) -> Done:
        if isinstance(told, Decide) and ("user_id", "slowpoke") in told.identifiers:
            time.sleep(4 * HASTY_S)
        return super().tell(profile_id, told)


class Counting(NoMeter):
    """Remembers how often what was counted."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, ...]] = Counter()

    def observe(self, metric: Metric, value: float, *tags: str) -> None:
        assert value >= 0
        self.seen[metric.name, *tags] += 1

    def add(self, metric: Metric, more: int, *tags: str) -> None:
        self.seen[metric.name, *tags] += more


@asynccontextmanager
async def door(
    folder: Path, deadline_s: float, *, is_up: bool = True
) -> AsyncIterator[tuple[httpx.AsyncClient, SlowShard, Counting]]:
    catalog, path, meter = compiled(LOOKS), str(folder / "shard"), Counting()
    shard = SlowShard(0, MemoryStore(), catalog, WallClock())
    server = ShardServer(shard, path, [path])
    serving = asyncio.create_task(server.serve()) if is_up else None
    while is_up and not (folder / "shard").exists():
        await asyncio.sleep(0)
    KeyRing.load_or_create(folder / "keys.json", WRITE, SERVER)
    active_catalog = ActiveCatalog(folder / "catalog", ID_KEY)
    active_catalog.put(catalog.document)
    config = GatewayConfig(active_catalog, (path,), str(folder / "none"), str(folder / "keys.json"), False, ("*",), "0")
    transport = httpx.ASGITransport(app=App(replace(config, deadline_s=deadline_s), lambda: meter))
    async with httpx.AsyncClient(transport=transport, base_url="http://door", headers={"x-api-key": SERVER}) as client:
        yield client, shard, meter
    server.close()
    if serving is not None:
        await serving


def tell(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story, 60))


def degraded(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    told = answer.json()
    if "degraded" in told:
        assert (told["actions"], told["default"], told["degraded"]) == ([], {"title": "New"}, True)
        assert told["profileId"] and told["catalogVersion"]
    return "degraded" in told


def test_in_time_it_is_a_decision_and_silence_says_what_the_placement_shows(tmp_path: Path):
    async def story() -> None:
        async with door(tmp_path, PATIENT_S) as (client, _, meter):
            answer = await client.post("/v1/decide", json=ASKED)
            assert not degraded(answer) and answer.json()["decisionId"]
            assert answer.json()["default"] == {"title": "New"}
            assert meter.seen[HTTP_SECONDS.name, "/v1/decide", "200"] == 1

    tell(story())


def test_past_the_deadline_it_is_the_default_and_who_waited_behind_has_no_turn(tmp_path: Path):
    async def story() -> None:
        async with door(tmp_path, HASTY_S) as (client, shard, meter):
            slow = {**ASKED, "userId": "slowpoke"}
            asked = [client.post("/v1/decide", json=body) for body in (slow, slow)]
            answers = await asyncio.gather(*asked)
            assert [degraded(answer) for answer in answers] == [True, True]
            assert meter.seen[DEGRADED.name, "deadline"] == 2
            patient = await client.post("/v1/decide", json={**ASKED, "userId": "later", "explain": True})
            assert not degraded(patient)  # people wait for explanations; and the engine is well
            assert shard.counters.turns["Decide"] == 2  # of the three: one that waited too long was asked in vain

    tell(story())


def test_an_explanation_is_waited_for(tmp_path: Path):
    async def story() -> None:
        async with door(tmp_path, HASTY_S) as (client, _, _):
            answer = await client.post("/v1/decide", json={**ASKED, "userId": "slowpoke", "explain": True})
            assert not degraded(answer) and answer.json()["explanation"]

    tell(story())


@pytest.mark.parametrize("deadline_s", [HASTY_S, 0.0])
def test_while_no_shard_answers_a_shop_still_shows_something(tmp_path: Path, deadline_s: float):
    async def story() -> None:
        async with door(tmp_path, deadline_s, is_up=False) as (client, _, _):
            answer = await client.post("/v1/decide", json=ASKED)
            flag = await client.post(FLAG, json={"context": {"targetingKey": "ada"}})
            if deadline_s:
                assert degraded(answer)
                told = flag.json()
                assert (told["value"], told["variant"], told["reason"]) == ({"title": "New"}, "default", "DEFAULT")
                assert told["metadata"]["degraded"] is True
            else:  # whoever sets no deadline wants to know
                assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
                assert flag.status_code == 503

    tell(story())


def test_a_crowded_replica_answers_with_the_default_and_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admitting, "SHEDDABLE", Limit(0, 0))

    async def story() -> None:
        async with door(tmp_path, PATIENT_S) as (client, shard, meter):
            assert degraded(await client.post("/v1/decide", json=ASKED))
            assert (await client.post(FLAG, json={"context": {"targetingKey": "ada"}})).json()["variant"] == "default"
            assert meter.seen[DEGRADED.name, "overload"] == 2
            assert not shard.counters.turns
            bad = await client.post("/v1/decide", json={**ASKED, "placement": "nowhere"})
            assert (bad.status_code, bad.json()["field"]) == (400, "placement")  # a fault of the page stays one

    tell(story())
