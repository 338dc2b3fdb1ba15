"""The books of a chaos run: they balance for what should be, and each way of going wrong is found and named."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from actors.catalog_files import config_files
from loadtest.chaos.balance import HAND_OVER_MS, balance, pending_timers
from loadtest.chaos.ledger import Found, Ledger, Mail
from loadtest.chaos.shop import CAPS, JOURNEYS, PURCHASE, Shopper, write_catalog

BEGAN_MS = 1_800_000_000_000


class Books:
    """A customer, Ada, with a ledger, the page that an honest engine would show, and her mailbox."""

    def __init__(self, file: io.StringIO | None = None) -> None:
        self.ledger = Ledger(file)
        self.timeline: list[dict[str, Any]] = []
        self.journeys: list[dict[str, Any]] = []
        self.found = Found(
            profiles={"ada": {"journeys": self.journeys, "timers": [], "pendingSends": [], "caps": []}},
            timelines={"ada": self.timeline},
        )
        self.now_ms = BEGAN_MS

    def tells(self, name: str, *, acknowledged: bool = True) -> str:
        """Ada does something; its message id."""
        self.now_ms += 10_000
        message_id = f"ada-{len(self.ledger.events)}"
        self.ledger.tell(message_id, "ada", name, f"k{message_id}", self.now_ms)
        self.timeline.append({"kind": "event", "messageId": message_id})
        if acknowledged:
            self.ledger.acknowledge([message_id], self.now_ms + 5)
        if name in JOURNEYS:
            run = {"kind": "journey", "outcome": "entered", "messageId": message_id, "run": f"run-{message_id}"}
            self.timeline.append(run)
        return message_id

    def ends(self, message_id: str, outcome: str, *, mails: int = 0, after_ms: int = 4_000) -> None:
        """The send of an event comes to its end."""
        event, send = self.ledger.events[message_id], f"send-{message_id}"
        row = {"kind": "send", "outcome": outcome, "run": f"run-{message_id}", "detail": {"send": send}}
        self.timeline.append(row)
        at_ms = event.at_ms + after_ms
        action = JOURNEYS[event.name].action
        self.found.mails += [Mail(send, "ada", action, event.key, at_ms, at_ms // 1000)] * mails

    def sent(self, name: str = "Letter Wanted") -> str:
        """An event that was answered by one mail."""
        message_id = self.tells(name)
        self.ends(message_id, "sent", mails=1)
        return message_id

    def pends(self, message_id: str) -> None:
        """The run of an event waits for its timer."""
        event = self.ledger.events[message_id]
        journey = JOURNEYS[event.name].id
        self.journeys.append({"journey": journey, "key": event.key, "state": "active"})
        self.found.profiles["ada"]["timers"].append({"journey": journey})

    def status(self, **changes: Any) -> None:
        """What the engine counts, in agreement with the timeline but for `changes`."""
        sends = {"waiting": 0} | {
            outcome: sum(row["kind"] == "send" and row["outcome"] == outcome for row in self.timeline)
            for outcome in ("sent", "unknown", "held")
        }
        self.found.status = {
            "events": {"accepted": sum(row["kind"] == "event" for row in self.timeline)},
            "sends": sends,
            "timers": {"pending": len(self.journeys)},
            "messages": {"pending": 0},
        } | changes

    def imbalances(self) -> list[str]:
        return balance(self.ledger, self.found)


@pytest.fixture
def books() -> Books:
    return Books()


def test_the_books_of_an_honest_engine_balance(books: Books):
    books.tells("Product Viewed")
    books.sent("Letter Wanted")
    books.sent("Product Added")
    for outcome, mails in (("unknown", 0), ("unknown", 1), ("held", 0), ("withdrawn", 0), ("refused", 0)):
        books.ends(books.tells("Letter Wanted"), outcome, mails=mails)
    books.pends(books.tells("List Kept"))
    ended = books.tells("Favourite Seen")
    books.tells(PURCHASE)
    books.ends(ended, "withdrawn")
    books.pends(books.tells("Favourite Seen"))
    books.status()
    books.found.status["sends"] |= {"withdrawn": 2, "refused": 1}
    assert books.imbalances() == []
    assert pending_timers(books.ledger) == 2


def lost(books: Books) -> None:
    books.tells("Product Viewed")
    books.timeline.clear()


def there_twice(books: Books) -> None:
    books.tells("Product Viewed")
    books.timeline *= 2


def invented(books: Books) -> None:
    books.timeline.append({"kind": "event", "messageId": "nobody-1"})


def never_acknowledged(books: Books) -> None:
    books.tells("Product Viewed", acknowledged=False)


def customer_lost(books: Books) -> None:
    books.tells("Product Viewed")
    books.found.profiles.clear()


def silently_nothing(books: Books) -> None:
    books.tells("Letter Wanted")


def two_runs(books: Books) -> None:
    message_id = books.sent()
    books.timeline.append({"kind": "journey", "outcome": "entered", "messageId": message_id, "run": "another"})


def two_outcomes(books: Books) -> None:
    message_id = books.sent()
    books.ends(message_id, "unknown")


def still_open(books: Books) -> None:
    books.found.profiles["ada"]["pendingSends"].append({"send": "s1"})


def sent_without_a_mail(books: Books) -> None:
    books.ends(books.tells("Letter Wanted"), "sent")


def sent_twice(books: Books) -> None:
    books.ends(books.tells("Letter Wanted"), "sent", mails=2)


def unknown_and_twice(books: Books) -> None:
    books.ends(books.tells("Letter Wanted"), "unknown", mails=2)


def held_and_mailed(books: Books) -> None:
    books.ends(books.tells("Letter Wanted"), "held", mails=1)


def mailed_under_another_send(books: Books) -> None:
    books.sent()
    mail = books.found.mails[0]
    books.found.mails.append(Mail("another", *_rest(mail)))


def mailed_for_nothing(books: Books) -> None:
    books.sent()
    mail = books.found.mails[0]
    books.found.mails[0] = Mail(
        mail.send, mail.customer, mail.action, "no such key", mail.arrived_ms, mail.authorised_s
    )


def mailed_before_its_time(books: Books) -> None:
    books.ends(books.tells("Product Added"), "sent", mails=1, after_ms=2_000)


def timer_lost(books: Books) -> None:
    books.ends(books.tells("List Kept"), "held")


def timer_of_an_ended_run(books: Books) -> None:
    message_id = books.tells("Favourite Seen")
    books.tells(PURCHASE)
    books.pends(message_id)


def run_without_its_timer(books: Books) -> None:
    books.pends(books.tells("List Kept"))
    books.found.profiles["ada"]["timers"].clear()


def timers_miscounted(books: Books) -> None:
    books.pends(books.tells("List Kept"))
    books.status(timers={"pending": 2})


def authorised_after_an_opt_out(books: Books) -> None:
    message_id = books.tells("Letter Wanted")
    books.ledger.opt_out("ada", books.now_ms + 500)
    books.ends(message_id, "sent", mails=1, after_ms=2_000)


def handed_over_too_long_after_an_opt_out(books: Books) -> None:
    message_id = books.sent()
    sent = books.found.mails[0]
    acknowledged_ms = sent.arrived_ms - HAND_OVER_MS - 1
    books.ledger.opt_out("ada", acknowledged_ms)
    books.found.mails[0] = Mail(
        sent.send, "ada", sent.action, sent.key, sent.arrived_ms, books.ledger.events[message_id].at_ms // 1000 - 60
    )


def mailed_after_the_purchase(books: Books) -> None:
    message_id = books.tells("Product Added")
    books.tells(PURCHASE)
    books.ends(message_id, "sent", mails=1, after_ms=20_000)


def over_a_cap(books: Books) -> None:
    for _ in range(CAPS["price_alert"] + 1):
        books.sent("Price Dropped")


def cap_overdrawn(books: Books) -> None:
    books.found.profiles["ada"]["caps"].append({"cap": "hero", "limit": 2, "used": 2, "reserved": 1})


def decided_anew(books: Books) -> None:
    books.ledger.decide("r1", "ada", "d1")
    books.found.decisions["r1"] = "d2"


def answered_twice(books: Books) -> None:
    books.ledger.decide("r1", "ada", "d1")
    books.ledger.decide("r1", "ada", "d2")


def events_miscounted(books: Books) -> None:
    books.tells("Product Viewed")
    books.status(events={"accepted": 2})


def sends_miscounted(books: Books) -> None:
    books.sent()
    books.status(sends={"sent": 2, "waiting": 0})


def never_quiet(books: Books) -> None:
    books.status(messages={"pending": 3})


WRONG: list[tuple[Callable[[Books], None], str]] = [
    (lost, "event ada-0 was acknowledged and is lost"),
    (there_twice, "event ada-0 is there 2 times"),
    (invented, "event nobody-1 was never told"),
    (never_acknowledged, "ada-0 was never acknowledged"),
    (customer_lost, "ada: acknowledged, and nobody knows them"),
    (silently_nothing, "has 0 fates (silently none)"),
    (two_runs, "started 2 runs"),
    (two_outcomes, "send send-ada-0 ended 2 times: sent, unknown"),
    (still_open, "send s1 is still open"),
    (sent_without_a_mail, "is sent and has 0 mails"),
    (sent_twice, "is sent and has 2 mails"),
    (unknown_and_twice, "is unknown and has 2 mails"),
    (held_and_mailed, "is held and has 1 mails"),
    (mailed_under_another_send, "2 mails of letter for kada-0"),
    (mailed_under_another_send, "send another has 1 mails and no outcome"),
    (mailed_for_nothing, "which nobody asked for"),
    (mailed_before_its_time, "came before its time"),
    (timer_lost, "is not pending, and must be"),
    (timer_of_an_ended_run, "is pending, and must not be"),
    (run_without_its_timer, "timers {} for runs {'lists': 1}"),
    (timers_miscounted, "2 timers are pending in all, and 1 must be"),
    (authorised_after_an_opt_out, "left after the opt-out"),
    (handed_over_too_long_after_an_opt_out, "left after the opt-out"),
    (mailed_after_the_purchase, "left after the purchase that ended it"),
    (over_a_cap, "3 mails of price_alert, and the cap is 2"),
    (cap_overdrawn, "cap hero holds 2 + 1 of 2"),
    (decided_anew, "decision r1 was d1 and is d2"),
    (answered_twice, "decision r1 was answered twice"),
    (events_miscounted, "the engine counts 2 events, its timelines have 1"),
    (sends_miscounted, "the engine counts 2 sends that are sent, its timelines have 1"),
    (never_quiet, "3 messages still wait"),
]


@pytest.mark.parametrize(("does_wrong", "named"), WRONG, ids=lambda each: getattr(each, "__name__", ""))
def test_each_imbalance_is_found_and_named(books: Books, does_wrong: Callable[[Books], None], named: str):
    does_wrong(books)
    assert any(named in line for line in books.imbalances()), books.imbalances()


def test_what_was_being_handed_over_when_the_opt_out_came_is_no_imbalance(books: Books):
    message_id = books.tells("Letter Wanted")
    books.ledger.opt_out("ada", books.now_ms + 1_500)
    books.ends(message_id, "sent", mails=1, after_ms=1_600)
    assert books.imbalances() == []


def test_a_hundred_imbalances_of_one_kind_are_counted_and_not_all_named(books: Books):
    for _ in range(100):
        books.tells("Letter Wanted")
    assert books.imbalances()[-1] == "… and 80 more of this kind"
    assert len(books.imbalances()) == 21


def test_the_file_alone_gives_the_same_books():
    file = io.StringIO()
    books = Books(file)
    books.sent()
    books.ledger.opt_out("ada", books.now_ms)
    books.ledger.decide("r1", "ada", "d1")
    books.ledger.fault("something odd")
    read = Ledger.read(file.getvalue().splitlines())
    for part in ("events", "acknowledged", "opt_outs", "decisions", "askers", "faults"):
        assert getattr(read, part) == getattr(books.ledger, part), part


def test_the_shop_of_a_chaos_run_is_a_catalog_and_its_customers_use_all_of_it(tmp_path):
    catalog = config_files.load(write_catalog(tmp_path))
    assert {cap.id: cap.limit for cap in catalog.caps} == {**CAPS, "hero": 2}
    assert set(catalog.entered_by) == set(JOURNEYS)
    ada = Shopper("ada", Random(7))
    events = [ada.introduces_themselves(BEGAN_MS), *(ada.does(BEGAN_MS) for _ in range(500))]
    assert {event.get("event", event["type"]) for event in events} >= {*JOURNEYS, PURCHASE, "identify"}
    assert len({event["messageId"] for event in events}) == len(events)
    times = [event["timestamp"] for event in events]
    assert times == sorted(set(times)), "a customer's own times rise strictly"
    linked = {event.get("anonymousId") for event in [*events, *ada.remaining_visits(BEGAN_MS)] if "userId" in event}
    assert linked >= set(ada.visits), "every visitor turns out to be somebody"


def _rest(mail: Mail) -> tuple[Any, ...]:
    return mail.customer, mail.action, mail.key, mail.arrived_ms, mail.authorised_s
