"""The facts that the demonstration shows: it reads a running engine, through the API that everybody has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from engine.errors import SegueError
from serve.demo.mail_server import MailServer
from serve.demo.replayer import EngineClient

_ENTRIES = 2_000
_GUEST = re.compile(r"took over a profile known by email$")
_TOLD = 26  # the length of a timeline that people still read to the end

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A purchase and what it withdrew in its own turn."""

    user: str
    address: str
    bought: Row
    stops: list[Row]
    withdrawn: list[Row]
    late_mails: int  # mails of the stopped runs that were decided or withdrawn in that turn or later

    @property
    def across(self) -> bool:
        """Bought on another channel than the one that filled the cart."""
        return self.bought.get("channel") not in (None, "web")

    @property
    def by_card(self) -> str:
        """The card by which alone the till knew who bought; empty where it was otherwise."""
        card = self.bought.get("properties", {}).get("card") if self.across else None
        return str(card or "")


@dataclass(frozen=True, slots=True)
class Person:
    """A customer whose timeline was read."""

    user: str
    profile: Row
    entries: list[Row]

    @property
    def address(self) -> str:
        """The e-mail address, empty where none is known."""
        return next((link["value"] for link in self.profile["identifiers"] if link["namespace"] == "email"), "")

    def richness(self) -> tuple[int, int, int]:
        """How much there is to tell: channels, kinds of entries and outcomes, and not too long a list."""
        channels = {row["channel"] for row in self.entries if row.get("channel")}
        kinds = {(row["kind"], row.get("outcome")) for row in self.entries if row["kind"] != "event"}
        return min(len(channels), 4), -abs(len(self.entries) - _TOLD), len(kinds)


def read_people(client: EngineClient, users: Iterable[str]) -> list[Person]:
    """The profiles and timelines of some customers; those whom the engine does not know are left out."""
    people = []
    for user in users:
        try:
            profile = client.get(f"/v1/profiles/{user}")
            timeline = client.get(f"/v1/profiles/{user}/timeline", limit=_ENTRIES)
        except SegueError:
            continue
        people.append(Person(user, profile, timeline["entries"]))
    return people


def best_path(people: list[Person]) -> Person | None:
    """The customer whose way across channels tells most."""
    return max(people, key=Person.richness, default=None)


def conversions(people: list[Person], mail_server: MailServer) -> list[Conversion]:
    """Every purchase of these people that stopped a run, with the mails that came after it."""
    return [found for person in people for found in _conversions_of(person, mail_server)]


def _conversions_of(person: Person, mail_server: MailServer) -> list[Conversion]:
    found: list[Conversion] = []
    for stop in [row for row in person.entries if row["kind"] == "stop" and row.get("reason") == "stop.purchase"]:
        same_turn = [row for row in person.entries if row["at"] == stop["at"]]
        bought = next((row for row in person.entries if row.get("messageId") == stop.get("messageId")), None)
        # One purchase may stop several runs, and is told once.
        if bought is None or bought["kind"] != "event" or any(known.bought is bought for known in found):
            continue
        stops = [row for row in same_turn if row["kind"] == "stop"]
        withdrawn = [row for row in same_turn if row["kind"] == "send" and row.get("outcome") == "withdrawn"]
        late = _mails_after(person, {row.get("run") for row in stops}, stop["at"], mail_server)
        found.append(Conversion(person.user, person.address, bought, stops, withdrawn, late))
    return found


def _mails_after(person: Person, runs: set[str | None], at: str, mail_server: MailServer) -> int:
    """How many mails of some runs are in the mailbox that were decided or withdrawn at `at` or later."""
    sends = {
        row.get("detail", {}).get("send")
        for row in person.entries
        if row["kind"] == "send" and row.get("run") in runs and row["at"] >= at and row.get("outcome") != "sent"
    }
    return sum(mail.send_id in sends for mail in mail_server.of(person.address))


def guests_joined(people: list[Person]) -> int:
    """How many profiles that were known by an address alone became one with these people."""
    took = [row["summary"] for person in people for row in person.entries if row["kind"] == "merge"]
    return sum(bool(_GUEST.search(summary)) for summary in took)


def telling_decision(client: EngineClient, users: Iterable[str], placement: str) -> Row | None:
    """An explained decision that has much to show: the one whose candidates have the most different reasons."""
    best: Row | None = None
    for user in users:
        namespace, _, value = user.partition(":")
        body = {"identifiers": {namespace: value}, "placement": placement, "explain": True, "requestId": f"demo-{user}"}
        answer = client.post("/v1/decide", body)
        if best is None or _variety(answer) > _variety(best):
            best = answer | {"user": user, "placement": placement}
    return best


def _variety(answer: Row) -> int:
    rows = answer["explanation"]["candidates"]
    return len({row["reason"].partition(".")[0] for row in rows}) + 2 * bool(answer["actions"])
