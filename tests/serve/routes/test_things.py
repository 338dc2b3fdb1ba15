"""Facts about things over HTTP: who may tell them, what is refused, and who is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.doors import WRITE, door, tell
from support.world import action, document

from serve.ingest import facts

DROP: dict[str, Any] = {
    "kind": "product",
    "id": "sku-1",
    "event": "Price Dropped",
    "properties": {"percent": 15},
    "messageId": "m-1",
}
_THING = {"kind": "product", "event": "Price Dropped", "interested": {"event": "Product Viewed", "within": "30d"}}
_JOURNEY = {
    "id": "price_drop",
    "tier": "promotional",
    "trigger": {"thing": _THING},
    "steps": [{"send": {"action": "drop_mail", "channel": "email"}}],
}


def shop(*, may_tell: bool = False) -> dict[str, Any]:
    sources = {"sources": {"web": {"channel": "web", "things": may_tell}}}
    return document(actions=[action("drop_mail")], journeys=[_JOURNEY], sources=sources)


async def told(client: httpx.AsyncClient, count: int) -> dict[str, Any]:
    """The newest fact, once so many were told of it."""
    for _ in range(1_000):
        row = (await client.get("/v1/things")).json()["things"][0]
        if row["told"] == count and not row["waits"]:
            return dict(row)
        await asyncio.sleep(0.005)
    raise AssertionError(row)


async def looks(client: httpx.AsyncClient, user: str, product: str = "sku-1") -> None:
    event = {"event": "Product Viewed", "userId": user, "properties": {"product_id": product}}
    assert (await client.post("/v1/track", json=event)).status_code == 200


async def runs(client: httpx.AsyncClient, user: str) -> list[str]:
    return [run["journey"] for run in (await client.get(f"/v1/profiles/user_id:{user}")).json()["journeys"]]


def test_a_fact_reaches_those_who_looked_and_is_counted(tmp_path: Path):
    async def story():
        async with door(tmp_path, shop()) as client:
            for user, product in (("ada", "sku-1"), ("bob", "sku-1"), ("eve", "sku-2")):
                await looks(client, user, product)
            answer = await client.post("/v1/things", json=DROP)
            assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "repeated": 0, "wanted": 1})
            row = await told(client, 2)
            assert (row["kind"], row["id"], row["event"]) == ("product", "sku-1", "Price Dropped")
            assert await runs(client, "ada") == await runs(client, "bob") == ["price_drop"]
            assert await runs(client, "eve") == []
            assert (await client.get("/v1/status")).json()["things"] == {"waiting": 0, "late": 0, "told": 2}
            again = await client.post("/v1/things", json=DROP)
            assert again.json() == {"accepted": 0, "repeated": 1, "wanted": 1}
            assert len((await client.get("/v1/things")).json()["things"]) == 1

    tell(story())


def test_a_batch_keeps_its_good_part(tmp_path: Path):
    async def story():
        async with door(tmp_path, shop()) as client:
            batch = [DROP, {**DROP, "id": None}, "odd", {**DROP, "messageId": "m-2", "event": "Back In Stock"}]
            answer = (await client.post("/v1/things", json={"batch": batch})).json()
            assert (answer["accepted"], answer["wanted"]) == (2, 1)
            assert [(row["index"], row["field"]) for row in answer["rejected"]] == [(1, "id"), (2, "")]

    tell(story())


def test_a_batch_may_be_an_object_as_php_writes_a_list_with_a_gap(tmp_path: Path):
    async def story():
        async with door(tmp_path, shop()) as client:
            answer = await client.post("/v1/things", json={"batch": {"0": DROP, "2": {**DROP, "messageId": "m-2"}}})
            assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
            assert (await client.post("/v1/things", json={"batch": {"first": DROP}})).status_code == 400

    tell(story())


def test_a_fact_of_a_clock_that_runs_ahead_happens_now(tmp_path: Path):
    async def story():
        async with door(tmp_path, shop()) as client:
            await client.post("/v1/things", json={**DROP, "timestamp": "9999-01-01T00:00:00Z"})
            (row,) = (await client.get("/v1/things")).json()["things"]
            assert row["at"] < "2100"

    tell(story())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": ""}, "kind"),
        ({"kind": "a\nb"}, "kind"),
        ({"id": None}, "id"),
        ({"id": True}, "id"),
        ({"id": "x" * 300}, "id"),
        ({"event": None}, "event"),
        ({"event": "x" * 300}, "event"),
        ({"properties": {"thing": 1}}, "properties.thing"),
        ({"properties": {"text": "x" * 9_000}}, "properties"),
        ({"properties": "none"}, "properties"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"messageId": "x" * 101}, "messageId"),
        ({"percent": 1}, "percent"),
        ({"batch": [DROP]}, "batch"),
    ],
)
def test_a_bad_fact_is_refused_by_its_field(tmp_path: Path, changes: dict[str, Any], field: str):
    async def story():
        async with door(tmp_path, shop()) as client:
            answer = await client.post("/v1/things", json=DROP | changes)
            assert answer.status_code == 400, answer.text
            assert answer.json()["field"] == field

    tell(story())


def test_too_many_facts_are_refused_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serve.routes.things.FACTS_MAX", 1)

    async def story():
        async with door(tmp_path, shop()) as client:
            answer = await client.post("/v1/things", json={"batch": [DROP, DROP]})
            assert (answer.status_code, answer.json()["field"]) == (413, "batch")

    tell(story())


@pytest.mark.parametrize(("may_tell", "status"), [(False, 403), (True, 200)])
def test_a_write_key_tells_facts_only_where_its_source_may(tmp_path: Path, may_tell: bool, status: int):
    async def story():
        async with door(tmp_path, shop(may_tell=may_tell)) as client:
            for key, wanted in ((WRITE, status), ("none", 401)):
                answer = await client.post("/v1/things", json=DROP, headers={"x-api-key": key})
                assert answer.status_code == wanted, answer.text
            assert (await client.get("/v1/things", headers={"x-api-key": WRITE})).status_code == 403

    tell(story())


def test_the_id_of_a_fact_is_its_message_id_else_its_content_else_its_own():
    said = {key: value for key, value in DROP.items() if key != "messageId"}

    def ids(**fields: Any) -> set[str]:
        return {facts.read_fact(said | fields, "feed", 0, b"key").fact for _ in range(2)}

    assert len(ids(messageId="m")) == len(ids(timestamp="2026-03-01T00:00:00Z")) == 1
    assert len(ids()) == 2
    assert ids(messageId="m") != ids(messageId="m2")
