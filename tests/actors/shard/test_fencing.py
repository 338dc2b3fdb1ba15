"""Whoever was replaced and wakes up late changes nothing, a dispatcher or a shard (Invariants 2, 4): real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support.running import MailServer, eventually, eventually_equal
from support.serving import ServedShard
from support.world import ID_KEY, action, cart_journey, compiled, document

from actors.platform.clock import WallClock
from actors.shard.outbox.fence import Fence
from actors.shard.shard import Shard
from actors.storage.memory_store import MemoryStore
from actors.storage.store import RocksStore, open_when_free
from actors.transport.messages.of_dispatcher import Enlist, Pull
from engine.errors import Fenced, InUse

ADA = "ada@shop.example"
MAIL = {"id": "email", "provider": "smtp", "address": "email", "host": "127.0.0.1", "port": 1, "timeout_s": 60}
MAIL |= {"port_env": "SEGUE_SMTP_PORT", "sender": "Alba <alba@shop.example>"}
PLAIN = document(
    channels={"channels": [{"id": "web", "provider": "none"}, MAIL]},
    consent={"purposes": {"service": {"channels": [], "default": True}}},
    actions=[action("letter", purpose="service", tier="lifecycle")],
    journeys=[cart_journey(id="now", tier="lifecycle", steps=[{"send": {"action": "letter", "channel": "email"}}])],
)
DISPATCHER = """
import asyncio, os, sys
from actors.delivery.dispatcher import Dispatcher
from actors.catalog_files.active_catalog import ActiveCatalog
active = ActiveCatalog(sys.argv[1], bytes.fromhex(sys.argv[2]))
shell = Dispatcher(active, [sys.argv[3]], sys.argv[4], public_url="http://shop", environ=os.environ)
asyncio.run(shell.serve())
"""


SHARD = """
import sys
from dataclasses import replace
from pathlib import Path
from actors.platform.clock import WallClock
from actors.shard.shard import Shard
from actors.storage.store import RocksStore
from engine.catalog.compile import compile_bytes
catalog = replace(compile_bytes(Path(sys.argv[1]).read_bytes()), id_key=bytes.fromhex(sys.argv[2]))
shard = Shard(0, RocksStore(Path(sys.argv[3])), catalog, WallClock())
print(shard.epoch, flush=True)
sys.stdin.readline()
"""


class Running(ServedShard):
    """A shard that serves in a thread of this process, and dispatchers in processes of their own."""

    def __init__(self, folder: Path, mailbox: MailServer) -> None:
        self.dispatchers: list[subprocess.Popen[bytes]] = []
        self._mailbox, self._document = mailbox, folder / "catalog"
        super().__init__(compiled(PLAIN), lambda: RocksStore(folder / "store"))
        self._document.write_bytes(self.catalog.document)

    def dispatcher(self) -> subprocess.Popen[bytes]:
        """One more, in the place of the one before."""
        own = f"{self.path}-d{len(self.dispatchers)}"
        environment = os.environ | {"SEGUE_SMTP_PORT": str(self._mailbox.port)}
        command = [sys.executable, "-c", DISPATCHER, str(self._document), ID_KEY.hex(), self.path, own]
        self.dispatchers.append(subprocess.Popen(command, env=environment, stderr=subprocess.PIPE))
        return self.dispatchers[-1]

    def close(self) -> None:
        for process in self.dispatchers:
            process.kill()
            process.wait()
        super().close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Running, MailServer]]:
    with MailServer().open() as mailbox:
        one = Running(tmp_path, mailbox)
        try:
            yield one, mailbox
        finally:
            one.close()


def test_a_dispatcher_that_sleeps_through_its_replacement_sends_nothing_twice_and_settles_nothing(
    running: tuple[Running, MailServer],
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
    running: tuple[Running, MailServer],
):
    one, _ = running
    ada = one.customer("ada")
    one.tell(ada.event("Identified", kind="identify", traits={"email": ADA}, identifiers=(("email", ADA),)))
    one.call(Enlist("1.aa"))
    profile = one.tell(ada.event("Product Added", cart_id="1"))

    def pull(number: int) -> list[str]:
        pulled = one.call(Pull("1.aa", f"{number}", 64)).messages
        return [found["send"] for found in msgspec.msgpack.decode(pulled)]

    lost = pull(0)
    assert len(lost) == 1
    assert pull(0) == lost, "the answer was lost, so the dispatcher asks once more"
    assert pull(1) == [], "it has them now"
    one.call(Enlist("2.bb"))
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


def test_while_an_old_shard_lives_however_still_it_is_no_new_one_writes_and_the_next_has_a_new_epoch(tmp_path: Path):
    catalog, document = compiled(PLAIN), tmp_path / "catalog"
    document.write_bytes(catalog.document)
    command = [sys.executable, "-c", SHARD, str(document), ID_KEY.hex(), str(tmp_path / "store")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as old:
        try:
            assert old.stdout is not None
            epoch = int(old.stdout.readline())
            old.send_signal(signal.SIGSTOP)
            with pytest.raises(InUse):
                RocksStore(tmp_path / "store")
        finally:
            old.kill()
    store = open_when_free(tmp_path / "store")
    assert Shard(0, store, catalog, WallClock()).epoch == epoch + 1
    store.close()
