"""Slow is not broken: a dispatcher, a shard and a mail server, real ones, in one process; deadlines are a tenth."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.running import MailServer, eventually, eventually_equal
from support.serving import ServedShard
from support.world import ID_KEY, action, cart_journey, compiled, document

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.delivery import dispatcher, handover, pacing
from actors.delivery.dispatcher import Dispatcher
from actors.storage.memory_store import MemoryStore

MAIL = {"id": "email", "provider": "smtp", "address": "email", "host": "127.0.0.1", "port": 1}
MAIL |= {"port_env": "PORT", "sender": "Alba <alba@shop.example>"}
PLAIN = document(
    channels={"channels": [{"id": "web", "provider": "none"}, MAIL, {"id": "sms", "provider": "sandbox"}]},
    consent={
        "purposes": {"marketing": {"channels": ["email"], "default": True}, "service": {"channels": []}},
        "events": ["Consent Updated"],
    },
    actions=[
        action("letter", tier="lifecycle"),
        action("text", purpose="service", tier="service", channels=["sms"]),
    ],
    journeys=[
        cart_journey(id="mail", tier="lifecycle", steps=[{"send": {"action": "letter", "channel": "email"}}]),
        cart_journey(
            id="text",
            tier="service",
            trigger={"event": "Call Ended"},
            steps=[{"send": {"action": "text", "channel": "sms"}}],
        ),
    ],
)


class Running(ServedShard):
    """A shard, and dispatchers one after the other."""

    def __init__(self, folder: Path, mailbox: MailServer) -> None:
        super().__init__(compiled(PLAIN), MemoryStore)
        self.mailbox, self._document = mailbox, folder / "catalog"
        self._document.write_bytes(self.catalog.document)
        self._numbers = iter(range(100))
        self._dispatcher: tuple[threading.Thread, asyncio.AbstractEventLoop, Dispatcher] | None = None

    def dispatch(self) -> None:
        """Start a dispatcher."""
        loop = asyncio.new_event_loop()
        made = Dispatcher(
            ActiveCatalog(self._document, ID_KEY),
            [self.path],
            f"{self.path}-d{next(self._numbers)}",
            public_url="http://shop",
            environ={"PORT": str(self.mailbox.port)},
        )
        thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve()))
        thread.start()
        self._dispatcher = thread, loop, made

    def stop(self, patience_s: float = 20) -> None:
        """Stop it as a shutdown does."""
        if self._dispatcher is not None:
            thread, loop, made = self._dispatcher
            loop.call_soon_threadsafe(made.close)
            thread.join(patience_s)
            assert not thread.is_alive(), "the dispatcher does not stop"
            loop.close()
            self._dispatcher = None

    def letter_for(self, name: str, what: str = "Product Added") -> str:
        """Somebody gets a letter, or a text; who it is."""
        who, address = self.customer(name), f"{name}@shop.example"
        self.tell(who.event("Identified", kind="identify", identifiers=(("email", address),)))
        return self.tell(who.event(what, cart_id="1"))

    def refuse(self, name: str) -> None:
        """No more letters."""
        no = {"purpose": "marketing", "channel": "email", "granted": False}
        self.tell(self.customer(name).event("Consent Updated", message_id="no", properties=no))

    def change_channels(self, *channels: dict[str, Any]) -> None:
        """The dispatcher, not the shard, goes on with other channels."""
        assert self._dispatcher is not None
        made = self._dispatcher[2]
        has_texts = any(channel["id"] == "sms" for channel in channels)
        kept = {name: file for name, file in PLAIN.items() if has_texts or "text" not in name}
        catalog = compiled(kept | {"channels.yaml": {"channels": [*channels]}})
        ActiveCatalog(self._document, ID_KEY).put(catalog.document)
        eventually_equal(lambda: made._handover.version, catalog.version)

    def fates(self, people: list[str]) -> Counter[str]:
        """The last word on each one's send."""
        return Counter(self.outcomes(profile)[-1][0] for profile in people)

    def close(self) -> None:
        self.mailbox.stalling.clear()
        self.stop()
        super().close()


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    for module, name in (
        (handover, "_HAND_OVER_S"),
        (handover, "_GRACE_S"),
        (dispatcher, "PATIENCE_S"),
        (pacing, "_SOON_S"),
    ):
        monkeypatch.setattr(module, name, getattr(module, name) / 10)
    monkeypatch.setattr(handover, "_FRESH_S", 0)  # every message is asked about again
    with MailServer().open() as mailbox:
        one = Running(tmp_path, mailbox)
        try:
            yield one
        finally:
            one.close()


@pytest.mark.slow
def test_a_slow_mail_server_gets_all_letters_and_none_is_unknown_or_failed_or_tried_twice(running: Running):
    running.mailbox.takes_s = 0.2
    people = [running.letter_for(f"p{number}") for number in range(50)]
    running.dispatch()
    eventually_equal(lambda: running.fates(people), Counter(sent=50), 60)
    assert all([word for word, _ in running.outcomes(each)] == ["decided", "sent"] for each in people)
    assert len(running.mailbox.mails) == len(set(running.mailbox.send_ids())) == 50


