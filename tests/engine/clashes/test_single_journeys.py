"""What one journey does wrong by itself is found: messages that come too late, caps that never act or always do,
promotions after a purchase, consents that nobody gives, loops. Beside each stands what is nearly so, and is fine."""

from __future__ import annotations

from typing import Any

import pytest
from support.clashes import CART, DAY, MAIL, STOP, TEXT, action, catalog, doubted, mail, wait

LADDER = {"send": {"action": "both", "channels": ["email", "sms"], "fallback": {"on": [{"silent": "4h"}]}}}
BOTH = {
    "actions/both.yaml": mail("both", channels=["email", "sms"])
    | {"variants": [{"id": "a", "email": {"subject": "Hello", "text": "Hello"}, "sms": {"text": "Hello"}}]}
}


def dated(**valid: str) -> dict[str, Any]:
    return {"actions/mail.yaml": mail(valid=valid)}


def offer(lasts: str) -> dict[str, Any]:
    return {
        "actions/text.yaml": action(
            "text", "sms", {"text": "Hello"}, category="shoes", offer={"discount": 10, "lasts": lasts}
        )
    }


def cap(limit: int, per: str = "7d", name: str = "mails", window: str = "rolling", **match: Any) -> dict[str, Any]:
    return {"id": name, "limit": limit, "per": per, "window": window, "match": match}


def loop(every: str, at_most: int, **send: Any) -> list[dict[str, Any]]:
    return [{"id": "again", "wait": {"for": every}}, MAIL, {"goto": "again", "at_most": at_most}]


# -- messages that come too late


@pytest.mark.parametrize(
    ("steps", "journey", "files", "wanted"),
    [
        (
            [wait("2d"), {"wait_for": {"event": "Paid", "timeout": "2d", "on_event": "exit"}}, MAIL],
            {"guards": {"deadline": "3d"}},
            {},
            "steps[3].send: is never sent: the waits before it take 4d at least, and the journey's deadline is 3d",
        ),
        (
            [wait("10d"), MAIL],
            {},
            dated(**{"from": "2026-03-01", "until": "2026-03-07"}),
            "steps[2].send: comes too late for whoever begins while mail is valid: the waits before it take 10d at "
            "least, and it is valid for 7d",
        ),
        (
            [wait("3d"), MAIL],
            {"trigger": {"schedule": {"once": "2026-03-10T09:00"}}},
            dated(until="2026-03-11"),
            "steps[2].send: is never sent: it comes on 2026-03-13 at the earliest, and mail is valid until 2026-03-11",
        ),
        (
            [TEXT, wait("3d"), MAIL],
            {},
            offer("2d") | {"actions/mail.yaml": mail(category="shoes")},
            "steps[3].send: comes when the offer is over that text made: 3d later at least, and the offer lasts 2d",
        ),
        (
            [{"send": LADDER["send"] | {"deadline": "1h"}}],
            {},
            BOTH,
            "steps[1].send.fallback: never tries the next channel on silent: 4h, and by then the message has been "
            "worthless since 1h",
        ),
    ],
)
def test_a_message_that_comes_too_late_is_told(
    steps: list[Any], journey: dict[str, Any], files: dict[str, Any], wanted: str
) -> None:
    assert doubted(catalog(*steps, journey=journey, files=files), "too_late", "late_reminder") == [f"{CART}: {wanted}"]


