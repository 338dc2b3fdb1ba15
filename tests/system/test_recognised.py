"""Who is recognised, and who is not: a till that knows a card alone, an order as a guest, a till that many use.

Each scenario runs on the wall clock and on the replay clock, and the judge is a real mailbox: somebody who does not buy
gets the reminder, which shows that its time has come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from support.running import Engine, MailServer, eventually, eventually_equal, write_catalog

from engine.readings import instants

START_MS = 1_772_409_600_000
WAIT_MS = 3_000  # of the shop's cart journey
ORDER = {"order_id": "o", "total": 80.0}


@dataclass
class Stage:
    """An engine with its mailbox. On a replay clock every word has a time, and time is what `passes` says."""

    engine: Engine
    mailbox: MailServer
    now_ms: int = START_MS
    waiting: list[Any] = field(default_factory=list)

    @property
    def is_replay(self) -> bool:
        return self.engine.clock == "replay"

    def by_server(self, kind: str, **body: Any) -> None:
        self._tell(self.engine.server, kind, body)

    def by_web(self, kind: str, **body: Any) -> None:
        self._tell(self.engine.web, kind, body)

    def _tell(self, client: Any, kind: str, body: dict[str, Any]) -> None:
        when = {"timestamp": instants.iso(self.now_ms)} if self.is_replay else {}
        answer = client.post(f"/v1/{kind}", json=body | when)
        assert answer.json() == {"success": True}, answer.text
        if self.is_replay:
            self.now_ms += 500
            self.engine.move_clock(instants.iso(self.now_ms))

    def settle(self) -> None:
        """What is on its way between profiles arrives."""
        if self.is_replay:
            self.passes(90_000)
        else:
            eventually(lambda: self.engine.status()["messages"]["pending"] == 0)

    def passes(self, ms: int) -> None:
        self.now_ms += ms
        self.engine.move_clock(instants.iso(self.now_ms))

    def fill_cart(self, user: str) -> None:
        self.by_web("track", event="Product Added", userId=user, properties={"cart_id": f"c-{user}"})

    def reminders_leave(self, user: str) -> None:
        """Somebody else leaves a cart behind; returns when the reminder for it has arrived."""
        other = f"{user}-left-it"
        self.by_server("identify", userId=other, traits={"email": f"{other}@shop.example"})
        self.fill_cart(other)
        if self.is_replay:
            self.passes(WAIT_MS + 40_000)
        eventually_equal(lambda: len(self.mailbox.to(f"{other}@shop.example")), 1)

    def journey(self, user: str) -> tuple[str, str]:
        (run,) = self.engine.profile("user_id", user)["journeys"]
        return run["state"], run["endedBy"]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, shop_files: dict[str, str]) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("recognised")
    with MailServer().open() as mailbox:
        config = write_catalog(folder / "configs", shop_files)
        engine = Engine(folder, config=config, clock="replay", smtp_port=mailbox.port)
        try:
            engine.start()
            engine.move_clock(instants.iso(START_MS))
            yield Stage(engine, mailbox)
        finally:
            engine.close()


@pytest.fixture(params=["live", "on the replay clock"])
def stage(request: pytest.FixtureRequest, shop: Engine, mailbox: MailServer) -> Stage:
    found: Stage = Stage(shop, mailbox) if request.param == "live" else request.getfixturevalue("replayed")
    return found


def test_a_till_that_knows_the_card_alone_ends_the_cart_journey_of_the_web(stage: Stage):
    stage.by_server("identify", userId="ada", traits={"email": "ada@shop.example", "loyalty_id": "L-ADA"})
    stage.settle()
    stage.fill_cart("ada")
    stage.by_server("track", event="Order Completed", properties=ORDER | {"card": "L-ADA"}, context={"channel": "pos"})
    assert stage.journey("ada") == ("stopped", "stop.purchase")
    stage.reminders_leave("ada")
    assert stage.mailbox.to("ada@shop.example") == []
    entries = stage.engine.timeline("user_id", "ada")
    bought = next(entry for entry in entries if entry["summary"] == "Order Completed")
    assert (bought["channel"], bought["properties"]["card"]) == ("pos", "L-ADA")
    stop = next(entry for entry in entries if entry["kind"] == "stop")
    withdrawn = [entry for entry in entries if entry["at"] == stop["at"] and entry.get("outcome") == "withdrawn"]
    assert stop["reason"] == "stop.purchase" and [entry["action"] for entry in withdrawn] == ["cart_reminder"]


def test_an_order_as_a_guest_ends_it_too_and_a_guest_who_signs_up_keeps_what_was_bought(stage: Stage):
    guest = {"context": {"traits": {"email": "grete@shop.example"}, "channel": "web"}}
    stage.by_server("track", event="Order Completed", properties=ORDER, **guest)
    assert stage.engine.profile("email", "grete@shop.example")["identifiers"][0]["namespace"] == "email"
    stage.by_server("identify", userId="grete", traits={"email": "grete@shop.example"})
    stage.settle()
    stage.fill_cart("grete")
    stage.by_server("track", event="Order Completed", properties=ORDER | {"order_id": "o2"}, **guest)
    assert stage.journey("grete") == ("stopped", "stop.purchase")
    stage.reminders_leave("grete")
    assert stage.mailbox.to("grete@shop.example") == []
    names = [entry["summary"] for entry in stage.engine.timeline("user_id", "grete") if entry["kind"] == "event"]
    assert names == ["Order Completed", "Identified", "Product Added", "Order Completed"]


def test_all_who_buy_at_one_till_stay_who_they_are(stage: Stage):
    buyers = [f"buyer-{number}" for number in range(5)]
    for user in buyers:
        body = {"anonymousId": "till-7", "userId": user, "context": {"channel": "pos"}}
        stage.by_server("track", event="Order Completed", properties=ORDER | {"order_id": user}, **body)
        stage.settle()
    assert len({stage.engine.profile("user_id", user)["profileId"] for user in buyers}) == len(buyers)
    for user in buyers:
        events = [entry for entry in stage.engine.timeline("user_id", user) if entry["kind"] == "event"]
        assert [event["properties"]["order_id"] for event in events] == [user]