def test_each_letter_settles_when_it_is_done_and_not_with_those_that_were_fetched_with_it(running: Running):
    running.mailbox.stalling.add("p1@shop.example")
    people = [running.letter_for(f"p{number}") for number in range(2)]
    running.dispatch()
    eventually(lambda: running.mailbox.stalled, 30)
    assert running.fates(people[:1]) == Counter(sent=1), "the second one still hangs at its provider"


def test_a_mail_server_that_stalls_holds_up_no_text(running: Running):
    running.mailbox.stalling |= {f"p{number}@shop.example" for number in range(9)}
    letters = [running.letter_for(f"p{number}") for number in range(9)]
    running.dispatch()
    eventually(lambda: running.mailbox.stalled, 30)
    texts = [running.letter_for(f"t{number}", "Call Ended") for number in range(9)]
    eventually_equal(lambda: running.fates(texts), Counter(simulated=9), 30)
    assert running.fates(letters)["sent"] == 0


def test_a_stop_lets_the_letter_that_has_begun_end_and_puts_the_others_back(running: Running):
    running.mailbox.stalling.add("p0@shop.example")
    people = [running.letter_for(f"p{number}") for number in range(4)]
    running.dispatch()
    eventually(lambda: running.mailbox.stalled, 30)
    running.mailbox.stalling.clear()
    running.mailbox.takes_s = 0.5
    running.stop()
    fates = running.fates(people)
    assert fates["unknown"] == 0 and fates["decided"] >= 1 and fates["sent"] >= 1
    running.mailbox.takes_s = 0.0
    running.dispatch()
    eventually_equal(lambda: running.fates(people), Counter(sent=4), 30)
    assert len(running.mailbox.send_ids()) == len(set(running.mailbox.send_ids())) == 4


def test_an_opt_out_reaches_a_letter_that_waits_in_line_at_its_provider(running: Running):
    running.mailbox.stalling.add("p0@shop.example")
    people = [running.letter_for(f"p{number}") for number in range(3)]
    running.dispatch()
    eventually(lambda: running.mailbox.stalled, 30)
    for number in (1, 2):
        running.refuse(f"p{number}")
    eventually_equal(lambda: running.fates(people[1:]), Counter(withdrawn=2), 30)
    running.mailbox.stalling.clear()
    eventually(lambda: running.fates(people)["withdrawn"] == 2 and running.outcomes(people[0])[-1][0] != "decided", 30)
    assert [mail["To"] for mail in running.mailbox.mails] == ["p0@shop.example"]


def test_a_letter_whose_turn_comes_after_its_customers_opt_out_does_not_leave(running: Running):
    running.mailbox.stalling.add("p0@shop.example")
    people = [running.letter_for(f"p{number}") for number in range(2)]
    running.dispatch()
    eventually(lambda: running.mailbox.stalled, 30)
    running.refuse("p1")
    running.mailbox.stalling.clear()  # so the turn of the second one comes at once, before it would go back
    eventually_equal(lambda: running.fates(people), Counter(sent=1, withdrawn=1), 30)
    assert [mail["To"] for mail in running.mailbox.mails] == ["p0@shop.example"]


def test_a_channel_that_changes_or_comes_back_goes_on_and_sends_nothing_twice(running: Running):
    web, sms = {"id": "web", "provider": "none"}, {"id": "sms", "provider": "sandbox"}
    running.mailbox.takes_s = 0.1
    people = [running.letter_for(f"p{number}") for number in range(20)]
    running.dispatch()
    eventually(lambda: len(running.mailbox.mails) > 2, 30)
    for timeout_s in (20, 21, 22):  # new adapters, the same line
        running.change_channels(web, sms, MAIL | {"timeout_s": timeout_s})
    eventually_equal(lambda: running.fates(people), Counter(sent=20), 30)
    assert len(running.mailbox.send_ids()) == len(set(running.mailbox.send_ids())) == 20
    running.change_channels(web, MAIL)
    text = running.letter_for("t", "Call Ended")
    running.change_channels(web, sms, MAIL)
    eventually_equal(lambda: running.fates([text]), Counter(simulated=1), 30)


def test_letters_to_a_server_that_never_greets_wait_for_another_try_and_none_is_unknown(
    tmp_path: Path, running: Running
):
    silent = threading.Event()
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        running.mailbox.port = server.sockets[0].getsockname()[1]
        silent.set()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(listen()), loop.run_forever()))
    thread.start()
    silent.wait(10)
    try:
        people = [running.letter_for(f"p{number}") for number in range(3)]
        running.dispatch()
        eventually_equal(lambda: running.fates(people), Counter(retry=3), 60)
        running.stop()
        assert "unknown" not in {word for each in people for word, _ in running.outcomes(each)}
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