@pytest.mark.parametrize(
    ("steps", "journey", "files"),
    [
        ([wait("2d"), {"wait_for": {"event": "Paid", "timeout": "2d"}}, MAIL], {"guards": {"deadline": "3d"}}, {}),
        ([wait("6d"), MAIL], {}, dated(**{"from": "2026-03-01", "until": "2026-03-07"})),
        ([wait("10d"), MAIL], {}, dated(until="2026-03-07")),  # who began long before gets it
        ([wait("1d"), MAIL], {"trigger": {"schedule": {"once": "2026-03-10T09:00"}}}, dated(until="2026-03-11")),
        ([TEXT, wait("1d"), MAIL], {}, offer("2d") | {"actions/mail.yaml": mail(category="shoes")}),
        ([TEXT, wait("3d"), MAIL], {}, offer("2d")),  # about something else
        ([MAIL, wait("3d"), TEXT], {}, offer("2d") | {"actions/mail.yaml": mail(category="shoes")}),
        ([{"send": LADDER["send"] | {"deadline": "5h"}}], {}, BOTH),
    ],
)
def test_a_message_that_comes_in_time_is_not(steps: list[Any], journey: dict[str, Any], files: dict[str, Any]) -> None:
    assert doubted(catalog(*steps, journey=journey, files=files), "too_late", "late_reminder") == []


# -- caps


def test_a_cap_that_counts_nothing_is_told() -> None:
    nothing = cap(2, channel="push", tier="promotional")
    assert doubted(catalog(caps=[nothing]), "idle_cap") == [
        "policies.yaml: caps[1].match: counts nothing: no action on any channel is like that"
    ]
    assert doubted(catalog(caps=[cap(2, channel="email", tier="promotional")]), "idle_cap") == []


@pytest.mark.parametrize(
    ("narrow", "wide", "is_idle"),
    [
        (cap(5, channel="email"), cap(2, name="all"), True),
        (cap(8, channel="email"), cap(1, "1d", "all"), True),  # seven days of one each
        (cap(7, channel="email"), cap(1, "1d", "all"), False),
        (cap(2, channel="email"), cap(2, name="all"), False),  # both are met at once
        (cap(5), cap(2, name="mail", channel="email"), False),  # texts count too
        (cap(5, "7d", channel="email"), cap(2, "3d", "all"), False),
        (cap(5, "day", "mails", "calendar"), cap(2, "week", "all", "calendar"), True),
        (cap(5, "week", "mails", "calendar"), cap(2, "month", "all", "calendar"), True),
        (cap(4, "week", "mails", "calendar"), cap(2, "month", "all", "calendar"), False),  # it may lie in two months
        (cap(4, "day", "mails", "calendar"), cap(3, "7d", "all"), True),
        (cap(6, "week", "mails", "calendar"), cap(3, "7d", "all"), False),  # one week of the year is an hour longer
        (cap(30, "7d", "mails"), cap(2, "month", "all", "calendar"), True),
        (cap(4, "7d", "mails"), cap(2, "month", "all", "calendar"), False),
    ],
)
def test_a_cap_behind_a_stricter_one_is_told(narrow: dict[str, Any], wide: dict[str, Any], is_idle: bool) -> None:
    found = doubted(catalog(journey={"key": "cart_id"}, caps=[narrow, wide]), "idle_cap")
    assert found == ["policies.yaml: caps[1].limit: " + found[0].partition("limit: ")[2]] if is_idle else found == []
    assert all("is never met: the cap" in line for line in found)


def test_a_cap_above_all_that_journeys_send_is_told() -> None:
    yearly = {"re_entry": {"after": "365d"}}
    assert doubted(catalog(MAIL, DAY, MAIL, journey=yearly, caps=[cap(5)]), "idle_cap") == [
        "policies.yaml: caps[1].limit: is never met: journeys send one customer at most 2 of that in 7d"
    ]
    for nearly in (yearly, yearly | {"key": "cart_id"}, {}):
        limit = 2 if nearly == yearly else 5
        assert doubted(catalog(MAIL, DAY, MAIL, journey=nearly, caps=[cap(limit)]), "idle_cap") == []


