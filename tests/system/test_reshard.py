"""Another number of shards, over HTTP: nobody can tell the difference."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import Engine, MailServer, eventually, run_segue, write_catalog

USERS = [f"r{number}" for number in range(40)]


@pytest.fixture
def engine(tmp_path: Path, shop_files: dict[str, str]) -> Iterator[Engine]:
    """A shop whose carts wait for hours; its mail goes to our own server."""
    slow = shop_files["journeys/abandoned_cart.yaml"].replace("3s", "2h")
    config = write_catalog(tmp_path / "configs", shop_files | {"journeys/abandoned_cart.yaml": slow})
    with MailServer().open() as mailbox:
        running = Engine(tmp_path, config=config, smtp_port=mailbox.port)
        try:
            yield running.start()
        finally:
            running.close()


def test_nobody_can_tell_two_shards_from_three(engine: Engine):
    """Invariants 1, 3 and 7: profiles, timelines, timers and sends are as they were."""
    people = [{"type": "identify", "userId": user, "traits": {"email": f"{user}@shop.example"}} for user in USERS]
    visits = [_event(f"v{number}", anonymousId=f"ra{number}") for number in range(40)]
    carts = [
        _event(f"c{number}", userId=user, anonymousId=f"ra{number}", event="Product Added")
        for number, user in enumerate(USERS)
    ]
    letters = [_event(f"l{number}", userId=user, event="Letter Wanted") for number, user in enumerate(USERS[:10])]
    for batch in (people, visits, carts, letters):
        engine.batch(batch)
    eventually(engine.is_quiet, 30)
    before, numbers = _everything(engine), _numbers(engine)
    assert (numbers["timers"]["pending"], numbers["sends"]["sent"]) == (40, 10)
    code, _, left = engine.stop()
    assert (code, left) == (0, [])
    done = run_segue("reshard", "--shards", "3", "--data", engine.data)
    assert done.returncode == 0, done.stderr
    verified = run_segue("verify", "--data", engine.data)
    assert verified.returncode == 0, verified.stderr
    engine.shards = 3
    engine.start()
    assert len(engine.status()["shards"]) == 3
    assert _everything(engine) == before
    assert _numbers(engine) == numbers
    engine.batch([*visits, *carts, *letters])
    after = engine.status()["events"]
    assert after["repeated"] == numbers["events"]["repeated"] + len(visits) + len(carts) + len(letters)
    assert after["accepted"] == numbers["events"]["accepted"]
    refused = run_segue("reshard", "--shards", "2", "--data", engine.data)
    assert (refused.returncode, "already runs" in refused.stderr) == (2, True)


def _event(message: str, *, event: str = "Product Viewed", **who: str) -> dict[str, Any]:
    properties = {"cart_id": message, "number": message}
    return {"type": "track", "messageId": message, "event": event, "properties": properties} | who


def _everything(engine: Engine) -> dict[str, Any]:
    """What is known of everybody, by each of their names."""
    return {
        name: (engine.profile(namespace, name), engine.timeline(namespace, name))
        for number, user in enumerate(USERS)
        for namespace, name in (("user_id", user), ("anonymous_id", f"ra{number}"), ("email", f"{user}@shop.example"))
    }


def _numbers(engine: Engine) -> dict[str, Any]:
    status = engine.status()
    found = {name: status[name] for name in ("events", "sends", "timers", "messages")}
    return found | {"profiles": sum(shard["profiles"] for shard in status["shards"])}
