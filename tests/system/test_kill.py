"""`kill -9` of everything under load: what was acknowledged is there once, no mail leaves twice (Invariants 1, 3, 4).

Clients send as fast as they are answered; one mail hangs in the hand-over while every process of the engine is killed.
After a restart on the same data the clients send everything once more, as clients do that got no answer.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from support.running import WRITE_KEY, Engine, Mailbox, eventually, eventually_equal, write_catalog

USERS = 120
CLIENTS = 6
LOAD_S = 2.0
STUCK = "stuck@shop.example"


@dataclass
class Load:
    """What clients sent: each batch, and the ids of the events that were acknowledged."""

    sent: list[list[dict[str, Any]]] = field(default_factory=list)
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Crash:
    """An engine that was killed under load and runs again."""

    engine: Engine
    mailbox: Mailbox
    load: Load
    mailed_before: list[str]


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Crash]:
    """Load, a mail that hangs, SIGKILL, and a new start."""
    folder = tmp_path_factory.mktemp("crash")
    slow = shop_files["journeys/abandoned_cart.yaml"].replace("3s", "2h")
    config = write_catalog(folder / "configs", shop_files | {"journeys/abandoned_cart.yaml": slow})
    with Mailbox().open() as mailbox:
        mailbox.stalling.add(STUCK)
        engine = Engine(folder, config=config, smtp_port=mailbox.port).start()
        try:
            engine.batch(_people())
            load = asyncio.run(_load_until_killed(engine, mailbox))
            mailed = mailbox.send_ids()
            engine.start()
            yield Crash(engine, mailbox, load, mailed)
        finally:
            engine.close()


def test_every_acknowledged_event_is_there_exactly_once(crash: Crash):
    assert len(crash.load.acknowledged) > 1000, "there was no load"
    assert len(crash.load.sent) * 20 > len(crash.load.acknowledged), "the kill interrupted nothing"
    there = _message_ids(crash.engine)
    assert {name for name in crash.load.acknowledged if there[name] != 1} == set()
    assert set(there.values()) == {1}


def test_every_pending_timer_is_there(crash: Crash):
    pending = 0
    for user in _users():
        profile = crash.engine.profile("user_id", user)
        active = {run["key"] for run in profile["journeys"] if run["state"] == "active"}
        wanted = {
            event["properties"]["cart_id"]
            for event in crash.load.acknowledged.values()
            if event["userId"] == user and event["event"] == "Product Added"
        }
        assert wanted <= active
        assert len(profile["timers"]) == len(active)
        pending += len(active)
    assert crash.engine.status()["timers"]["pending"] == pending > 100


def test_every_intended_send_ends_once_and_none_is_mailed_twice(crash: Crash):
    eventually(crash.engine.is_quiet, 30)
    mailed = Counter(crash.mailbox.send_ids())
    assert set(mailed.values()) == {1}
    assert len(mailed) > len(crash.mailed_before), "nothing was left in the outbox to be sent afterwards"
    for user in _users():
        outcomes = _outcomes(crash.engine, user)
        letters = [each for each in crash.load.acknowledged.values() if _is_letter(each) and each["userId"] == user]
        assert len(outcomes) >= len(letters)
        for send, outcome in outcomes.items():
            assert outcome in ("sent", "unknown"), (user, send)
            assert mailed[send] == 1 or (outcome == "unknown" and mailed[send] == 0), (user, send)


def test_what_hung_in_the_hand_over_is_unknown_keeps_its_place_and_is_not_sent_again(crash: Crash):
    (mail,) = crash.mailbox.to(STUCK)
    engine = crash.engine
    eventually_equal(lambda: list(_outcomes(engine, "stuck").values()), ["unknown"])
    assert mail["Message-ID"] == f"<{next(iter(_outcomes(engine, 'stuck')))}@segue>"
    cap = next(row for row in engine.profile("user_id", "stuck")["caps"] if row["cap"] == "alerts")
    assert (cap["used"], cap["reserved"], cap["left"]) == (1, 0, 1)
    crash.mailbox.stalling.clear()
    for number in (2, 3):
        engine.track("Price Dropped", {"cart_id": f"stuck-{number}"}, userId="stuck")
    eventually_equal(
        lambda: sorted(engine.sends("stuck")), [("held", "cap.alerts"), ("sent", ""), ("unknown", "dispatcher lost")]
    )
    assert len(crash.mailbox.to(STUCK)) == 2


def test_what_clients_send_again_changes_nothing_but_adds_what_was_lost(crash: Crash):
    before, there = crash.engine.status()["events"], _message_ids(crash.engine)
    for batch in crash.load.sent:
        crash.engine.batch(batch)
    names = {event["messageId"] for batch in crash.load.sent for event in batch}
    assert _message_ids(crash.engine) == dict.fromkeys(names, 1)
    after = crash.engine.status()["events"]
    assert after["repeated"] - before["repeated"] == len(there)
    assert after["accepted"] - before["accepted"] == len(names) - len(there)
    eventually(crash.engine.is_quiet, 30)
    assert set(Counter(crash.mailbox.send_ids()).values()) == {1}


def _users() -> list[str]:
    return [f"k{number}" for number in range(USERS)]


def _people() -> list[dict[str, Any]]:
    people = [{"type": "identify", "userId": user, "traits": {"email": f"{user}@shop.example"}} for user in _users()]
    return [*people, {"type": "identify", "userId": "stuck", "traits": {"email": STUCK}}]


def _is_letter(event: dict[str, Any]) -> bool:
    return event["event"] == "Letter Wanted"


async def _load_until_killed(engine: Engine, mailbox: Mailbox) -> Load:
    load, numbers = Load(), itertools.count()
    async with httpx.AsyncClient(base_url=engine.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=30) as client:
        clients = [asyncio.create_task(_send_without_end(client, numbers, load)) for _ in range(CLIENTS)]
        await asyncio.sleep(LOAD_S / 2)
        body = {"userId": "stuck", "event": "Price Dropped", "properties": {"cart_id": "stuck-1"}}
        assert (await client.post("/v1/track", json=body)).status_code == 200
        end_s = time.monotonic() + 15
        while not mailbox.stalled:
            assert time.monotonic() < end_s, "the mail that should hang did not arrive"
            await asyncio.sleep(0.02)
        await asyncio.sleep(LOAD_S / 2)  # behind the mail that hangs, others queue up in the outbox
        await asyncio.to_thread(engine.kill)
        await asyncio.gather(*clients)
    return load


async def _send_without_end(client: httpx.AsyncClient, numbers: Iterator[int], load: Load) -> None:
    """Batches of 20 until the engine is gone; one event in four fills a cart, one in ten wants a letter."""
    while True:
        batch = [_event(next(numbers)) for _ in range(20)]
        load.sent.append(batch)
        try:
            answer = await client.post("/v1/batch", json={"batch": batch})
        except httpx.TransportError:
            return
        if answer.status_code != 200:
            return
        assert answer.json() == {"success": True}
        load.acknowledged |= {event["messageId"]: event for event in batch}


def _event(number: int) -> dict[str, Any]:
    name = "Letter Wanted" if number % 10 == 0 else "Product Added" if number % 4 == 1 else "Product Viewed"
    properties = {"number": number, "cart_id": f"cart-{number}"}
    return {
        "type": "track",
        "messageId": f"m{number}",
        "userId": f"k{number % USERS}",
        "event": name,
        "properties": properties,
    }


def _message_ids(engine: Engine) -> Counter[str]:
    """How often each event of the load is there."""
    return Counter(
        entry["messageId"]
        for user in _users()
        for entry in engine.timeline("user_id", user)
        if entry["kind"] == "event" and entry.get("messageId", "").startswith("m")
    )


def _outcomes(engine: Engine, user: str) -> dict[str, str]:
    return {
        entry["detail"]["send"]: entry["outcome"]
        for entry in engine.timeline("user_id", user)
        if entry["kind"] == "send"
    }
