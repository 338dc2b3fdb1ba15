"""What a sandbox is given counts as arrived for its customer and as a delivery for nobody, and can be read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import eventually_equal
from support.serving import ServedShard
from support.world import ID_KEY, YES_TO_MAIL, Customer, World, action, cart_journey, compiled, document

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery import sandbox_messages
from actors.delivery.channels.adapter import Message
from actors.delivery.dispatcher import Dispatcher
from actors.delivery.sandbox_messages import packed
from actors.replay_clock.in_process import LocalEngine
from actors.shard.journal.export import part
from actors.shard.outbox import sandbox_log
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from actors.transport.messages.carried import Outcome
from engine.catalog.compiled import Catalog
from engine.inputs import Erase, Settle
from serve.simulation import counted

CAPS = {"caps": [{"id": "one", "limit": 1, "per": "7d", "match": {"channel": "email"}}]}
NOW = [{"send": {"action": "cart_reminder", "channel": "email", "on_held": "continue"}}]
TEXTS = document(
    actions=[action("cart_reminder", category="bags")],
    journeys=[cart_journey(steps=NOW)],
    policies=CAPS | {"fatigue": {"seen": 0.5}},
)


def settled(says: str) -> Customer:
    """Somebody to whom a message was given, and whose provider has said that."""
    world = World(TEXTS)
    world.provider_says = says
    ada = world.customer("ada@example.com", consents=YES_TO_MAIL)
    ada.does("Product Added", cart_id="1")
    world.advance(minutes=1)
    ada.does("Product Added", cart_id="2")
    world.advance(minutes=1)
    return ada


def test_a_simulated_message_counts_for_its_customer_as_one_that_arrived():
    def life(ada: Customer) -> list[Any]:
        shard = ada.world.engine.shard(ada.id)
        profile = shard.record(ada.id)
        entries = [(entry.outcome, entry.reason) for entry in ada.timeline if entry.kind == "send"]
        held = [each for each in entries if each[0] not in ("sent", "simulated")]
        return [held, profile.fatigue, profile.places, [run.state for run in profile.runs]]

    assert life(settled("simulated")) == life(settled("sent"))
    assert ("held", "cap.one") in life(settled("simulated"))[0]


def test_a_simulated_message_is_no_delivery():
    for says in ("simulated", "sent"):
        sends = settled(says).world.engine.windows[0].shard.sends
        assert {name: count for name, count in sends.items() if count} == {says: 1, "held": 1}


def test_the_counts_of_before_stay_as_they_were():
    store = MemoryStore()
    shard = Shard(0, store, compiled(TEXTS), World(TEXTS).engine.windows[0].clock)
    shard.put_meta("sends", {"sent": 7, "held": 1})  # as an earlier version left them
    shard.commit()
    again = Shard(0, store, compiled(TEXTS), World(TEXTS).engine.windows[0].clock)
    assert (again.sends["sent"], again.sends["simulated"], again.sends["held"]) == (7, 0, 1)


def test_an_engine_without_providers_takes_the_word_of_each_channel():
    engine = LocalEngine(compiled(TEXTS))
    assert engine._accepted({"channel": "sms"}) == "simulated"
    assert engine._accepted({"channel": "gone"}) == "sent"
    assert counted._SEND_KINDS["simulated"] == "send"


# -- what was said


def said(send: str, channel: str = "sms", html: str = "") -> bytes:
    return packed(Message(send, channel, "+49", "Hello", html, f"Hello {send}", 0, send, 1.0))


def keep(shard: Shard, profile: str, send: str, channel: str = "sms") -> None:
    shard.sandbox.keep(Outcome(profile, send, "simulated", "", said(send, channel)))
    shard.commit()


def sends(rows: list[dict[str, Any]]) -> list[str]:
    return [row["send"] for row in rows]


def test_the_newest_are_read_first_by_channel_and_by_customer():
    world = World(TEXTS)
    ada, bob = world.customer("ada@example.com"), world.customer("bob@example.com")
    shard = world.engine.windows[0].shard
    for number, who in enumerate((ada, bob, ada)):
        keep(shard, who.id, f"s{number}", "push" if number == 2 else "sms")
        world.advance(minutes=1)
    assert sends(shard.sandbox.newest("", 10)) == ["s2", "s1", "s0"]
    assert sends(shard.sandbox.newest("", 2)) == ["s2", "s1"]
    assert sends(shard.sandbox.newest("sms", 10)) == ["s1", "s0"]
    assert sends(shard.sandbox.newest("", 10, ada.id)) == ["s2", "s0"]
    (row,) = shard.sandbox.newest("push", 10)
    assert (row["profileId"], row["address"], row["subject"], row["text"]) == (ada.id, "+49", "Hello", "Hello s2")


def test_a_shard_keeps_the_newest_for_a_month(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sandbox_log, "KEPT_MAX", 5)
    monkeypatch.setattr(sandbox_log, "_SPARE", 2)
    world = World(TEXTS)
    ada = world.customer("ada@example.com")
    shard = world.engine.windows[0].shard
    for number in range(20):
        keep(shard, ada.id, f"s{number}")
        assert len(shard.sandbox._keys()) <= 7
    assert sends(shard.sandbox.newest("", 5)) == [f"s{number}" for number in range(19, 14, -1)]
    world.advance(days=31)
    for number in range(3):
        keep(shard, ada.id, f"new{number}")
    assert {each for each in sends(shard.sandbox.newest("", 99)) if each.startswith("s")} == set()


def test_a_body_is_bounded():
    long = packed(Message("s", "email", "a@b.example", "x", "h" * 100_000, "t" * 100_000, 0, "s", 1.0))
    assert len(long) < 2 * sandbox_messages.CHARS_MAX + 1_000


def test_a_batch_of_messages_fits_into_a_frame():
    one = packed(Message("s", "email", "a@b.example", "x", "h" * 16_000, "t" * 16_000, 0, "s", 1.0))
    kept = sandbox_messages.bounded(Outcome("p", f"s{number}", "simulated", "", one) for number in range(2_000))
    assert len(kept) == 2_000 and 200 < sum(bool(outcome.said) for outcome in kept) < 300


def test_somebody_who_does_not_live_here_leaves_nothing():
    shard = World(TEXTS).engine.windows[0].shard
    keep(shard, "00" * 15, "s")
    assert shard.sandbox.newest("", 9) == []


def open_world(folder: Path) -> World:
    vaults = [FileVault(folder / "vault", b"k" * 32, 0)]
    return World(TEXTS, stores=[RocksStore(folder / "shard-000")], vaults=vaults)


def test_it_survives_a_restart_is_in_the_export_and_goes_with_an_erasure(tmp_path: Path):
    world = open_world(tmp_path)
    ada = world.customer("ada@example.com")
    bob = world.customer("bob@example.com")
    keep(world.engine.windows[0].shard, ada.id, "of-ada")
    keep(world.engine.windows[0].shard, bob.id, "of-bob")
    world.engine.windows[0].shard.close()

    world = open_world(tmp_path)
    shard = world.engine.windows[0].shard
    assert sorted(sends(shard.sandbox.newest("", 9))) == ["of-ada", "of-bob"]
    exported = part(shard, ada.id, "sandbox", b"")["rows"]
    assert [(row["send"], row["text"], row["at"][:4]) for row in exported] == [("of-ada", "Hello of-ada", "2026")]
    world.settle()
    world.engine.ask_profile(ada.id, Erase())
    world.settle()
    assert sends(shard.sandbox.newest("", 9)) == ["of-bob"]
    assert [key for key, _ in shard.batch.raw("sandbox", b"")] == shard.sandbox._keys()
    shard.close()


# -- all the way


SERVED = document(
    actions=[action("text", purpose="service", tier="service", channels=["sms"])],
    journeys=[
        cart_journey(id="text", tier="service", trigger={"event": "Call Ended"},
                     steps=[{"send": {"action": "text", "channel": "sms"}}])
    ],
)  # fmt: skip


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServedShard]:
    """A shard with a dispatcher."""
    catalog: Catalog = compiled(SERVED)
    shard = ServedShard(catalog, MemoryStore)
    (tmp_path / "catalog").write_bytes(catalog.document)
    loop = asyncio.new_event_loop()
    made = Dispatcher(
        ActiveCatalog(tmp_path / "catalog", ID_KEY),
        [shard.path],
        f"{shard.path}-d",
        public_url="http://shop",
        environ={},
    )
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve()))
    thread.start()
    yield shard
    loop.call_soon_threadsafe(made.close)
    thread.join(20)
    loop.close()
    shard.close()


def test_what_a_sandbox_was_given_can_be_read_where_it_was_asked_for(served: ServedShard):
    who = served.customer("ada")
    profile = served.tell(who.event("Call Ended", cart_id="1"))
    eventually_equal(lambda: [word for word, _ in served.outcomes(profile)], ["decided", "simulated"], 30)
    (row,) = served.read("sandbox", "", ("", 10))
    assert (row["profileId"], row["channel"], row["text"]) == (profile, "sms", "text")
    assert served.read("sandboxed", profile, ("sms", 10)) == [row]
    assert served.read("sandboxed", profile, ("push", 10)) == []


def test_what_providers_said_before_can_be_told_still():
    assert Settle(send_id="s", outcome="sent").outcome == "sent"
    assert Outcome("p", "s", "sent", "250 kept").said == b""
