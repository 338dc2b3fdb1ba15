"""Two journeys that meet at one customer: who wins, and the story that shows it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.pairs import MAIL, catalog, findings, journey, pairs

from actors.catalog_proof import clashes, rehearsals, witnesses
from actors.catalog_proof.letters import TakesTooLong
from actors.catalog_proof.rehearsals import rehearse
from engine.catalog.compile import compile_document
from engine.clashes import stories
from engine.clashes.making import FIRST_MS
from engine.clashes.stories import Known, Story
from engine.vocabulary import DAY_MS

CART = journey("cart", "Product Added", {"wait": {"for": "1h"}}, MAIL)
ONE_A_WEEK: dict[str, Any] = {"id": "weekly", "limit": 1, "per": "7d", "match": {"channel": "email"}}
STOPS = [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]
NOTE = {"send": {"action": "note", "channel": "email"}}
VISIT = journey("visit", "Product Viewed", {"wait": {"for": "2h"}}, NOTE)


def said(plain: dict[str, Any]) -> list[str]:
    return [each.message for each in pairs(plain)]


def test_without_a_cap_both_go_out_within_a_day_and_nothing_keeps_them_apart() -> None:
    (note,) = pairs(catalog(CART, VISIT))
    assert str(note) == (
        "journeys/visit.yaml: trigger: cart and visit can write to one customer within a day, and nothing keeps them "
        "apart: no cap counts both"
    )
    assert note.witness is not None
    assert note.witness.lines == (
        "day 0 09:00  a customer is known, with an e-mail address",
        "day 0 09:00  the customer says yes to marketing on email",
        "day 0 09:10  Product Added",
        "day 0 09:10  cart begins",
        "day 0 09:15  Product Viewed",
        "day 0 09:15  visit begins",
        "day 0 10:10  email letter goes out (cart)",
        "day 0 11:15  email note goes out (visit)",
    )


def test_a_cap_of_both_lets_the_first_one_win() -> None:
    weekly = {"id": "weekly", "limit": 1, "per": "7d", "match": {"channel": "email"}}
    assert said(catalog(CART, VISIT, caps=[weekly])) == [
        "cart and visit can meet at one customer: cart wins, and note is held: the cap weekly has no room"
    ]


def test_a_cap_with_room_is_named() -> None:
    weekly, yearly = ONE_A_WEEK | {"limit": 2}, {"re_entry": {"after": "365d"}}
    assert said(catalog(CART | yearly, VISIT | yearly, caps=[weekly])) == [
        "cart and visit can write to one customer within 7 days: in this story there is room for both under weekly"
    ]


def test_a_cap_has_no_room_where_the_one_journey_begins_again_as_often_as_it_may() -> None:
    weekly = ONE_A_WEEK | {"limit": 3}
    rare = VISIT | {"re_entry": {"after": "30d"}}
    (note,) = pairs(catalog(CART | {"re_entry": {"after": "2d"}}, rare, caps=[weekly]))
    assert note.message == (
        "cart and visit can meet at one customer: cart wins, and note is held: the cap weekly has no room"
    )
    assert note.witness is not None
    assert [line for line in note.witness.lines if "cart begins" in line] == [
        "day 0 09:10  cart begins",
        "day 2 10:11  cart begins",
        "day 4 11:12  cart begins",
    ]


def test_a_cap_of_one_alone_guards_nothing_between_them() -> None:
    of_letters = {"id": "letters", "limit": 1, "per": "7d", "match": {"action": "letter"}}
    (message,) = said(catalog(CART, VISIT, caps=[of_letters]))
    assert message.endswith("nothing keeps them apart: no cap counts both")


def test_a_suppression_by_what_the_other_waits_for_holds() -> None:
    asked = {"id": "asked", "tier": "promotional", "when": {"event": {"name": "Ticket Opened", "within": "3d"}}}
    ticket = journey("ticket", "Ticket Opened", {"send": {"action": "care", "channel": "email"}}, tier="lifecycle")
    plain = catalog(CART, ticket, suppress=[asked])
    plain["actions/care.yaml"] = plain["actions/note.yaml"] | {"id": "care", "tier": "lifecycle"}
    assert said(plain) == [
        "ticket and cart can meet at one customer: ticket wins, and letter is held: the suppression asked holds"
    ]


def test_the_trigger_of_one_stops_the_other() -> None:
    stop = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}
    care = {"send": {"action": "care", "channel": "email"}}
    thanks = journey("thanks", "Order Completed", {"wait": {"for": "3d"}}, care, tier="lifecycle")
    cart = journey("cart", "Product Added", {"wait": {"for": "5d"}}, MAIL)
    plain = catalog(cart, thanks, stops=[stop])
    plain["actions/care.yaml"] = plain["actions/note.yaml"] | {"id": "care", "tier": "lifecycle"}
    (note,) = pairs(plain)
    assert note.message == "thanks and cart can meet at one customer: thanks wins, because its trigger ends cart"
    assert note.witness is not None
    assert note.witness.lines[-4:] == (
        "day 0 09:15  cart ends: the stop purchase",
        "day 0 09:15  email letter does not go out: the stop purchase (cart)",
        "day 0 09:15  thanks begins",
        "day 3 09:15  email care goes out (thanks)",
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"segment": "staff"}, {"not": {"segment": "staff"}}),
        ({"trait": {"name": "points", "at_least": 10}}, {"trait": {"name": "points", "less_than": 10}}),
        ({"trait": {"name": "country", "in": ["DE", "AT"]}}, {"trait": {"name": "country", "is": "FR"}}),
    ],
)
def test_journeys_of_people_who_are_never_the_same_do_not_meet(one: dict[str, Any], other: dict[str, Any]) -> None:
    segments = {"staff": {"trait": {"name": "staff", "is": True}}}
    plain = catalog({**CART, "when": one}, {**VISIT, "when": other}, segments=segments)
    assert findings(plain) == [] or said(plain) == []


def test_one_event_may_start_both() -> None:
    dear = {"event": "Product Added", "where": {"value": {"at_least": 50}}}
    (note,) = pairs(catalog(CART, journey("dear", "Product Added", NOTE, trigger=dear)))
    assert note.witness is not None
    assert [line for line in note.witness.lines if "Product Added" in line] == [
        "day 0 09:10  Product Added {value: 50}"
    ]


def test_what_no_story_enters_is_said_once_and_of_no_pair() -> None:
    reacted = {"outcome": {"name": "clicked", "action": "note"}}
    odd = journey("odd", "Page Viewed", when=reacted)
    notes = [str(each) for each in findings(catalog(CART, VISIT, odd)) if "odd" in str(each)]
    why = "it asks what became of an earlier message"
    assert notes == [f"journeys/odd.yaml: trigger: what happens where odd meets other journeys is not told: {why}"]


def test_a_journey_that_sends_nothing_in_any_story_is_said_to_meet_nobody_that_we_know() -> None:
    silent = journey("silent", "Page Viewed", {"exit": None}, NOTE)
    notes = [str(each) for each in findings(catalog(CART, silent)) if "meets other" in str(each)]
    assert notes == [
        "journeys/silent.yaml: trigger: what happens where silent meets other journeys is not told: a story enters it, "
        "and nothing is sent in it"
    ]


def test_messages_of_service_and_journeys_that_stand_still_meet_nobody() -> None:
    receipt = journey("receipt", "Order Completed", tier="service")
    draft = journey("draft", "Product Added", status="draft")
    assert said(catalog(CART, receipt, draft)) == []


def test_pairs_beyond_a_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clashes, "PAIRS_MAX", 1)
    *_, last = findings(catalog(CART, VISIT, journey("third", "Product Shared", NOTE)))
    assert str(last) == "journeys: pairs: 2 pairs of journeys were not looked at: there are too many"


def test_a_proof_that_takes_too_long_tells_what_it_has_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = witnesses.Stage.shorten
    told: list[Story] = []

    def shorten(stage: witnesses.Stage, story: Story, *more: Any) -> Any:
        told.append(story)
        if len(told) == 2:
            raise TakesTooLong
        return shown(stage, story, *more)

    monkeypatch.setattr(witnesses.Stage, "shorten", shorten)
    notes = [
        str(each) for each in findings(catalog(CART, VISIT, journey("third", "Product Shared", NOTE), stops=STOPS))
    ]
    assert len(notes) == 2 and notes[1] == "journeys: pairs: not all clashes were looked for: that takes too long"


def test_the_witness_told_again_shows_the_same() -> None:
    weekly = {"id": "weekly", "limit": 1, "per": "7d", "match": {"channel": "email"}}
    plain = catalog(CART, VISIT, caps=[weekly])
    (note,) = pairs(plain)
    assert note.witness is not None
    assert rehearse(compile_document(plain), note.witness.story, ["cart", "visit"]) == note.witness.told
    assert pairs(plain) == [note]


BOTH_AT_ONCE: list[tuple[str, dict[str, Any]]] = [
    ("an event", {"event": "Product Added"}),
    ("a schedule", {"schedule": {"cron": "0 9 * * MON"}}),
    ("a segment", {"segment": {"id": "staff"}}),
]


@pytest.mark.parametrize("trigger", [row[1] for row in BOTH_AT_ONCE], ids=[row[0] for row in BOTH_AT_ONCE])
def test_of_two_that_write_at_the_same_instant_the_first_wins(trigger: dict[str, Any]) -> None:
    yearly = {"trigger": trigger, "re_entry": {"after": "365d"}}
    one, other = journey("one", "", MAIL, **yearly), journey("other", "", NOTE, **yearly)
    segments = {"staff": {"trait": {"name": "staff", "is": True}}}
    assert said(catalog(one, other, caps=[ONE_A_WEEK], segments=segments)) == [
        "one and other can meet at one customer: one wins, and note is held: the cap weekly has no room"
    ]


def test_of_two_that_wait_for_the_end_of_the_same_quiet_hours_the_first_wins() -> None:
    quiet = {"rules": [{"id": "day", "hours": "00:00-23:59"}]}
    one, other = journey("one", "Product Added"), journey("other", "Product Added", NOTE)
    assert said(catalog(one, other, caps=[ONE_A_WEEK], quiet_hours=quiet)) == [
        "one and other can meet at one customer: one wins, and note is held: the cap weekly has no room"
    ]


def test_the_story_of_two_that_begin_alike_has_one_event_and_tells_what_was_decided_first_first() -> None:
    (note,) = pairs(
        catalog(journey("one", "Product Added"), journey("other", "Product Added", NOTE), caps=[ONE_A_WEEK])
    )
    assert note.witness is not None
    assert note.witness.lines[2:] == (
        "day 0 09:10  Product Added",
        "day 0 09:10  one begins",
        "day 0 09:10  other begins",
        "day 0 09:10  email letter goes out (one)",
        "day 0 09:10  email note does not go out: the cap weekly has no room (other)",
    )


def test_what_a_journey_loses_by_the_rounds_of_its_own_loop_is_no_loss_to_another() -> None:
    loop = [{"id": "top", "wait": {"for": "1d"}}, MAIL, {"goto": "top", "at_most": 4}, NOTE]
    visit = journey("visit", "Product Viewed", {"wait": {"for": "20d"}}, NOTE)
    assert said(catalog(journey("loop", "Product Added", *loop), visit, caps=[ONE_A_WEEK])) == []


@pytest.fixture
def few_turns(monkeypatch: pytest.MonkeyPatch) -> int:
    """Stories may take only so many turns."""
    for module in (rehearsals, stories):
        monkeypatch.setattr(module, "TURNS_MAX", 12)
    monkeypatch.setattr(witnesses, "TURNS_OF_ONE", 4)
    return 12


def test_a_story_in_which_too_much_happens_breaks_off_and_counts_as_several(few_turns: int) -> None:
    busy = journey("busy", "", trigger={"schedule": {"cron": "* * * * *"}})
    plain = catalog(busy, journey("visit", "Product Viewed", {"wait": {"for": "20d"}}, NOTE))
    stage, story = witnesses.Stage(compile_document(plain)), Story(FIRST_MS, (Known(0),), 20 * DAY_MS)
    told = stage.rehearse(story, ["busy", "visit"])
    assert told is not None and (told.turns, told.is_whole) == (few_turns, False)
    assert stage.left == witnesses.REHEARSED_MAX - 4


def test_stories_that_broke_off_are_counted(few_turns: int) -> None:
    busy = journey("busy", "", trigger={"schedule": {"cron": "* * * * *"}})
    *_, last = findings(catalog(busy, VISIT, stops=STOPS))
    assert re.fullmatch(
        r"journeys: pairs: [0-9]+ stories of pairs were not told to the end: too much happens in so short a time",
        str(last),
    )