@pytest.mark.parametrize(
    ("after", "steps", "policies", "most"),
    [
        ("30d", [MAIL], {}, 1),
        ("7d", [MAIL], {}, 1),
        ("6d", [MAIL], {}, 2),
        ("30d", [{"send": MAIL["send"] | {"on_held": "wait"}}], {}, 2),  # it may go long after its run began
        ("30d", [MAIL], {"quiet_hours": {"rules": [{"id": "night", "hours": "21:00-08:00"}]}}, 2),
    ],
)
def test_runs_that_follow_one_another_send_as_far_apart_as_re_entry_says(
    after: str, steps: list[Any], policies: dict[str, Any], most: int
) -> None:
    told = doubted(catalog(*steps, journey={"re_entry": {"after": after}}, caps=[cap(9)], **policies), "idle_cap")
    assert told == [
        f"policies.yaml: caps[1].limit: is never met: journeys send one customer at most {most} of that in 7d"
    ]


@pytest.mark.parametrize(
    ("steps", "limit", "journey", "place"),
    [
        ([MAIL, DAY, MAIL], 1, {}, "steps[3].send"),
        ([MAIL, {"wait_for": {"event": "Paid", "timeout": "6d"}}, TEXT, MAIL], 1, {}, "steps[4].send"),
        ([LADDER], 1, {}, "steps[1].send"),
        ([{"send": LADDER["send"] | {"fallback": {"on": ["bounced"]}}}], 1, {}, "steps[1].send"),
        (loop("1d", 3), 2, {}, "steps[2].send"),
    ],
)
def test_a_cap_that_holds_what_a_run_sends_itself_is_told(
    steps: list[Any], limit: int, journey: dict[str, Any], place: str
) -> None:
    rule = cap(limit, group="cart") if "channels" in steps[0].get("send", {}) else cap(limit, channel="email")
    files = {"actions/both.yaml": BOTH["actions/both.yaml"] | {"group": "cart"}}
    so_many = "its one message" if limit == 1 else f"its {limit} messages"
    assert doubted(catalog(*steps, journey=journey, files=files, caps=[rule]), "own_cap") == [
        f"{CART}: {place}: is held by the cap mails ({limit} in 7d) wherever the run has sent {so_many} before it"
    ]


@pytest.mark.parametrize(
    ("steps", "rule", "journey"),
    [
        ([MAIL, wait("7d"), MAIL], cap(1, channel="email"), {}),
        ([MAIL, DAY, MAIL], cap(2, channel="email"), {}),
        ([MAIL, DAY, TEXT], cap(1, channel="email"), {}),
        ([MAIL, DAY, MAIL], cap(1, channel="email"), {"guards": {"touches": 1}}),
        ([MAIL, DAY, {"send": MAIL["send"] | {"on_held": "wait"}}], cap(1, channel="email"), {}),
        ([{"branch": [{"when": {"segment": "s"}, "steps": [MAIL]}, {"else": True, "steps": [MAIL]}]}], cap(1), {}),
        ([MAIL, {"wait": {"until": {"trait": "renewal_on", "offset": "-2d"}}}, MAIL], cap(1), {}),
        ([MAIL, DAY, MAIL], cap(1, "day", window="calendar"), {}),
        ([{"send": LADDER["send"] | {"fallback": {"on": ["refused", "no_address"]}}}], cap(1), {}),
    ],
)
def test_a_cap_that_leaves_room_for_a_run_is_not(
    steps: list[Any], rule: dict[str, Any], journey: dict[str, Any]
) -> None:
    files = BOTH | {"segments.yaml": {"segments": {"s": {"trait": {"name": "vip"}}}}}
    assert doubted(catalog(*steps, journey=journey, files=files, caps=[rule]), "own_cap") == []


# -- promotions after a purchase


