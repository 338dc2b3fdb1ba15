"""The grammar of steps: what a journey's file may say, the program that it becomes, and faults by their place."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import action, document

from engine.catalog.compile import compile_document, problems_of
from engine.catalog.compiled import Step

TEXT = {"send": {"action": "text", "channel": "sms"}}
HOUR = {"wait": {"for": "1h"}}


def shop(*steps: Any) -> dict[str, Any]:
    text = action("text", tier="service", purpose="service", channels=["sms"])
    journey = {"id": "way", "tier": "service", "trigger": {"event": "Started"}, "steps": [*steps]}
    plain = document(actions=[text], journeys=[journey])
    return plain | {"segments.yaml": {"segments": {"vip": {"trait": {"name": "vip", "is": True}}}}}


def program(*steps: Any) -> tuple[Step, ...]:
    return compile_document(shop(*steps)).journeys["way"].steps


def laid_out(*steps: Any) -> list[tuple[str, str]]:
    return [(step.id, step.kind) for step in program(*steps)]


def test_a_split_lays_its_arms_out_one_after_the_other():
    split = {"split": {"id": "copy", "arms": {"a": 50, "b": 30, "c": 20}, "steps": {"a": [TEXT], "b": [HOUR, TEXT]}}}
    steps = program(split, TEXT)
    assert [(step.id, step.kind) for step in steps] == [
        ("copy", "split"),
        ("0.a.0", "send"),
        ("0.a.end", "jump"),
        ("0.b.0", "wait"),
        ("0.b.1", "send"),
        ("1", "send"),
    ]
    assert steps[0].shares == (("a", 50, 1), ("b", 30, 3), ("c", 20, 5)) and steps[2].target == 5


def test_a_parallel_has_a_join_behind_its_arms():
    steps = program({"parallel": {"id": "both", "arms": {"a": [TEXT], "b": [HOUR]}, "join": "any"}}, TEXT)
    assert [(step.id, step.kind) for step in steps] == [
        ("both", "parallel"),
        ("0.a.0", "send"),
        ("0.a.end", "jump"),
        ("0.b.0", "wait"),
        ("both.join", "join"),
        ("1", "send"),
    ]
    assert (steps[0].branches, steps[0].target, steps[2].target) == ((("a", 1), ("b", 3)), 4, 4)
    assert not steps[4].needs_all


def test_a_wait_for_may_lead_to_steps_of_its_own():
    awaited = {"event": "Paid", "timeout": "1d", "on_event": "exit", "on_timeout": {"steps": [TEXT]}}
    steps = program({"wait_for": awaited}, HOUR)
    assert [(step.id, step.kind) for step in steps] == [
        ("0", "wait_for"),
        ("0.on_timeout.0", "send"),
        ("1", "wait"),
    ]
    assert (steps[0].on_event, steps[0].on_timeout) == (3, 1)


def test_both_ends_of_a_wait_for_meet_again():
    awaited = {"event": "Paid", "timeout": "1d", "on_event": {"steps": [TEXT]}, "on_timeout": {"goto": "begin"}}
    steps = program({"id": "begin", **HOUR}, {"wait_for": awaited}, TEXT)
    assert [(step.id, step.kind, step.target) for step in steps[2:]] == [
        ("1.on_event.0", "send", 0),
        ("1.on_event.end", "jump", 5),
        ("1.on_timeout.0", "goto", 0),
        ("2", "send", 0),
    ]
    assert (steps[1].on_event, steps[1].on_timeout, steps[4].at_most) == (2, 4, 10)


def test_a_wait_for_awaits_an_event_a_segment_or_an_outcome():
    begun = {"id": "first", **TEXT}
    outcome = {"wait_for": {"outcome": ["sent", "opened"], "of": "first", "timeout": "4h"}}
    _, opened, inside, outside = program(
        begun,
        outcome,
        {"wait_for": {"segment": "vip", "timeout": "4h"}},
        {"wait_for": {"segment": {"id": "vip", "on": "exit"}, "timeout": "4h", "reset_on": "Seen"}},
    )
    assert opened.outcomes == {"sent", "simulated", "opened"} and opened.of == "first"
    assert opened.event is not None and opened.event.passes({"outcome": "opened", "step": "first"}, {})
    assert not opened.event.passes({"outcome": "opened", "step": "other"}, {})
    assert (inside.segment, inside.is_inside, outside.is_inside) == ("vip", True, False)
    assert outside.reset_on == {"Seen"} and outside.reset_until_ms == 28 * 3_600_000


def test_a_wait_may_end_at_a_moment_of_the_calendar():
    until = {"time": "18:00", "weekday": ["FRI", "MON"], "trait": "trip.on", "offset": "-2d"}
    (step,) = program({"wait": {"until": until}})
    assert step.until is not None
    assert (step.until.minute, step.until.weekdays, step.until.trait) == (18 * 60, {0, 4}, "trip.on")
    assert (step.until.offset_days, step.until.on_missing, step.until.on_past) == (-2, "exit", "continue")


def test_updates_webhooks_and_a_bare_exit():
    update = {"traits": {"stage": "asked", "old": None}, "tags": {"add": ["asked"]}}
    call = {"url": "https://crm.example/hook", "body": {"who": "{{ traits.name }}"}, "secret_env": "CRM_SECRET"}
    written, called, left = program({"update": update}, {"webhook": call}, "exit")
    assert written.update is not None and written.update.traits == {"stage": "asked", "old": None}
    assert called.webhook is not None and called.webhook.method == "POST"
    assert left.kind == "exit"


CIRCLE = [{"id": "again", **TEXT}, {"goto": "again", "at_most": 3}]
FAULTS = [
    ([{"goto": "nowhere"}], "steps[1].goto: no step of this journey is called 'nowhere'"),
    (
        [{"id": "remind", **TEXT}, HOUR, {"goto": "remnd"}],
        "steps[3].goto: no step of this journey is called 'remnd', did you mean 'remind'?",
    ),
    (
        CIRCLE,
        "steps[2].goto: goes round in a circle: a run comes back from 'again' and has waited for nothing; put a wait "
        "between them",
    ),
    (
        [{"id": "again", **TEXT}, {"wait_for": {"segment": "vip", "timeout": "1h", "on_event": {"goto": "again"}}}],
        "steps[2].wait_for.on_event.goto: goes round in a circle: a run comes back from 'again' and has waited for "
        "nothing; put a wait between them",
    ),
    (
        [{"id": "out", **HOUR}, {"parallel": {"arms": {"a": [{"goto": "out"}], "b": [TEXT]}}}],
        "steps[2].parallel.arms.a[1].goto: cannot lead to 'out': a jump stays within its own arm of a parallel",
    ),
    ([{"goto": "x", "at_most": 0}], "steps[1].at_most: should be at least 1"),
    ([{"split": {"id": "s", "arms": {"a": 1}}}], "steps[1].split.arms: should have at least two arms"),
    (
        [{"split": {"id": "s", "arms": {"a": 1, "b": 1}, "steps": {"c": [TEXT]}}}],
        "steps[1].split.steps: 'c' is none of the arms: a, b",
    ),
    (
        [{"id": "s", **TEXT}, {"split": {"id": "s", "arms": {"a": 1, "b": 1}}}],
        "steps[2].split.id: 's' is there already",
    ),
    ([{"wait": {}}], "steps[1].wait: a wait has either for or until"),
    ([{"wait": {"for": "1h", "until": {"time": "18:00"}}}], "steps[1].wait: a wait has either for or until"),
    ([{"wait": {"until": {}}}], "steps[1].wait.until: should say time, weekday or trait"),
    ([{"wait": {"until": {"time": "6pm"}}}], 'steps[1].wait.until.time: a time of day is written "09:00"'),
    (
        [{"wait": {"until": {"time": "18:00", "offset": "-2d"}}}],
        "steps[1].wait.until.offset: is about the date of a trait, and none is named",
    ),
    (
        [{"wait": {"until": {"trait": "x", "offset": "2h"}}}],
        "steps[1].wait.until.offset: a number of days: -14d is two weeks before, 3d is three days after",
    ),
    (
        [{"wait_for": {"timeout": "1h"}}],
        "steps[1].wait_for: waits for exactly one of event, segment and outcome",
    ),
    (
        [{"wait_for": {"segment": "vpi", "timeout": "1h"}}],
        "steps[1].wait_for.segment: no segment called 'vpi', did you mean 'vip'?",
    ),
    (
        [{"wait_for": {"outcome": "opened", "timeout": "1h"}}],
        "steps[1].wait_for.outcome: nothing can come of a message: this journey sends none",
    ),
    (
        [{"id": "first", **TEXT}, {"wait_for": {"outcome": "opened", "of": "frist", "timeout": "1h"}}],
        "steps[2].wait_for.of: no send of this journey is called 'frist', did you mean 'first'?",
    ),
    ([{"update": {"traits": {"email": "x"}}}], "steps[1].update.traits.email: email says who somebody is, which no"),
    (
        [{"webhook": {"url": "https://x.example/", "headers": {"Authorization": "Bearer 1"}}}],
        "steps[1].webhook.headers.Authorization: a secret is never written here",
    ),
    (
        [{"webhook": {"url": "https://x.example/", "body": {"who": {"name": "{{ trait.name }}"}}}}],
        "steps[1].webhook.body.who.name: 'trait' is not there when a message is rendered",
    ),
    (
        [{"webhook": {"url": "https://x.example/", "body": {"leave": "{{ unsubscribe_url }}"}}}],
        "steps[1].webhook.body.leave: 'unsubscribe_url' is there in messages only; a call has traits, event,",
    ),
    (
        [{"webhook": {"url": "https://x.example/", "headers": {"a b": "c"}}}],
        "steps[1].webhook.headers.a b: 'a b' is no name of a header",
    ),
    (
        [{"webhook": {"url": "https://x.example/", "headers": {"Webhook-Id": "mine"}}}],
        "steps[1].webhook.headers.Webhook-Id: Webhook-Id is written by the call itself",
    ),
    (
        [{"webhook": {"url": "https://x.example/", "headers": {"a": "b\nc: d"}}}],
        "steps[1].webhook.headers.a: should match",
    ),
    ([{"webhook": {}}], "steps[1].webhook: a webhook has either url or url_env"),
    ([{"webhook": {"url": "crm.example"}}], "steps[1].webhook.url: should be an http or https URL with a host"),
    ([{"webhook": {"url": "http://[/"}}], "steps[1].webhook.url: is no URL"),
    ([{"webhook": {"url": "https://x.example:99999/"}}], "steps[1].webhook.url: is no URL"),
    ([{"webhook": {"url": "https://ada:pw@x.example/"}}], "steps[1].webhook.url: holds a secret"),
    ([{"webhook": {"url": "https://x.example/$event.id"}}], "steps[1].webhook.url: is always the same"),
    (["leave"], "steps[1]: a step is exactly one of send, wait, wait_for, branch, split, parallel, update, webhook"),
    ([{"split": {"id": "s", "arms": {"a": 1, "b": 1}}, "wait": {"for": "1h"}}], "steps[1]: a step is exactly one of"),
]


@pytest.mark.parametrize(("steps", "problem"), FAULTS, ids=[row[1][:60] for row in FAULTS])
def test_a_fault_in_a_step_is_named_with_its_place(steps: list[Any], problem: str):
    found = [str(each) for each in problems_of(shop(*steps))]
    assert len(found) == 1 and found[0].startswith(f"journeys/way.yaml: {problem}")


def test_a_circle_with_a_wait_in_it_is_a_loop():
    assert problems_of(shop({"id": "again", **TEXT}, HOUR, {"goto": "again", "at_most": 3})) == []


def test_a_step_that_a_jump_names_is_reached():
    assert problems_of(shop({"goto": "rest"}, TEXT, "exit", {"id": "rest", **TEXT})) == []
