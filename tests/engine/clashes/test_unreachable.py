"""Steps that nobody comes to are found, with the reason, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from support.clashes import CART, DAY, MAIL, STOP, TEXT, catalog, doubted, wait

RICH = {"trait": {"name": "spent", "at_least": 500}}
RICHER = {"trait": {"name": "spent", "at_least": 1000}}
POOR = {"trait": {"name": "spent", "less_than": 100}}
BOUGHT = {"event": {"name": "Order Completed", "within": "1d"}}


def branch(*arms: Any) -> dict[str, Any]:
    return {"branch": [arm if "else" in arm else {"when": arm, "steps": [TEXT]} for arm in arms]}


KINDS = ("unreachable", "unheard", "not_entered")
ELSE = {"else": True, "steps": [MAIL]}
ENDS = "is never reached: the step before it always ends the run"

# (steps, what the journey says beside, what the policies say, the place and the message)
FOUND: list[tuple[list[Any], dict[str, Any], dict[str, Any], str]] = [
    ([MAIL, {"exit": None}, TEXT], {}, {}, f"steps[3]: {ENDS}"),
    (
        [{"branch": [{"when": RICH, "steps": [{"exit": None}]}, {"else": True, "steps": [{"exit": None}]}]}, MAIL],
        {},
        {},
        f"steps[2]: {ENDS}",
    ),
    (
        [{"goto": "end"}, MAIL, {"id": "end", **TEXT}],
        {},
        {},
        "steps[2]: is never reached: the step before it always jumps to 'end'",
    ),
    (
        [branch(RICH, RICHER, ELSE)],
        {},
        {},
        "steps[1].branch[2].when: never holds here: an arm before it takes everybody who is like that",
    ),
    (
        [branch(RICH, {"not": RICH}, ELSE)],
        {},
        {},
        "steps[1].branch[3]: is never taken: the arms before it take everybody",
    ),
    (
        [branch(POOR)],
        {"when": RICH},
        {},
        "steps[1].branch[1].when: never holds here: nobody who enters is like that",
    ),
    (
        [{"branch": [{"when": RICH, "steps": [branch(POOR)]}]}],
        {},
        {},
        "steps[1].branch[1].steps[1].branch[1].when: never holds here: nobody who comes here is like that",
    ),
    (
        [wait("2d"), branch(BOUGHT)],
        {},
        {},
        "steps[2].branch[1].when: never holds here: a stop ends the run of whoever does that in it",
    ),
    (
        [branch({"segment": "nobody"})],
        {},
        {},
        "steps[1].branch[1].when: never holds here: nobody is ever like that",
    ),
    (
        [branch({"not": {"event": {"name": "Product Added"}}})],
        {},
        {},
        "steps[1].branch[1].when: never holds here: nobody who enters is like that",
    ),
    (
        [branch({"trait": {"name": "left", "is": True}})],
        {"stops": [{"id": "gone", "trait": {"name": "left", "is": True}}]},
        {},
        "steps[1].branch[1].when: never holds here: nobody who enters is like that",
    ),
    (
        [wait("3d"), MAIL, wait("2d"), TEXT],
        {"stops": [{"id": "week", "after": "5d"}]},
        {},
        "steps[4]: is never reached: the stop week ends every run 5d after it was entered",
    ),
    (
        [{"wait_for": {"event": "Paid", "timeout": "7d", "on_event": "exit", "on_timeout": {"steps": [MAIL]}}}],
        {"stops": [{"id": "week", "after": "7d"}]},
        {},
        "steps[1].wait_for.on_timeout.steps[1]: is never reached: the stop week ends every run 7d after it was entered",
    ),
    (
        [DAY, {"wait_for": {"event": "Order Completed", "timeout": "2d", "on_event": {"steps": [TEXT]}}}, MAIL],
        {},
        {},
        "steps[2].wait_for.event: never acts: the stop purchase ends the run on the 'Order Completed' that wait_for "
        "waits for",
    ),
    (
        [{"wait_for": {"segment": "nobody", "timeout": "2d", "on_event": "exit"}}, MAIL],
        {},
        {},
        "steps[1].wait_for.segment: never acts: nobody can be in the segment nobody",
    ),
    (
        [{"parallel": {"arms": {"a": [MAIL], "b": [{"exit": None}]}}}, TEXT],
        {},
        {},
        f"steps[2]: {ENDS}",
    ),
    (
        [{"wait_for": {"segment": "rich", "timeout": "2d", "on_timeout": {"steps": [MAIL]}}}],
        {"trigger": {"segment": {"id": "rich"}}},
        {},
        "steps[1].wait_for.on_timeout.steps[1]: is never reached: whoever comes to the wait before it has what it "
        "waits for",
    ),
    (
        [wait("3d"), MAIL],
        {
            "trigger": {"schedule": {"once": "2026-03-10T09:00"}},
            "stops": [{"id": "over", "at": "2026-03-12T00:00"}],
        },
        {},
        "steps[2]: is never reached: the stop over ends every run on 2026-03-12",
    ),
    (
        [MAIL],
        {
            "trigger": {"schedule": {"once": "2026-03-10T09:00"}},
            "stops": [{"id": "over", "at": "2026-03-01T00:00"}],
        },
        {},
        "trigger: nobody can enter: the stop over ends every run on 2026-03-01, before any begins",
    ),
]

# Near misses: what is nearly one of those, and can be.
REACHED: list[tuple[list[Any], dict[str, Any], dict[str, Any]]] = [
    ([branch(RICHER, RICH, ELSE)], {}, {}),
    ([branch(RICH, POOR, ELSE)], {}, {}),
    ([DAY, branch(POOR)], {"when": RICH}, {}),  # a day later somebody may have sent goods back
    ([{"update": {"traits": {"spent": 1}}}, branch(POOR)], {"when": RICH}, {}),
    ([wait("2d"), branch({"event": {"name": "Order Completed", "within": "3d"}})], {}, {}),  # before the run
    ([wait("2d"), branch(BOUGHT)], {}, {"stops": [STOP | {"tier": "service"}, STOP | {"id": "all", "on": "Left"}]}),
    ([{"wait_for": {"segment": "rich", "timeout": "2d", "on_timeout": {"steps": [MAIL]}}}], {}, {}),
    (
        [DAY, {"wait_for": {"segment": "rich", "timeout": "2d", "on_timeout": {"steps": [MAIL]}}}],
        {"trigger": {"segment": {"id": "rich"}}},
        {},
    ),
    (
        [wait("2d"), MAIL],
        {
            "trigger": {"schedule": {"once": "2026-03-10T09:00"}},
            "stops": [{"id": "over", "at": "2026-03-12T08:00"}],
        },
        {},
    ),
    ([wait("3d"), MAIL, wait("1d"), TEXT], {"stops": [{"id": "week", "after": "5d"}]}, {}),
    ([{"id": "again", **DAY}, MAIL, {"goto": "again", "at_most": 1}, TEXT], {}, {}),
    ([{"parallel": {"arms": {"a": [MAIL], "b": [{"exit": None}]}, "join": "any"}}, TEXT], {}, {}),
    (
        [DAY, {"wait_for": {"event": "Order Completed", "timeout": "2d", "on_event": {"steps": [TEXT]}}}],
        {},
        {"stops": [STOP | {"where": {"total": {"at_least": 50}}}]},
    ),
    ([branch({"trait": {"name": "tags", "is": "a"}}, {"trait": {"name": "tags", "is": "b"}})], {}, {}),
    ([branch({"all": [{"trait": {"name": "tags", "is": "a"}}, {"trait": {"name": "tags", "is": "b"}}]})], {}, {}),
    ([branch({"event": {"name": "Product Added", "count": {"at_least": 2}}})], {}, {}),
    ([{"split": {"id": "ab", "arms": {"a": 1, "b": 0.001}, "steps": {"a": [MAIL], "b": [TEXT]}}}], {}, {}),
]
SEGMENTS = {"segments.yaml": {"segments": {"nobody": {"all": [RICH, POOR]}, "rich": RICH}}}


@pytest.mark.parametrize(("steps", "journey", "policies", "wanted"), FOUND)
def test_a_step_that_nobody_comes_to_is_told(
    steps: list[Any], journey: dict[str, Any], policies: dict[str, Any], wanted: str
) -> None:
    assert doubted(catalog(*steps, journey=journey, files=SEGMENTS, **policies)) == [f"{CART}: {wanted}"]


@pytest.mark.parametrize(("steps", "journey", "policies"), REACHED)
def test_a_step_that_somebody_may_come_to_is_not(
    steps: list[Any], journey: dict[str, Any], policies: dict[str, Any]
) -> None:
    assert (
        doubted(catalog(*steps, journey=journey, files=SEGMENTS, **policies), "unreachable", "unheard", "not_entered")
        == []
    )


def test_a_journey_that_nobody_can_enter_is_told_once() -> None:
    both = {"all": [{"segment": "rich"}, POOR]}
    document = catalog(MAIL, DAY, TEXT, journey={"when": both}, files={"segments.yaml": {"segments": {"rich": RICH}}})
    assert doubted(document) == [f"{CART}: when: nobody can enter: no one is ever all of that at once"]


@pytest.mark.parametrize(
    ("never", "is_told"),
    [
        ({"name": "Product Added", "within": "30d"}, True),
        ({"name": "Product Added", "within": "49h"}, True),
        ({"name": "Product Added", "within": "2d"}, False),  # an event two days old begins it, if it is told so late
        ({"name": "Product Added", "within": "30d", "count": {"at_least": 2}}, False),
        ({"name": "Product Added", "within": "30d", "where": {"price": {"at_least": 5}}}, False),
        ({"name": "Product Viewed", "within": "30d"}, False),
    ],
)
def test_an_entry_condition_that_its_own_trigger_rules_out_lets_nobody_in(never: dict[str, Any], is_told: bool) -> None:
    told = doubted(catalog(journey={"when": {"not": {"event": never}}}), *KINDS)
    assert told == ([f"{CART}: when: nobody can enter: no one is ever all of that at once"] if is_told else [])


def test_a_first_branch_that_the_trigger_rules_out_is_never_taken_and_one_behind_a_wait_may_be() -> None:
    recent = branch({"not": {"event": {"name": "Product Added", "within": "7d"}}})
    (told,) = doubted(catalog(recent), *KINDS)
    assert told == f"{CART}: steps[1].branch[1].when: never holds here: nobody who enters is like that"
    assert doubted(catalog(wait("8d"), recent), *KINDS) == []


@pytest.mark.parametrize("planned", [{"schedule": {"cron": "0 9 * * MON"}}, {"date": {"trait": "renewal_on"}}])
def test_a_schedule_for_a_segment_in_which_nobody_is_lets_nobody_in(planned: dict[str, Any]) -> None:
    ((word, body),) = planned.items()
    told = [
        doubted(catalog(journey={"trigger": {word: body | {"segment": segment}}}, files=SEGMENTS), *KINDS)
        for segment in ("nobody", "rich")
    ]
    assert told == [[f"{CART}: trigger: nobody can enter: no one is ever all of that at once"], []]


def test_of_very_many_ways_what_one_branch_rules_out_is_told_all_the_same() -> None:
    many = [branch({"trait": {"name": f"t{number}"}}) for number in range(14)]
    document = catalog(*many, branch(RICH, RICHER, ELSE))
    assert doubted(document, "unreachable") == [
        f"{CART}: steps[15].branch[2].when: never holds here: an arm before it takes everybody who is like that"
    ]
    assert doubted(document, "undecided") == [f"{CART}: steps: it has too many ways through it"]