@pytest.mark.parametrize(
    ("steps", "journey", "policies", "place"),
    [
        ([DAY, MAIL], {}, {"stops": [], "purchases": {"event": "Paid"}}, "steps[2].send"),
        ([MAIL, DAY, TEXT], {"outcome": {"event": "Paid"}}, {"stops": []}, "steps[3].send"),
        ([LADDER], {"outcome": {"event": "Paid"}}, {"stops": [STOP | {"on": "Left"}]}, "steps[1].send"),
        (
            [DAY, MAIL],
            {"outcome": {"event": "Paid"}},
            {"stops": [STOP | {"on": "Paid", "tier": "service"}]},
            "steps[2].send",
        ),
        ([DAY, MAIL], {"tier": "lifecycle", "outcome": {"event": "Paid"}}, {"stops": []}, "steps[2].send"),
    ],
)
def test_a_promotion_that_no_purchase_stops_is_told(
    steps: list[Any], journey: dict[str, Any], policies: dict[str, Any], place: str
) -> None:
    assert doubted(catalog(*steps, journey=journey, files=BOTH, **policies), "unstopped") == [
        f"{CART}: {place}: goes to who has bought meanwhile: no stop in policies.yaml ends it on 'Paid'"
    ]


@pytest.mark.parametrize(
    ("steps", "journey", "policies"),
    [
        ([DAY, MAIL], {}, {}),
        ([MAIL, DAY], {"outcome": {"event": "Paid"}}, {"stops": []}),  # at once, there is no time to buy
        ([DAY, MAIL], {"stops": [{"id": "paid", "on": "Paid"}], "outcome": {"event": "Paid"}}, {"stops": []}),
        ([DAY, MAIL], {"outcome": {"event": "Visited"}}, {}),  # the shop's purchase stops it all the same
        ([DAY, MAIL], {"outcome": {"event": "Paid"}}, {"stops": [{"id": "paid", "on": "Paid"}]}),
    ],
)
def test_a_promotion_that_a_purchase_stops_is_not(
    steps: list[Any], journey: dict[str, Any], policies: dict[str, Any]
) -> None:
    assert doubted(catalog(*steps, journey=journey, **policies), "unstopped", "no_purchase") == []


def test_a_service_message_may_follow_a_purchase() -> None:
    service = {"actions/mail.yaml": mail(tier="service", purpose="service")}
    told = doubted(catalog(DAY, MAIL, files=service, purchases={"event": "Paid"}, stops=[]), "unstopped")
    assert told == []


def test_that_nothing_says_what_a_purchase_is_is_said_once() -> None:
    other = {"journeys/other.yaml": catalog(DAY, TEXT)[CART] | {"id": "other"}}
    assert doubted(catalog(DAY, MAIL, files=other, stops=[]), "unstopped", "no_purchase") == [
        "policies.yaml: stops: nothing says what a purchase is, so whether one stops promotions cannot be told: write "
        "purchases, or the outcome of a journey"
    ]
    assert doubted(catalog(MAIL, stops=[]), "no_purchase") == []


# -- consent


def test_a_consent_that_nobody_is_asked_for_is_told() -> None:
    alert = {"actions/alert.yaml": action("alert", "push", {"title": "Hello", "body": "Hello"})}
    send = {"send": {"action": "alert", "channel": "push"}}
    assert doubted(catalog(send, files=alert), "no_consent") == [
        f"{CART}: steps[1].send.channel: nobody can have said yes to marketing on push: consent.yaml has that channel "
        "neither under channels nor under no_consent_needed"
    ]
    for purpose in (
        {"channels": ["push"]},
        {"no_consent_needed": ["push"]},
        {"default": True},
    ):
        agreed = {"consent.yaml": {"purposes": {"marketing": purpose}, "events": ["Consent Updated"]}}
        assert doubted(catalog(send, files=alert | agreed), "no_consent") == []


def planned(channel: dict[str, Any], **event: Any) -> dict[str, Any]:
    return {
        "tracking_plan.yaml": {"events": {"Consent Updated": {"schema": {"properties": {"channel": channel}}} | event}}
    }


MAIL_ALONE = {"enum": ["email"]}


@pytest.mark.parametrize("channel", [MAIL_ALONE, {"const": "email"}])
def test_a_plan_that_sets_every_event_aside_that_says_yes_is_told_too(channel: dict[str, Any]) -> None:
    told = doubted(catalog(TEXT, files=planned(channel)), "no_consent", "told_consent")
    assert told == [
        f"{CART}: steps[1].send.channel: nobody can say yes to marketing on sms but by POST /v1/consent: the tracking "
        "plan lets no event of consent name that channel"
    ]


