"""A flood from one customer and a crowd of others, against the whole engine: who is refused, and what never is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine, write_catalog

FLOODERS = 8  # connections, each with batches of one customer's events, as fast as they are answered
BATCH = 60
OTHERS = 10
ROUNDS = 4  # requests of each of the others
GROWTH_MB_MAX = 150.0  # of any one process: what its bounds allow is less


@dataclass
class Flood:
    """What everybody was answered."""

    engine: Engine
    hot: Counter[int] = field(default_factory=Counter)
    retry_after: set[str] = field(default_factory=set)
    acknowledged: list[str] = field(default_factory=list)
    others: Counter[tuple[str, int]] = field(default_factory=Counter)
    grown_mb: dict[str, float] = field(default_factory=dict)


@pytest.fixture(scope="module")
def flood(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Flood]:
    """An engine that has been through it."""
    folder = tmp_path_factory.mktemp("overload")
    engine = Engine(folder, config=write_catalog(folder / "configs", shop_files), shards=2).start()
    try:
        seen = Flood(engine)
        asyncio.run(_flooded(seen, rounds=1))  # what is made at the first use is not growth
        before = _memory_mb(engine)
        asyncio.run(_flooded(seen, rounds=ROUNDS))
        seen.grown_mb = {name: size - before.get(name, size) for name, size in _memory_mb(engine).items()}
        yield seen
    finally:
        engine.close()


def test_the_hot_customer_is_told_to_come_back_in_whole_seconds(flood: Flood):
    assert set(flood.hot) == {200, 429}, flood.hot
    assert flood.retry_after == {"1"}


def test_purchases_consent_and_the_others_are_always_taken(flood: Flood):
    assert {status for _, status in flood.others} == {200}, flood.others
    assert {what for what, _ in flood.others} == {"purchase", "consent", "event", "alive", "ready", "profile"}


def test_every_acknowledged_event_is_there_once(flood: Flood):
    engine, names = flood.engine, flood.acknowledged
    newest = Counter(entry["messageId"] for entry in engine.timeline("user_id", "bot") if entry["kind"] == "event")
    assert len(newest) > 1000 and set(newest.values()) == {1}
    before = engine.status()["events"]
    for start in range(0, len(names), 500):
        engine.batch([_event("bot", name) for name in names[start : start + 500]])
    after = engine.status()["events"]
    assert after["repeated"] - before["repeated"] == len(names) > 0
    assert after["accepted"] == before["accepted"]


def test_memory_stays_within_its_bound(flood: Flood):
    assert flood.grown_mb and {name: mb for name, mb in flood.grown_mb.items() if mb > GROWTH_MB_MAX} == {}


async def _flooded(seen: Flood, rounds: int) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=seen.engine.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=30, limits=limits
    ) as client:
        over = asyncio.Event()
        names = (f"{rounds}-{number}" for number in itertools.count())
        hot = [asyncio.create_task(_hot(client, seen, names, over)) for _ in range(FLOODERS)]
        await asyncio.gather(*(_other(client, seen, f"{rounds}-{number}", rounds) for number in range(OTHERS)))
        over.set()
        await asyncio.gather(*hot)


async def _hot(client: httpx.AsyncClient, seen: Flood, names: Iterator[str], over: asyncio.Event) -> None:
    while not over.is_set():
        batch = [_event("bot", f"hot-{next(names)}") for _ in range(BATCH)]
        answer = await client.post("/v1/batch", json={"batch": batch})
        seen.hot[answer.status_code] += 1
        if answer.status_code == 200:
            seen.acknowledged += [event["messageId"] for event in batch]
        else:
            seen.retry_after.add(answer.headers.get("retry-after", ""))


async def _other(client: httpx.AsyncClient, seen: Flood, name: str, rounds: int) -> None:
    """Somebody else, and what must get through for the hot one too."""
    server = {"Authorization": f"Bearer {SERVER_KEY}"}
    for number in range(rounds):
        event = _event(f"other-{name}", f"other-{name}-{number}")
        purchase = _event("bot", f"purchase-{name}-{number}", "Order Completed")
        consent = {"identifiers": {"user_id": "bot"}, "purpose": "marketing", "channel": "email", "granted": False}
        consent |= {"at": "2026-03-01T00:00:00Z", "source": "test"}
        answers = {
            "event": await client.post("/v1/track", json=event),
            "purchase": await client.post("/v1/track", json=purchase),
            "consent": await client.post("/v1/consent", json=consent, headers=server, auth=None),
            "alive": await client.get("/healthz"),
            "ready": await client.get("/readyz"),
            "profile": await client.get(f"/v1/profiles/user_id:other-{name}", headers=server, auth=None),
        }
        for what, answer in answers.items():
            seen.others[what, answer.status_code] += 1


def _event(user: str, message_id: str, name: str = "Product Viewed") -> dict[str, Any]:
    return {"type": "track", "messageId": message_id, "userId": user, "event": name}


def _memory_mb(engine: Engine) -> dict[str, float]:
    """PSS of the shards and the ingress, by process."""
    found = {}
    for process in engine.family:
        with contextlib.suppress(psutil.NoSuchProcess):
            line = " ".join(process.cmdline())
            if line.startswith(("ray::ProfileShard", "ray::ServeReplica")):
                found[f"{line.split()[0]} {process.pid}"] = process.memory_full_info().pss / 1e6
    return found
