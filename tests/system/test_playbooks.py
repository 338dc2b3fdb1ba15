"""All six playbooks in one workspace, live: mail over SMTP, the rest in the sandbox. Their hours are seconds here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.running import Engine, MailServer, eventually, run_segue

from serve.playbooks import library

CHANNELS = """
channels:
  - {id: web, provider: none}
  - id: email
    provider: smtp
    address: email
    host: 127.0.0.1
    port_env: SEGUE_SMTP_PORT
    sender: "Shop <shop@shop.example>"
"""
POLICIES = """
stops:
  - {id: purchase, on: Order Completed, tier: promotional}
"""
BAG = {"product_id": "bag-7", "category": "bags", "name": "Weekender", "price": 89}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, MailServer]]:
    """An engine on a new workspace that has all playbooks, with waits of two seconds and nobody held out."""
    folder = tmp_path_factory.mktemp("playbooks")
    configs = folder / "shop" / "configs"
    assert run_segue("init", folder / "shop", "--template", "blank").returncode == 0
    (configs / "channels.yaml").write_text(CHANNELS, "utf-8")
    (configs / "policies.yaml").write_text(POLICIES, "utf-8")
    for name in library.names():
        done = run_segue("playbook", "add", name, "--config", configs)
        assert done.returncode == 0, done.stderr
    for file in (configs / "journeys").iterdir():
        file.write_text(re.sub(r"\b(for|timeout|silent): \d+[mhd]", r"\1: 2s", file.read_text("utf-8")), "utf-8")
    rules = configs / "policies.yaml"  # tests run by day and by night
    rules.write_text(rules.read_text("utf-8").replace('"21:00-08:00"', '"21:00-08:00", in: NZ'), "utf-8")
    rules.write_text(rules.read_text("utf-8").replace("share: 0.1", "share: 0.0"), "utf-8")
    with MailServer().open() as mailbox:
        engine = Engine(folder / "engine", config=configs, smtp_port=mailbox.port)
        try:
            yield engine.start(), mailbox
        finally:
            engine.close()


class Person:
    """Somebody with an address and a yes on every channel."""

    def __init__(self, engine: Engine, name: str, purpose: str = "marketing") -> None:
        self.engine, self.name, self.address = engine, name, f"{name}@shop.example"
        traits = {"email": self.address, "phone": f"+49151{sum(name.encode()):08}"}
        device = {"device": {"id": f"device-of-{name}"}}
        asked = [
            {
                "type": "track",
                "event": "Consent Updated",
                "properties": {"purpose": purpose, "channel": to, "granted": True},
            }
            for to in ("email", "push", "sms")
        ]
        engine.bring([{"type": "identify", "traits": traits, "context": device, "userId": name}, *self._mine(asked)])

    def does(self, event: str, times: int = 1, **properties: Any) -> None:
        told = [{"type": "track", "event": event, "properties": properties} for _ in range(times)]
        self.engine.bring(self._mine(told))

    def _mine(self, told: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each | {"userId": self.name} for each in told]


def subjects(mailbox: MailServer, who: Person) -> list[str]:
    return [str(mail["Subject"]) for mail in mailbox.to(who.address)]


def simulated(engine: Engine, who: Person) -> list[tuple[str, str]]:
    """(channel, action) of what sandboxes took for somebody."""
    entries = engine.timeline("user_id", who.name)
    return [(each["channel"], each["action"]) for each in entries if each.get("outcome") == "simulated"]


def test_each_playbook_sends_mail_over_smtp_and_stops_when_it_should(live: tuple[Engine, MailServer]):
    engine, mailbox = live
    cart, buyer, browser, opener, traveller = (Person(engine, name) for name in ("ada", "bob", "eve", "ivy", "kim"))
    saver = Person(engine, "joe", purpose="onboarding")

    for who in (cart, buyer):
        who.does("Product Added", cart_id=f"cart-of-{who.name}", value=250, **BAG)
    buyer.does("Order Completed", order_id="o-1", products=[BAG | {"quantity": 1}], total=250)
    browser.does("Product Viewed", times=3, **BAG)
    opener.does("Product Viewed", **BAG)
    saver.does("Account Opened", account_id="a-1", product="savings account")
    route = {"route_id": "HAM-LIS", "origin": "Hamburg", "destination": "Lisbon", "departs_on": "2026-06-12"}
    traveller.does("Booking Started", trip_id="t-1", price=240, **route)

    wanted = {
        cart: "You left something in your cart",
        buyer: "Make the most of your order",
        browser: "Still looking at Weekender?",
        opener: "Go on in the app",
        saver: "Your account is almost ready",
        traveller: "Your trip to Lisbon",
    }
    for who, subject in wanted.items():
        eventually(lambda who=who, subject=subject: subject in subjects(mailbox, who), 40)
    eventually(lambda: {("push", "cart_rescue"), ("sms", "cart_rescue_text")} <= set(simulated(engine, cart)), 40)

    drop = {"kind": "route", "id": "HAM-LIS", "event": "Price Dropped", "properties": {"percent": 15, "price": 204}}
    assert engine.server.post("/v1/things", json=drop).status_code == 200
    eventually(lambda: ("push", "trip_price_drop") in simulated(engine, traveller), 40)

    assert ("in_app", "onboarding_in_app") in simulated(engine, saver)
    assert subjects(mailbox, buyer) == ["Make the most of your order"], "a purchase ends what is promotional"
    assert simulated(engine, buyer) == []
    runs = {run["journey"]: run["endedBy"] for run in engine.profile("user_id", "bob")["journeys"]}
    assert runs["cart_rescue"] == "stop.purchase"
