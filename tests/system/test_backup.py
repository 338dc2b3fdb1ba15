"""A backup of an engine under load, and the engine that is restored from it: over HTTP and the command line."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.running import WRITE_KEY, Engine, eventually, run_segue, write_catalog

USERS = 60


@pytest.fixture
def engine(tmp_path: Path, shop_files: dict[str, str]) -> Iterator[Engine]:
    """A shop whose carts wait for hours, so that nothing leaves."""
    slow = shop_files["journeys/abandoned_cart.yaml"].replace("3s", "2h")
    config = write_catalog(tmp_path / "configs", shop_files | {"journeys/abandoned_cart.yaml": slow})
    running = Engine(tmp_path, config=config)
    try:
        yield running.start()
    finally:
        running.close()


def test_a_backup_under_load_comes_back_whole(engine: Engine, tmp_path: Path):
    """Invariants 1 and 3: what was acknowledged before the backup began is in the restored engine, once."""
    acknowledged: list[dict[str, Any]] = []
    ending = threading.Event()
    shoppers = [threading.Thread(target=_shop, args=(engine, number, acknowledged, ending)) for number in range(4)]
    for shopper in shoppers:
        shopper.start()
    try:
        eventually(lambda: len(acknowledged) > 400)
        promised = list(acknowledged)
        made = run_segue("backup", tmp_path / "copy", "--url", engine.url, "--keys", tmp_path / "keys")
        assert made.returncode == 0, made.stderr
        eventually(lambda: len(acknowledged) > len(promised) + 100)
    finally:
        ending.set()
        for shopper in shoppers:
            shopper.join()
    engine.kill()
    shutil.rmtree(engine.data)  # the disk is gone

    restored = run_segue("restore", tmp_path / "copy", "--keys", tmp_path / "keys", "--data", engine.data)
    assert restored.returncode == 0, restored.stderr
    verified = run_segue("verify", "--data", engine.data)
    assert verified.returncode == 0, verified.stderr
    engine.start()
    before = engine.status()["events"]
    for start in range(0, len(promised), 20):
        engine.batch(promised[start : start + 20])
    after = engine.status()["events"]
    assert (after["accepted"], after["repeated"] - before["repeated"]) == (before["accepted"], len(promised))
    there = Counter(
        entry["messageId"]
        for user in range(USERS)
        for entry in engine.timeline("user_id", f"b{user}")
        if entry["kind"] == "event"
    )
    assert {event["messageId"] for event in promised if there[event["messageId"]] != 1} == set()
    assert engine.status()["timers"]["pending"] > 0
    assert {shard["epoch"] for shard in engine.status()["shards"]} == {2}


def test_only_a_server_key_may_back_up_and_faults_are_named(shop: Engine, tmp_path: Path):
    def asked(body: dict[str, Any], client: httpx.Client = shop.server) -> tuple[int, Any]:
        answer = client.post("/v1/backup", json=body)
        return answer.status_code, answer.json().get("field")

    (tmp_path / "something").touch()  # only an empty directory will do
    assert asked({"directory": str(tmp_path / "copy")}, shop.web)[0] == 403
    assert asked({"directory": "copy"}) == (400, "directory")
    assert asked({"directory": str(shop.data / "copy")}) == (400, "directory")
    assert asked({"directory": str(tmp_path)}) == (400, "directory")
    assert asked({"directory": "/proc/copy"}) == (400, "directory")
    assert asked({"directory": str(tmp_path / "copy"), "keys": str(tmp_path / "copy" / "keys")}) == (400, "keys")
    assert not (tmp_path / "copy").exists()
    busy = run_segue("backup", tmp_path / "copy", "--data", shop.data)
    assert (busy.returncode, "already runs" in busy.stderr) == (2, True)


def _shop(engine: Engine, shopper: int, acknowledged: list[dict[str, Any]], ending: threading.Event) -> None:
    with httpx.Client(base_url=engine.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=30) as client:
        for lot in itertools.count():
            if ending.is_set():
                return
            batch = [_event(shopper, lot * 20 + number) for number in range(20)]
            assert client.post("/v1/batch", json={"batch": batch}).json() == {"success": True}
            acknowledged.extend(batch)


def _event(shopper: int, number: int) -> dict[str, Any]:
    user = (number * 4 + shopper) % USERS
    event = {
        "type": "track",
        "messageId": f"s{shopper}-{number}",
        "userId": f"b{user}",
        "event": "Product Added" if number % 4 == 1 else "Product Viewed",
        "properties": {"cart_id": f"cart-{shopper}-{number}"},
    }
    return event | ({"anonymousId": f"a{shopper}-{number}"} if number % 10 == 0 else {})
