"""The proof, live: on the wall clock, over real SMTP, purchases race with reminders, and the journal is the judge.

Whoever's purchase turn stands in the journal before the turn in which the reminder was let go has no mail; everybody
else has exactly one. Then the engine is stopped as people stop it, and goes on as if nothing had been.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest
from support.running import WRITE_KEY, Engine, MailServer, eventually, run_segue, write_catalog

from actors.platform.ports import free_port
from actors.shard.journal import replay
from actors.storage import keys
from actors.storage.batch import Batch
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine.inputs import Authorise, Event, TimersDue
from serve.process.data_directory import engine_key_of

PEOPLE = 240
WAIT_S = 3.0  # of the shop's cart journey
RACE_S = 0.25  # how long before or after the due time those buy who race with it
SEED = 20261124


@dataclass
class Past:
    """What was seen before and after the engine was stopped."""

    engine: Engine
    mailbox: MailServer
    buyers: set[str]
    profiles: dict[str, dict[str, Any]]
    status: dict[str, Any]
    stopped: tuple[int, float, list[str]]
    journal: dict[str, list[Any]]  # the inputs of each user's turns, in order


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Past]:
    """Carts are filled, some people buy, reminders leave, the engine is stopped."""
    folder = tmp_path_factory.mktemp("proof")
    with MailServer().open() as mailbox:
        config = write_catalog(folder / "configs", shop_files)
        engine = Engine(folder, config=config, smtp_port=mailbox.port).start()
        try:
            buyers = asyncio.run(_carts_and_purchases(engine))
            eventually(lambda: engine.status()["timers"]["pending"] == 0 and engine.is_quiet(), 60)
            profiles = {user: engine.profile("user_id", user) for user in _users()}
            status = engine.status()
            stopped = engine.stop()
            yield Past(engine, mailbox, buyers, profiles, status, stopped, _journal(engine))
        finally:
            engine.close()


def test_whoever_bought_before_the_reminder_was_let_go_has_no_mail_and_everybody_else_has_one(past: Past):
    overtaken = 0
    for user in _users():
        turns = past.journal[user]
        let_go = [at for at, told in enumerate(turns) if isinstance(told, Authorise)]
        bought = [at for at, told in enumerate(turns) if isinstance(told, Event) and told.name == "Order Completed"]
        assert bool(bought) == (user in past.buyers)
        in_time = bool(bought) and not (let_go and let_go[-1] < bought[0])  # what waits in line is asked for again
        overtaken += bool(bought) and not in_time
        assert len(past.mailbox.to(f"{user}@shop.example")) == (0 if in_time else 1), (user, turns)
    assert len(past.buyers) - overtaken >= PEOPLE // 3, "nobody bought in time"


def test_a_purchase_before_the_due_turn_ends_the_run_and_says_so(past: Past):
    ended = 0
    for user in past.buyers:
        (run,) = past.profiles[user]["journeys"]
        kinds = [told.name if isinstance(told, Event) else type(told) for told in past.journal[user]]
        if TimersDue not in kinds[: kinds.index("Order Completed")]:
            assert (run["state"], run["endedBy"]) == ("stopped", "stop.purchase"), user
            assert TimersDue not in kinds
            ended += 1
    assert ended >= PEOPLE // 3
    for user in set(_users()) - past.buyers:
        (run,) = past.profiles[user]["journeys"]
        assert (run["state"], run["endedBy"]) == ("completed", "end")


def test_no_send_was_mailed_twice_and_the_numbers_add_up(past: Past):
    ids = past.mailbox.send_ids()
    assert len(ids) == len(set(ids)) == past.status["sends"]["sent"]
    assert past.status["sends"]["unknown"] == past.status["sends"]["failed"] == 0


def test_ctrl_c_ends_everything_within_seconds(past: Past):
    exit_code, took_s, left = past.stopped
    assert exit_code == 0, past.engine.log.read_text()[-2000:]
    assert left == []
    assert took_s < 15
    assert "Traceback" not in past.engine.log.read_text()


def test_after_a_restart_everything_is_as_it_was(past: Past):
    engine = past.engine.start()
    assert {user: engine.profile("user_id", user) for user in _users()} == past.profiles
    for part in ("events", "sends", "timers"):
        assert engine.status()[part] == past.status[part]
    assert [shard["epoch"] for shard in engine.status()["shards"]] == [2, 2]
    mails = len(past.mailbox.mails)
    engine.track("Letter Wanted", {"number": 1}, userId="p0")
    eventually(lambda: len(past.mailbox.mails) == mails + 1)


def test_two_engines_on_one_machine_share_no_port(past: Past, shop: Engine):
    assert _listening(past.engine) and _listening(shop)
    assert _listening(past.engine).isdisjoint(_listening(shop))


def test_a_damaged_store_is_named_and_not_opened(past: Past):
    past.engine.stop()
    tables = sorted(past.engine.data.glob("shard-*/*.sst"), key=lambda file: -file.stat().st_size)
    content = bytearray(tables[0].read_bytes())
    content[len(content) // 3] ^= 0xFF
    tables[0].write_bytes(content)
    done = run_segue("up", "--config", past.engine.config, "--data", past.engine.data, "--port", str(free_port()))
    assert (done.returncode, done.stdout.count("\n")) == (2, 1), done.stdout + done.stderr
    assert done.stdout.startswith("configs: ")
    assert done.stderr.count("\n") == 1 and str(tables[0]) in done.stderr and "is damaged" in done.stderr
    assert tables[0].read_bytes() == content, "nothing was changed"


def _users() -> list[str]:
    return [f"p{number}" for number in range(PEOPLE)]


async def _carts_and_purchases(engine: Engine) -> set[str]:
    """A third buys well before the reminder is due, a third at that very moment, a third never; returns who bought."""
    early, racing = set(_users()[::3]), set(_users()[1::3])
    rng = random.Random(SEED)
    async with httpx.AsyncClient(base_url=engine.url, auth=(WRITE_KEY, ""), trust_env=False, timeout=60) as client:

        async def tell(batch: list[dict[str, Any]]) -> None:
            assert (await client.post("/v1/batch", json={"batch": batch})).json() == {"success": True}

        async def buys(user: str, after_s: float) -> None:
            await asyncio.sleep(after_s)
            await tell([_event("Order Completed", user)])

        addresses = [(user, {"email": f"{user}@shop.example"}) for user in _users()]
        await tell([{"type": "identify", "userId": user, "traits": traits} for user, traits in addresses])
        await tell([_event("Product Added", user) for user in _users()])
        race = [buys(user, WAIT_S + rng.uniform(-RACE_S, RACE_S)) for user in sorted(racing)]
        await asyncio.gather(tell([_event("Order Completed", user) for user in sorted(early)]), *race)
    return early | racing


def _event(name: str, user: str) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": user, "properties": {"cart_id": "c", "order_id": f"o-{user}"}}


def _journal(engine: Engine) -> dict[str, list[Any]]:
    turns: dict[str, list[Any]] = {}
    users: dict[str, str] = {}
    vault = FileVault(engine.data / "vault", engine_key_of(engine.data, None))
    for shard in range(engine.shards):
        store = Batch(RocksStore(engine.data / f"shard-{shard:03d}"), vault)
        for key, record in store.committed("journal"):
            profile, told = keys.profile_of(key), replay.Entry.read(key, record).told
            turns.setdefault(profile, []).append(told)
            if isinstance(told, Event) and told.user_id:
                users[profile] = told.user_id
        store.close()
    return {user: turns[profile] for profile, user in users.items()}


def _listening(engine: Engine) -> set[int]:
    found = set()
    for process in engine.family:
        with contextlib.suppress(psutil.NoSuchProcess):
            listening = [each for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
            found.update(each.laddr.port for each in listening)
    return found
