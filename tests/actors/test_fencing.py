"""A dispatcher that was replaced and wakes up late starts no send and settles none (Invariant 4): real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.running import Mailbox, eventually, eventually_equal
from support.world import ID_KEY, Customer, World, action, cart_journey, compiled, document

from actors.clock import WallClock
from actors.fence import Fence
from actors.shard import Shard
from actors.shard_server import ShardServer
from actors.store import MemoryStore, RocksStore
from actors.wire import FrameClient
from engine.errors import Fenced
from engine.identity import claims

ADA = "ada@shop.example"
MAIL = {"id": "email", "provider": "smtp", "address": "email", "host": "127.0.0.1", "port": 1, "timeout_s": 60}
MAIL |= {"port_env": "SEGUE_SMTP_PORT", "sender": "Alba <alba@shop.example>"}
PLAIN = document(
    channels={"channels": [{"id": "web", "provider": "none"}, MAIL]},
    consent={"purposes": {"service": {"channels": []}}},
    actions=[action("letter", purpose="service", tier="lifecycle")],
    journeys=[cart_journey(id="now", tier="lifecycle", steps=[{"send": {"action": "letter", "channel": "email"}}])],
)
DISPATCHER = """
import asyncio, os, sys
from dataclasses import replace
from pathlib import Path
from actors.dispatcher import Dispatcher
from engine.catalog.compile import compile_bytes
catalog = replace(compile_bytes(Path(sys.argv[1]).read_bytes()), id_key=bytes.fromhex(sys.argv[2]))
shell = Dispatcher(catalog, [sys.argv[3]], sys.argv[4], public_url="http://shop", is_replay=False, environ=os.environ)
asyncio.run(shell.serve())
"""


class Running:
    """A shard that serves in a thread of this process, and dispatchers in processes of their own."""

    def __init__(self, folder: Path, mailbox: Mailbox) -> None:
        self.catalog = compiled(PLAIN)
        self.sockets = Path(tempfile.mkdtemp(prefix="segue-", dir="/tmp"))
        self.dispatchers: list[subprocess.Popen[bytes]] = []
        self._mailbox, self._document = mailbox, folder / "catalog"
        self._document.write_bytes(self.catalog.document)
        self.shard = Shard(0, RocksStore(folder / "store"), self.catalog, WallClock())
        self._loop = asyncio.new_event_loop()
        path = str(self.sockets / "shard-0")
        self._thread = threading.Thread(target=self._serve, args=(path,))
        self._thread.start()
        eventually(Path(path).exists)

    def _serve(self, path: str) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = ShardServer(self.shard, path, [path])
        self._loop.run_until_complete(self._server.serve())

    def dispatcher(self) -> subprocess.Popen[bytes]:
        """One more, in the place of the one before."""
        arguments = [
            self._document,
            ID_KEY.hex(),
            self.sockets / "shard-0",
            self.sockets / f"d-{len(self.dispatchers)}",
        ]
        environment = os.environ | {"SEGUE_SMTP_PORT": str(self._mailbox.port)}
        command = [sys.executable, "-c", DISPATCHER, *map(str, arguments)]
        self.dispatchers.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        return self.dispatchers[-1]

    def call(self, op: str, payload: Any) -> Any:
        """One request to the shard, as anybody may make it."""

        async def ask() -> bytes:
            return await FrameClient(self.sockets / "shard-0").call(op, msgspec.msgpack.encode(payload))

        return msgspec.msgpack.decode(asyncio.run(ask()))

    def customer(self, name: str) -> Customer:
        """Somebody whose events happen now."""
        world = World(self.catalog)
        world.now_ms = WallClock().now_ms()
        return Customer(world, name, "")

    def tell(self, event: Any) -> str:
        """An event, durable on return; the profile that it belongs to."""
        profile = claims.home(self.catalog, event)
        assert profile is not None
        assert self.call("ingest", [(profile, event)]) == ["accepted"]
        return profile

    def outcomes(self, profile: str) -> list[tuple[str, str]]:
        """(outcome, reason) of all that was written down about sends."""
        rows = self.call("read", ("timeline", profile, 100))
        return [(row["outcome"], row.get("reason", "")) for row in rows["entries"] if row["kind"] == "send"]

    def close(self) -> None:
        for process in self.dispatchers:
            process.kill()
            process.wait()
        self._loop.call_soon_threadsafe(self._server.close)
        self._thread.join(10)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Running, Mailbox]]:
    with Mailbox().open() as mailbox:
        one = Running(tmp_path, mailbox)
        try:
            yield one, mailbox
        finally:
            one.close()


def test_a_dispatcher_that_sleeps_through_its_replacement_sends_nothing_twice_and_settles_nothing(
    running: tuple[Running, Mailbox],
):
    one, mailbox = running
    ada = one.customer("ada")
    mailbox.stalling.add(ADA)
    old = one.dispatcher()
    profile = one.tell(ada.event("Identified", kind="identify", traits={"email": ADA}, identifiers=(("email", ADA),)))
    one.tell(ada.event("Product Added", cart_id="1"))
    eventually(lambda: len(mailbox.stalled) == 1, 30)
    old.send_signal(signal.SIGSTOP)  # in the middle of the hand-over
    new = one.dispatcher()
    eventually_equal(lambda: one.outcomes(profile)[-1], ("unknown", "dispatcher lost"), 30)
    mailbox.stalling.clear()  # the provider says yes, and nobody listens
    one.tell(ada.event("Product Added", cart_id="2"))
    eventually_equal(lambda: one.outcomes(profile)[-1][0], "sent", 30)
    before = one.outcomes(profile)
    old.send_signal(signal.SIGCONT)
    assert old.wait(60) != 0
    assert b"Fenced" in old.communicate()[1]
    one.tell(ada.event("Product Added", cart_id="3"))
    eventually_equal(lambda: one.outcomes(profile)[-1][0], "sent", 30)
    assert one.outcomes(profile)[: len(before)] == before
    assert [outcome for outcome, _ in one.outcomes(profile)].count("unknown") == 1
    assert len(mailbox.mails) == len(set(mailbox.send_ids())) == 3
    assert new.poll() is None


def test_the_messages_of_a_pull_whose_answer_was_lost_are_given_again_and_to_nobody_else(
    running: tuple[Running, Mailbox],
):
    one, _ = running
    ada = one.customer("ada")
    one.tell(ada.event("Identified", kind="identify", traits={"email": ADA}, identifiers=(("email", ADA),)))
    one.call("enlist", "1.aa")
    profile = one.tell(ada.event("Product Added", cart_id="1"))

    def pull(number: int) -> list[str]:
        return [found["send"] for found in one.call("outbox", ("1.aa", msgspec.msgpack.encode((number, 64))))]

    lost = pull(0)
    assert len(lost) == 1
    assert pull(0) == lost, "the answer was lost, so the dispatcher asks once more"
    assert pull(1) == [], "it has them now"
    one.call("enlist", "2.bb")
    assert one.outcomes(profile)[-1] == ("unknown", "dispatcher lost")


def test_a_shard_refuses_all_but_the_newest_dispatcher_and_remembers_it_through_a_restart():
    store = MemoryStore()
    catalog = compiled(PLAIN)
    shard = Shard(0, store, catalog, WallClock())
    fence = Fence(shard)
    fence.enlist("3.aa")
    fence.enlist("3.aa.7")  # the same one
    shard.commit()
    again = Fence(Shard(0, store, catalog, WallClock()))
    for each in (fence, again):
        each.check("3.aa.9")
        for other in ("2.bb", "3.bb", "", "3.aaa"):
            with pytest.raises(Fenced):
                each.check(other)
            with pytest.raises(Fenced):
                each.enlist(other)
    again.enlist("4.bb")
    with pytest.raises(Fenced):
        again.check("3.aa")
