"""Parts of a running engine die or hang, and come back with all that was acknowledged (Invariants 1, 3)."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from support.running import WRITE_KEY, Engine, MailServer, eventually, eventually_equal, write_catalog


@pytest.fixture(scope="module")
def engine(
    tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str], mailbox: MailServer
) -> Iterator[Engine]:
    """An engine with two shards, parts of which are killed."""
    folder = tmp_path_factory.mktemp("supervision")
    one = Engine(folder, config=write_catalog(folder / "configs", shop_files), shards=2, smtp_port=mailbox.port)
    left: list[psutil.Process] = []
    try:
        one.start()
        left = list(one.family)
        yield one
    finally:
        one.close()
        for process in left:
            if process.is_running():
                process.kill()


def _pid(engine: Engine, who: str) -> int:
    folder = json.loads((engine.data / "run.json").read_text())["folder"]
    return int(Path(folder, f"{who}.pid").read_text().split()[0])


def _readyz(engine: Engine) -> int:
    try:
        return httpx.get(f"{engine.url}/readyz", trust_env=False, timeout=10).status_code
    except httpx.TransportError:
        return 0


def _lasting(family: list[psutil.Process]) -> list[psutil.Process]:
    """Those that run as long as their engine does: Ray starts and ends others as it likes."""
    names = ("gcs_server", "/raylet ", "ProfileShard", "DispatcherActor", "ServeReplica")
    running = [process for process in family if process.is_running()]
    return [process for process in running if any(name in " ".join(process.cmdline()) for name in names)]


def _event(number: int) -> dict[str, Any]:
    who = {"userId": f"s{number % 20}", "messageId": f"s-{number}"}
    return {"type": "track", "event": "Product Viewed", "properties": {"number": number}, **who}


def _sent_until_taken(engine: Engine, events: list[dict[str, Any]]) -> None:
    """As clients do: the same batch with the same ids until it is acknowledged; 503 says when to come back."""

    def taken() -> bool:
        answer = engine.web.post("/v1/batch", json={"batch": events})
        assert answer.status_code in (200, 503), answer.text
        assert answer.status_code == 200 or answer.headers["retry-after"].isdigit()
        return answer.status_code == 200

    eventually(taken, 60)


def _ids(engine: Engine) -> list[str]:
    return sorted(
        entry["messageId"]
        for number in range(20)
        for entry in engine.timeline("user_id", f"s{number}")
        if entry["kind"] == "event" and entry.get("messageId", "").startswith("s-")
    )


def test_a_killed_shard_comes_back_with_its_data_under_a_new_epoch(engine: Engine):
    _sent_until_taken(engine, [_event(number) for number in range(100)])
    before = {shard["shard"]: shard for shard in engine.status()["shards"]}
    killed = _pid(engine, "shard-0")
    os.kill(killed, signal.SIGKILL)
    eventually_equal(lambda: _readyz(engine), 503)
    _sent_until_taken(engine, [_event(number) for number in range(50, 150)])
    eventually_equal(lambda: _readyz(engine), 200, 60)
    after = {shard["shard"]: shard for shard in engine.status()["shards"]}
    assert _pid(engine, "shard-0") != killed
    assert after[0]["epoch"] == before[0]["epoch"] + 1 and after[1]["epoch"] == before[1]["epoch"]
    assert after[0]["profiles"] >= before[0]["profiles"] > 0
    assert _ids(engine) == sorted(f"s-{number}" for number in range(150))


def test_a_killed_dispatcher_comes_back_and_sends_what_waits(engine: Engine, mailbox: MailServer):
    killed = _pid(engine, "dispatcher")
    os.kill(killed, signal.SIGKILL)
    engine.identify("letters", email="letters@shop.example")
    for number in range(3):
        engine.track("Letter Wanted", {"number": number}, userId="letters")
    # its last pull may still stand at the shard: what is given to that one is rightly `unknown`, and one letter at most
    sent, lost = ("sent", ""), ("unknown", "dispatcher lost")
    eventually(lambda: sorted(engine.sends("letters")) in ([sent] * 3, [sent, sent, lost]), 60)
    assert len(mailbox.to("letters@shop.example")) == engine.sends("letters").count(sent)
    assert _pid(engine, "dispatcher") != killed


def test_a_deploy_of_the_ingress_fails_no_request(engine: Engine):
    def ingress() -> set[int]:
        return {process.pid for process in engine.processes() if "ServeReplica" in _command(process)}

    before, over = ingress(), threading.Event()
    seen: Counter[tuple[str, int, str]] = Counter()
    sent: list[str] = []
    visitors = [
        threading.Thread(target=_visit, args=(engine, f"d{number}", over, seen, sent, number % 2 == 0))
        for number in range(4)
    ]
    for visitor in visitors:
        visitor.start()
    try:
        engine.hang_up()
        eventually(lambda: (now := ingress()) and not now & before and len(now) == 1, 60)
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    assert {status for _, status, _ in seen} == {200}, seen
    assert {what for what, _, _ in seen} == {"decide", "track", "alive"} and len(sent) > 50
    there = [
        entry["messageId"]
        for number in range(4)
        for entry in engine.timeline("user_id", f"d{number}")
        if entry["kind"] == "event"
    ]
    assert sorted(there) == sorted(sent)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _visit(
    engine: Engine, user: str, over: threading.Event, seen: Counter[tuple[str, int, str]], sent: list[str], keeps: bool
) -> None:
    """One visitor, on one connection or on a new one for each request; never asks twice."""
    number = 0
    headers = {} if keeps else {"connection": "close"}
    with httpx.Client(base_url=engine.url, headers={"x-api-key": WRITE_KEY}, trust_env=False, timeout=60) as client:
        while not over.is_set():
            number += 1
            event = {"userId": user, "event": "Product Viewed", "messageId": f"{user}-{number}"}
            for what, method, path, body in (
                ("track", "POST", "/v1/track", event),
                ("decide", "POST", "/v1/decide", {"userId": user, "placement": "home_hero"}),
                ("alive", "GET", "/healthz", None),
            ):
                try:
                    answer = client.request(method, path, json=body, headers=headers)
                    told = answer.status_code, "" if answer.status_code == 200 else answer.text
                except httpx.TransportError as error:
                    told = 0, repr(error)
                seen[what, *told] += 1
            sent.append(f"{user}-{number}")


@pytest.mark.parametrize("who", ["shard-1", "dispatcher"])
def test_a_process_that_hangs_is_killed_and_replaced(engine: Engine, who: str):
    hanging = psutil.Process(_pid(engine, who))
    hanging.suspend()
    if who == "shard-1":
        assert _readyz(engine) == 503
    eventually(lambda: not hanging.is_running(), 60)
    eventually(lambda: _pid(engine, who) != hanging.pid, 30)
    eventually_equal(lambda: _readyz(engine), 200, 60)
    user = f"after-{who}"
    engine.identify(user, email=f"{user}@shop.example")
    engine.track("Letter Wanted", {"number": 1}, userId=user)
    eventually_equal(lambda: engine.sends(user), [("sent", "")], 60)


def test_after_a_kill_of_the_front_process_the_next_start_ends_its_own_orphans_and_no_others(
    engine: Engine, shop: Engine
):
    _sent_until_taken(engine, [_event(number) for number in range(200)])
    others, own = _lasting(shop.family), psutil.Process(engine.family[0].pid).children(recursive=True)
    assert len(others) >= 7
    os.kill(engine.family[0].pid, signal.SIGKILL)
    engine._process.wait()  # type: ignore[union-attr]
    assert any(process.is_running() for process in own)
    with socket.socket() as probe, pytest.raises(OSError):
        probe.bind(("127.0.0.1", engine.port))  # its HAProxy lives on
    engine.start()  # what answers first may still be the orphans
    eventually(
        lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in own), 60
    )
    eventually_equal(lambda: _readyz(engine), 200, 90)
    assert all(process.is_running() for process in others)
    assert _readyz(shop) == 200
    assert _ids(engine) == sorted(f"s-{number}" for number in range(200))
    code, _, left = engine.stop()
    assert (code, left) == (0, [])
    assert not (engine.data / "run.json").exists()
