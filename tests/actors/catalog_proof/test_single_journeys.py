"""Each thing that is found of one journey has a story that shows it: rehearsed once more, it shows it again."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from support.clashes import CART, DAY, MAIL, STOP, TEXT, action, catalog, mail, wait

from actors.catalog_files.config_files import Documents
from actors.catalog_proof import clashes, proof, single_journeys
from actors.catalog_proof.rehearsals import rehearse
from engine.catalog.compile import examined
from engine.clashes.findings import Finding

RICH = {"trait": {"name": "spent", "at_least": 500}}
LADDER = {"send": {"action": "both", "channels": ["email", "sms"], "fallback": {"on": [{"silent": "4h"}]}}}
BOTH = {
    "actions/both.yaml": mail("both", channels=["email", "sms"])
    | {"variants": [{"id": "a", "email": {"subject": "Hello", "text": "Hello"}, "sms": {"text": "Hello"}}]}
}
ALERT = {"actions/alert.yaml": action("alert", "push", {"title": "Hello", "body": "Hello"})}
SHOES = {
    "actions/mail.yaml": mail(category="shoes"),
    "actions/text.yaml": action("text", "sms", {"text": "Hi"}, category="shoes", offer={"discount": 10, "lasts": "2d"}),
}
ONE = {"caps": [{"id": "one", "limit": 1, "per": "7d", "match": {"channel": "email"}}]}
NIGHT = {"rules": [{"id": "night", "hours": "21:00-08:00"}]}
PAID = {"outcome": {"event": "Paid"}}
ALL = ONE["caps"][0] | {"match": {}}


def found(document: dict[str, Any]) -> list[Finding]:
    """The findings about a catalog, but for pairs."""
    read = examined(document)
    told = clashes.findings(read.catalog(), read.plain, read.models, lambda problem: problem)
    return [each for each in told if " meet" not in each.message and " both" not in each.message]


def until(trait: str, offset: str) -> dict[str, Any]:
    return {"wait": {"until": {"time": "18:00", "trait": trait, "offset": offset}}}


def update(**tags: list[str]) -> dict[str, Any]:
    return {"update": {"tags": tags}}


def starts(name: str, segment: str, *steps: Any) -> dict[str, Any]:
    trigger = {"segment": {"id": segment}}
    return {f"journeys/{name}.yaml": {"id": name, "tier": "lifecycle", "trigger": trigger, "steps": list(steps)}}


SIDES = {"segments.yaml": {"segments": {side: {"trait": {"name": "tags", "is": side}} for side in ("left", "right")}}}
PING = starts("ping", "left", DAY, update(add=["right"], remove=["left"]))
PONG = starts("pong", "right", DAY, update(add=["left"], remove=["right"]))
ITSELF = starts("itself", "left", DAY, update(remove=["left"]), DAY, update(add=["left"]))

# (the catalog, what is said, and the lines of the story that show it)
SHOWN: list[tuple[dict[str, Any], str, list[str]]] = [
    (
        catalog(MAIL, {"exit": None}, TEXT),
        "steps[3]: is never reached: the step before it always ends the run",
        ["day 0 09:10  cart begins", "day 0 09:10  cart has come to its end"],
    ),
    (
        catalog(wait("3d"), wait("2d"), MAIL, journey={"stops": [{"id": "week", "after": "5d"}]}),
        "steps[3]: is never reached: the stop week ends every run 5d after it was entered",
        ["day 5 09:10  cart ends: the stop week"],
    ),
    (
        catalog({"wait": {"for": "1h", "reset_on": ["Order Completed"]}}, MAIL),
        "steps[1].wait.reset_on: never acts: the stop purchase ends the run on the 'Order Completed' that reset_on "
        "waits for",
        ["day 0 09:11  Order Completed", "day 0 09:11  cart ends: the stop purchase"],
    ),
    (
        catalog({"branch": [{"when": RICH, "steps": [TEXT]}]}, journey={"when": {"not": RICH}}),
        "steps[1].branch[1].when: never holds here: nobody who enters is like that",
        ["day 0 09:10  cart begins"],
    ),
    (
        catalog(wait("4d"), MAIL, journey={"guards": {"deadline": "3d"}}),
        "steps[2].send: is never sent: the waits before it take 4d at least, and the journey's deadline is 3d",
        ["day 4 09:10  email mail does not go out: its deadline is over (cart)"],
    ),
    (
        catalog(TEXT, wait("3d"), MAIL, files=SHOES),
        "steps[3].send: comes when the offer is over that text made: 3d later at least, and the offer lasts 2d",
        ["day 0 09:10  sms text goes out (cart)", "day 3 09:10  email mail goes out (cart)"],
    ),
    (
        catalog(MAIL, DAY, MAIL, **ONE),
        "steps[3].send: is held by the cap one (1 in 7d) wherever the run has sent its one message before it",
        [
            "day 0 09:10  email mail goes out (cart)",
            "day 1 09:10  email mail does not go out: the cap one has no room (cart)",
        ],
    ),
    (
        catalog(
            {"send": LADDER["send"] | {"fallback": {"on": ["bounced"]}}},
            files=BOTH,
            caps=[ONE["caps"][0] | {"match": {}}],
        ),
        "steps[1].send: is held by the cap one (1 in 7d) wherever the run has sent its one message before it",
        [
            "day 0 09:10  email both goes out (cart)",
            "day 0 09:11  the customer cannot be reached: the message bounces",
            "day 0 09:11  sms both does not go out: the cap one has no room (cart)",
        ],
    ),
    (
        catalog(DAY, MAIL, journey=PAID, stops=[]),
        "steps[2].send: goes to who has bought meanwhile: no stop in policies.yaml ends it on 'Paid'",
        ["day 0 09:11  Paid", "day 1 09:10  email mail goes out (cart)"],
    ),
    (
        catalog(
            {"wait_for": {"event": "Paid", "timeout": "1d", "on_event": "exit"}},
            MAIL,
            DAY,
            TEXT,
            journey=PAID,
            stops=[],
        ),
        "steps[4].send: goes to who has bought meanwhile: no stop in policies.yaml ends it on 'Paid'",
        ["day 1 09:11  Paid", "day 2 09:10  sms text goes out (cart)"],
    ),
    (
        catalog(until("travel_on", "-2d"), MAIL, journey=PAID, stops=[]),
        "steps[2].send: goes to who has bought meanwhile: no stop in policies.yaml ends it on 'Paid'",
        ["day 0 09:11  Paid", "day 2 18:00  email mail goes out (cart)"],
    ),
    (
        catalog(MAIL, journey=PAID, stops=[], quiet_hours=NIGHT),
        "steps[1].send: goes to who has bought meanwhile: no stop in policies.yaml ends it on 'Paid'",
        ["day 0 21:11  Paid", "day 1 08:00  email mail goes out (cart)"],
    ),
    (
        catalog(LADDER, files=BOTH, journey=PAID, stops=[STOP | {"on": "Left"}]),
        "steps[1].send: goes to who has bought meanwhile: no stop in policies.yaml ends it on 'Paid'",
        ["day 0 09:11  Paid", "day 0 13:10  sms both goes out (cart)"],
    ),
    (
        catalog({"send": {"action": "alert", "channel": "push"}}, files=ALERT),
        "steps[1].send.channel: nobody can have said yes to marketing on push: consent.yaml has that channel neither "
        "under channels nor under no_consent_needed",
        ["day 0 09:10  push alert does not go out: there is no consent (marketing on push) (cart)"],
    ),
    (
        catalog({"id": "again", **DAY}, MAIL, {"goto": "again", "at_most": 5}),
        "steps[2].send: goes out 6 times in 7d to who stays in the loop, and no cap counts it",
        [f"day {day} 09:10  email mail goes out (cart)" for day in (1, 2, 3)],
    ),
    (
        catalog(files=PING | PONG | SIDES),
        "trigger: starts again and again by what pong and it write: each starts the other",
        [f"day {day} 09:20  {name} begins" for day, name in enumerate(("ping", "pong", "ping", "pong", "ping"))],
    ),
    (
        catalog(files=ITSELF | SIDES),
        "trigger: starts itself again by what it writes, round after round",
        [f"day {day} 09:20  itself begins" for day in (0, 2, 4)],
    ),
]


@pytest.mark.parametrize(("document", "message", "lines"), SHOWN)
def test_what_is_found_comes_with_a_story_that_shows_it(
    document: dict[str, Any], message: str, lines: list[str]
) -> None:
    (finding,) = found(document)
    assert f"{finding.path}: {finding.message}" == message
    assert finding.kind == "warning" and finding.witness is not None
    told = [line for line in finding.witness.lines if line in lines]
    assert told == lines
    again = rehearse(examined(document).catalog(), finding.witness.story, _acting(document, finding))
    assert again == finding.witness.told


def _acting(document: dict[str, Any], finding: Finding) -> list[str]:
    circle = "starts" in finding.message
    return [data["id"] for file, data in document.items() if file.startswith("journeys/") and (circle or file == CART)]


@pytest.mark.parametrize(
    "document",
    [
        catalog(
            DAY, MAIL, journey=PAID | {"when": {"not": {"event": {"name": "Paid"}}}}, stops=[STOP | {"on": "Paid"}]
        ),
        # Whoever has paid is not written to, though the journey goes on.
        catalog(
            DAY,
            MAIL,
            journey=PAID,
            files={"actions/mail.yaml": mail(eligible={"not": {"event": {"name": "Paid", "within": "30d"}}})},
            stops=[],
        ),
        catalog(
            DAY,
            MAIL,
            journey=PAID,
            stops=[],
            suppress=[{"id": "paid", "when": {"event": {"name": "Paid", "within": "9d"}}}],
        ),
        catalog({"wait_for": {"event": "Paid", "timeout": "1d", "on_event": "exit"}}, MAIL, journey=PAID, stops=[]),
        # The message is decided, and somebody pays before it has left.
        catalog(
            wait("1h"),
            MAIL,
            journey=PAID,
            files={"actions/mail.yaml": mail(eligible={"not": {"event": {"name": "Paid", "within": "30d"}}})},
            stops=[],
        ),
        # The message is for those who have paid: a stop would end it for all of them.
        catalog(
            {"wait_for": {"event": "Paid", "timeout": "1d", "on_event": {"steps": [MAIL]}, "on_timeout": "exit"}},
            journey=PAID,
            stops=[],
        ),
        catalog(
            DAY,
            {"branch": [{"when": {"event": {"name": "Paid", "within": "3d"}}, "steps": [MAIL]}]},
            journey=PAID,
            stops=[],
        ),
        catalog(
            DAY,
            MAIL,
            journey=PAID,
            files={"actions/mail.yaml": mail(eligible={"event": {"name": "Paid", "within": "60d"}})},
            stops=[],
        ),
        catalog(MAIL, journey=PAID, stops=[], quiet_hours={"rules": [NIGHT["rules"][0] | {"then": "drop"}]}),
        # One writes what the other asks about, and nobody writes it back.
        catalog(files=PING | starts("pong", "right", DAY, update(add=["done"])) | SIDES),
        catalog(
            files=PING
            | PONG
            | SIDES
            | {"journeys/pong.yaml": PONG["journeys/pong.yaml"] | {"re_entry": {"after": "365d"}}}
        ),
    ],
)
def test_what_no_story_shows_is_not_told(document: dict[str, Any]) -> None:
    assert found(document) == []


def test_what_no_story_can_show_of_a_cap_is_told_without_one() -> None:
    caps = [
        {"id": "few", "limit": 2, "per": "7d"},
        {"id": "many", "limit": 5, "per": "7d", "match": {"channel": "email"}},
    ]
    (finding,) = found(catalog(caps=caps))
    assert (finding.file, finding.path, finding.witness) == ("policies.yaml", "caps[2].limit", None)


WEEK = {"event": {"name": "Product Added", "within": "7d"}}
UNLESS = {"actions/mail.yaml": mail(eligible={"not": WEEK})}
SOON = {"schedule": {"once": "2026-12-01T09:00"}}


def valid_from(day: str) -> dict[str, Any]:
    return {"actions/mail.yaml": mail(valid={"from": day, "until": "2026-12-30"})}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            catalog(DAY, MAIL, files=UNLESS),
            "is not sent: whoever comes here is not as eligible of mail asks",
        ),
        (
            catalog(DAY, MAIL, suppress=[{"id": "quiet", "tier": "promotional", "when": WEEK}]),
            "is not sent: the suppression quiet holds for whoever comes here",
        ),
        (
            catalog(DAY, MAIL, files=valid_from("2026-12-24"), journey={"trigger": SOON}),
            "is not sent: it comes on 2026-12-02 at the latest, and mail is valid from 2026-12-24",
        ),
    ],
)
def test_a_message_that_what_begins_its_run_rules_out_is_a_note(document: dict[str, Any], message: str) -> None:
    (finding,) = found(document)
    assert (finding.kind, finding.path, finding.message) == ("note", "steps[2].send", message)
    assert finding.witness is not None and "email mail does not go out" in finding.witness.lines[-1]


@pytest.mark.parametrize(
    "document",
    [
        catalog(wait("5d"), MAIL, files=UNLESS),  # the event may be two days late, the wait a day too long
        catalog({"wait_for": {"event": "Paid", "timeout": "8d"}}, MAIL, files=UNLESS),
        catalog(DAY, MAIL, suppress=[{"id": "quiet", "tier": "service", "when": WEEK}]),
        catalog(DAY, MAIL, files=valid_from("2026-12-02"), journey={"trigger": SOON}),
    ],
)
def test_a_message_that_may_go_is_not(document: dict[str, Any]) -> None:
    assert not [each for each in found(document) if "is not sent" in each.message]


def test_that_nothing_says_what_a_purchase_is_is_a_note() -> None:
    assert [each.kind for each in found(catalog(DAY, MAIL, stops=[]))] == ["note"]


def test_what_no_story_comes_to_is_said_in_one_note() -> None:
    opened = {"outcome": {"name": "opened", "action": "mail"}}
    told = found(catalog({"branch": [{"when": opened, "steps": [TEXT]}]}))
    assert [(each.kind, each.path, each.message) for each in told] == [
        ("note", "steps", "is not proved in all: no story was found that comes to steps[1].branch[1].steps[1]")
    ]
    told = found(catalog(MAIL, TEXT, journey={"when": opened}))
    assert [(each.kind, each.path) for each in told] == [("note", "steps")]
    assert "no story was found that enters it: it asks what became of an earlier message" in told[0].message


@pytest.mark.parametrize(
    ("steps", "trigger"),
    [
        ([until("travel_on", "-30d"), MAIL, until("travel_on", "-2d"), TEXT], {"event": "Product Added"}),
        ([until("renewal_on", "-2d"), MAIL], {"date": {"trait": "renewal_on", "offset": "-14d"}}),
        ([{"wait": {"until": {"trait": "travel_on", "on_missing": "continue"}}}, MAIL], {"event": "Product Added"}),
    ],
)
def test_stories_come_to_what_is_behind_a_wait_for_a_date_of_the_customers(
    steps: list[Any], trigger: dict[str, Any]
) -> None:
    assert found(catalog(*steps, journey={"trigger": trigger})) == []


def test_a_draft_is_rehearsed_like_any_other() -> None:
    (finding,) = found(catalog(MAIL, DAY, MAIL, journey={"status": "draft"}, **ONE))
    assert finding.witness is not None
    assert found(catalog(MAIL, {"exit": None}, TEXT, journey={"status": "stopped"})) == []  # nobody is in it


def test_what_is_sure_is_a_warning_wherever_a_catalog_is_proved_and_told_once() -> None:
    documents = Documents(catalog(MAIL, {"exit": None}, TEXT))
    (warning,) = proof.prove(documents, {}).warnings
    rehearsed = proof.prove(documents, {}, rehearsing=nullcontext())
    assert rehearsed.warnings == () and [str(each) for each in rehearsed.findings] == [warning]


def test_doubts_beyond_a_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(single_journeys, "REHEARSED_MAX", 0)
    (note,) = [each.message for each in found(catalog(DAY, MAIL, stops=[], purchases={"event": "Order Completed"}))]
    assert note == "is not proved in all: 1 doubt was not rehearsed"