@pytest.mark.parametrize(
    "files",
    [
        planned({"enum": ["email", "sms"]}),
        planned({"enum": ["email", "SMS"]}),
        planned({"enum": ["email", "all"]}),
        planned(MAIL_ALONE, mode="allow"),  # the event is taken all the same
        planned(MAIL_ALONE, mode="warn"),
        planned(MAIL_ALONE) | {"sources.yaml": {"sources": {"web": {"channel": "web", "grants": ["marketing"]}}}},
    ],
)
def test_a_plan_by_which_an_event_can_say_yes_is_not(files: dict[str, Any]) -> None:
    assert doubted(catalog(TEXT, files=files), "no_consent", "told_consent") == []


# -- loops


def test_the_same_message_again_and_again_is_told() -> None:
    assert doubted(catalog(*loop("1d", 5)), "again") == [
        f"{CART}: steps[2].send: goes out 6 times in 7d to who stays in the loop, and no cap counts it"
    ]


@pytest.mark.parametrize(
    ("steps", "journey", "policies"),
    [
        (loop("7d", 5), {}, {}),
        (loop("1d", 1), {}, {}),
        (loop("1d", 5), {"guards": {"touches": 2}}, {}),
        (loop("1d", 5), {}, {"caps": [cap(2, channel="email")]}),  # the cap holds them, which is told of the cap
    ],
)
def test_a_loop_with_an_end_is_not(steps: list[Any], journey: dict[str, Any], policies: dict[str, Any]) -> None:
    assert doubted(catalog(*steps, journey=journey, **policies), "again") == []


def tagging(name: str, segment: str, add: str, remove: str) -> dict[str, Any]:
    update = {"update": {"tags": {"add": [add], "remove": [remove]}}}
    return {
        f"journeys/{name}.yaml": {
            "id": name,
            "tier": "lifecycle",
            "trigger": {"segment": {"id": segment}},
            "steps": [DAY, update],
        }
    }


PING_PONG = {
    **tagging("ping", "left", "right", "left"),
    **tagging("pong", "right", "left", "right"),
    "segments.yaml": {"segments": {side: {"trait": {"name": "tags", "is": side}} for side in ("left", "right")}},
}


def test_journeys_that_may_start_one_another_are_told() -> None:
    assert doubted(catalog(files=PING_PONG), "circle") == [
        "journeys/ping.yaml: trigger: starts again and again by what pong and it write: each starts the other"
    ]
    one_way = PING_PONG | tagging("pong", "right", "done", "right")
    assert doubted(catalog(files=one_way), "circle") != []  # they ask about the same trait: a rehearsal must tell
    apart = {"segments.yaml": {"segments": {"left": {"trait": {"name": "x"}}, "right": {"trait": {"name": "y"}}}}}
    assert doubted(catalog(files=PING_PONG | apart), "circle") == []


# -- what cannot be decided


def test_conditions_of_too_many_cases_are_said_once() -> None:
    names = [f"t{number}" for number in range(9)]
    anything = [{"any": [{"trait": {"name": name, "is": str(value)}} for value in range(4)]} for name in names]
    never = [{"trait": {"name": name, "exists": False}} for name in names[-1:]]
    hard = {"branch": [{"when": {"all": [*anything, *never]}, "steps": [MAIL]}]}
    assert doubted(catalog(hard), "undecided", "unreachable") == [
        f"{CART}: steps: the conditions of steps[1] have too many cases"
    ]


def test_a_message_that_a_model_decides_about_is_said() -> None:
    model = {
        "models/likes.yaml": {"id": "likes", "rates": {}},
        "actions/mail.yaml": mail(propensity={"model": "likes"}),
    }
    assert doubted(catalog(files=model, min_propensity=0.1), "undecided") == [
        f"{CART}: steps: whether mail is likely enough to go is for its model to say"
    ]
    assert doubted(catalog(files=model), "undecided") == []
