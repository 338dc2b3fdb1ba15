"""One customer gets a process of her own and gives it back, several times, while many clients talk of her."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine, MailServer, eventually, run_segue, write_catalog

ADA, MAIL = "user_id:ada", "ada@shop.example"
LIST_ACTORS = """
import json, sys
from ray.util.state import list_actors
found = list_actors(sys.argv[1], limit=1000)
print(json.dumps([{"name": each.name or "", "state": each.state, "pid": each.pid} for each in found]))
"""
CLIENTS = 4
MOVES = 4


@dataclass
class Past:
    """What was told and what came of it."""

    engine: Engine
    mailbox: MailServer
    told: list[list[str]] = field(default_factory=list)  # by client, in order
    letters: int = 0
    actor: dict[str, Any] = field(default_factory=dict)
    pids: tuple[int, int] = (0, 0)
    pinned_status: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Past]:
    folder = tmp_path_factory.mktemp("pinned")
    with MailServer().open() as mailbox:
        config = write_catalog(folder / "configs", shop_files)
        engine = Engine(folder, config=config, smtp_port=mailbox.port).start()
        try:
            past = Past(engine, mailbox)
            engine.identify("ada", email=MAIL)
            asyncio.run(_talk_and_move(past))
            yield past
        finally:
            engine.close()


async def _talk_and_move(past: Past) -> None:
    engine, is_over, numbers = past.engine, asyncio.Event(), itertools.count()
    past.told = [[] for _ in range(CLIENTS)]
    async with (
        httpx.AsyncClient(base_url=engine.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=60) as web,
        httpx.AsyncClient(
            base_url=engine.url, headers={"x-api-key": SERVER_KEY}, trust_env=False, timeout=60
        ) as server,
    ):
        talking = [asyncio.create_task(_talk(web, told, numbers, is_over)) for told in past.told]
        path = f"/v1/profiles/{ADA}/pin"
        for move in range(MOVES):
            assert (await server.post(path)).json()["changed"] is True
            assert (await server.post(path)).json()["changed"] is False
            await _order(web, f"cart-{move}")
            if move == MOVES - 1:
                past.pinned_status = engine.status()
                await asyncio.to_thread(_kill_her_process, past)
            await asyncio.sleep(0.5)
            answer = await _until_ready(server, "DELETE", path)
            assert answer["changed"] is True
        assert (await server.delete(path)).json()["changed"] is False
        is_over.set()
        await asyncio.gather(*talking)


async def _talk(web: httpx.AsyncClient, told: list[str], numbers: Iterator[int], is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        name = f"m{next(numbers)}"
        body = {"userId": "ada", "event": "Product Viewed", "messageId": name}
        await _until_taken(web, "/v1/track", body)
        told.append(name)


async def _order(web: httpx.AsyncClient, cart: str) -> None:
    body = {"userId": "ada", "event": "Letter Wanted", "messageId": cart, "properties": {"number": cart}}
    await _until_taken(web, "/v1/track", body)


async def _until_taken(web: httpx.AsyncClient, path: str, body: dict[str, Any]) -> None:
    for _ in range(300):
        answer = await web.post(path, json=body)
        if answer.status_code == 200:
            return
        assert answer.status_code in (429, 503), answer.text
        await asyncio.sleep(0.1)
    raise AssertionError("an event is not taken")


async def _until_ready(server: httpx.AsyncClient, method: str, path: str) -> dict[str, Any]:
    for _ in range(300):
        answer = await server.request(method, path)
        if answer.status_code == 200:
            return dict(answer.json())
        assert answer.status_code in (429, 503), answer.text
        await asyncio.sleep(0.1)
    raise AssertionError("the engine does not come back")


def _kill_her_process(past: Past) -> None:
    past.actor = eventually(lambda: _actor_on_the_dashboard(past.engine))
    process = psutil.Process(past.actor["pid"])
    process.kill()
    process.wait(10)
    again = eventually(lambda: _actor_on_the_dashboard(past.engine, other_than=process.pid), 60)
    past.pids = process.pid, again["pid"]


def _actor_on_the_dashboard(engine: Engine, other_than: int = 0) -> dict[str, Any]:
    """The living actor of a pinned profile, as the dashboard shows it."""
    url = re.search(r"Ray dashboard:\s+(http\S+)", engine.log.read_text())
    assert url is not None
    command = [sys.executable, "-c", LIST_ACTORS, url[1]]
    # the dashboard wants Ray's token, which its own library knows how to find
    listed = subprocess.run(
        command, env=os.environ | {"RAY_AUTH_MODE": "token"}, capture_output=True, text=True, timeout=60
    )
    assert listed.returncode == 0, listed.stderr
    actors = [actor for actor in json.loads(listed.stdout) if actor["name"].startswith("pinned-")]
    return next((actor for actor in actors if actor["state"] == "ALIVE" and actor["pid"] != other_than), {})


def test_every_event_is_there_once_and_in_the_order_of_its_client(past: Past):
    heard = [entry.get("messageId", "") for entry in past.engine.timeline("user_id", "ada") if entry["kind"] == "event"]
    told = [name for names in past.told for name in names]
    assert len(told) > 100
    assert Counter(name for name in heard if name.startswith("m")) == Counter(told)
    for names in past.told:
        known = set(names)
        assert [name for name in heard if name in known] == names


def test_every_send_has_one_outcome_and_is_one_mail(past: Past):
    eventually(past.engine.is_quiet, 60)
    eventually(lambda: len(past.mailbox.to(MAIL)) == MOVES)
    assert [outcome for outcome, _ in past.engine.sends("ada")] == ["sent"] * MOVES
    assert len(set(past.mailbox.send_ids())) == MOVES


def test_her_process_shows_by_name_and_comes_back_after_a_kill(past: Past):
    assert past.actor["name"] == f"pinned-{past.engine.profile('user_id', 'ada')['profileId']}"
    assert past.pids[0] != past.pids[1]
    assert past.pinned_status["pinned"] == [past.actor["name"].removeprefix("pinned-")]
    assert past.engine.status()["pinned"] == []


def test_a_timer_that_was_set_before_a_move_fires_after_it(past: Past):
    engine = past.engine
    engine.track("Product Added", {"cart_id": "late"}, userId="ada")
    assert engine.server.post(f"/v1/profiles/{ADA}/pin").json()["pinned"] is True
    eventually(lambda: len(past.mailbox.to(MAIL)) > MOVES, 30)
    eventually(engine.is_quiet, 30)
    assert len(past.mailbox.to(MAIL)) == MOVES + 1


def test_the_engine_stops_starts_and_is_whole_while_she_is_pinned(past: Past):
    engine = past.engine
    before = engine.timeline("user_id", "ada")
    assert engine.status()["pinned"] != []
    code, _, left = engine.stop()
    assert (code, left) == (0, [])
    checked = run_segue("verify", "--data", engine.data, "--replay")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    engine.start()
    assert engine.timeline("user_id", "ada") == before
    assert engine.status()["pinned"] != []
    key = {"SEGUE_SERVER_KEY": SERVER_KEY}
    assert "in its shard" in run_segue("unpin", ADA, "--url", engine.url, environment=key).stdout
    assert "process of its own" in run_segue("pin", ADA, "--url", engine.url, environment=key).stdout
    stranger = run_segue("pin", "user_id:nobody", "--url", engine.url, environment=key)
    assert stranger.returncode == 2 and "nobody is known" in stranger.stderr
    assert engine.timeline("user_id", "ada") == before
