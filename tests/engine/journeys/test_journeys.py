"""Journeys: data that an interpreter walks; waits are timers, sends pass the gates of any decision."""

from __future__ import annotations

from typing import Any

import pytest
from support.world import DAY, HOUR, World, action, cart_journey, compiled, document

from actors.storage.memory_store import MemoryStore
from engine.journeys import stops

TEXT = {"send": {"action": "text", "channel": "sms"}}
STOP = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}


def text(name: str, **changes: Any) -> dict[str, Any]:
    """A text message that needs no consent and no address."""
    return action(name, **({"channels": ["sms"], "purpose": "service"} | changes))


def send(name: str, **changes: Any) -> dict[str, Any]:
    return {"send": {"action": name, "channel": "sms", **changes}}


def journey(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Started by `Product Added`, once per customer unless `changes` say otherwise."""
    return cart_journey(**({"id": "way", "steps": list(steps), "key": "cart_id"} | changes))


def plain(*journeys: dict[str, Any], actions: list[dict[str, Any]] | None = None, **policies: Any) -> dict[str, Any]:
    made = actions or [text(name) for name in ("text", "first", "second", "third")]
    return document(actions=made, journeys=list(journeys), policies={"stops": [STOP]} | policies)


def cap(limit: int = 1, per: str = "1d", **match: str) -> dict[str, Any]:
    return {"caps": [{"id": "one", "limit": limit, "per": per, "match": match or {"channel": "sms"}}]}


CLICK = {"event": "Email Clicked", "where": {"cart_id": "c"}, "timeout": "2d"}


@pytest.mark.parametrize(
    ("options", "clicks", "sends"),
    [
        ({"on_event": "exit", "on_timeout": "continue"}, True, ["first"]),
        ({"on_event": "exit", "on_timeout": "continue"}, False, ["first", "second"]),
        ({"on_event": "continue", "on_timeout": "exit"}, True, ["first", "second"]),
        ({"on_event": "continue", "on_timeout": "exit"}, False, ["first"]),
    ],
)
def test_wait_for_goes_its_way_on_the_event_or_on_the_time_out(options: dict[str, str], clicks: bool, sends: list[str]):
    world = World(plain(journey(send("first"), {"wait_for": CLICK | options}, send("second"))))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    world.advance(hours=1)
    ada.does("Email Clicked", cart_id="another")
    assert ada.pending_timers == ["way"], "this was not the event that it waits for"
    if clicks:
        ada.does("Email Clicked", cart_id="c")
        assert ada.pending_timers == []
    world.advance(days=3)
    assert ada.sends == sends
    assert ada.run("way").state == "completed"


def test_a_time_out_comes_when_it_is_due_and_not_before():
    world = World(plain(journey({"wait_for": CLICK}, send("first"))))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    world.advance(2 * DAY - 1)
    assert ada.pending_timers == ["way"]
    world.advance(1)
    assert ada.pending_timers == []
    assert [entry.at_ms for entry in ada.timeline if entry.outcome == "decided"] == [world.now_ms]


BRANCH = {
    "branch": [
        {"when": {"trait": {"name": "value", "at_least": 500}}, "steps": [send("first"), {"wait": {"for": "1h"}}]},
        {"when": {"trait": {"name": "value", "at_least": 100}}, "steps": [{"exit": {"reason": "middling"}}]},
        {"else": True, "steps": [send("second")]},
    ]
}


@pytest.mark.parametrize(
    ("value", "sends", "ended_by"),
    [(500, ["first", "third"], "end"), (499, [], "middling"), (5, ["second", "third"], "end")],
)
def test_the_first_arm_that_holds_is_taken_and_the_ways_meet_again(value: int, sends: list[str], ended_by: str):
    world = World(plain(journey({"wait": {"for": "1h"}}, BRANCH, send("third"))))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=30)
    ada.identifies(value=value)  # what counts is what is known when the step comes up
    world.advance(hours=3)
    assert ada.sends == sends
    assert ada.run("way").ended_by == ended_by


def test_re_entry_waits_from_the_end_of_the_last_run():
    world = World(plain(journey({"wait": {"for": "2h"}}, TEXT, key=None, re_entry={"after": "1d"})))
    ada = world.customer("ada")
    at_ms = world.now_ms
    hours = [0, 1, 2, 25, 26, 27]
    world.engine.stage([ada.event("Product Added", cart_id="c", at_ms=at_ms + hour * HOUR) for hour in hours])
    world.advance(days=3)
    assert [(run.entered_ms - at_ms) // HOUR for run in ada.profile.runs] == [0, 26]


@pytest.mark.parametrize(("concurrent", "runs"), [(1, 1), (2, 2), (5, 3)])
def test_no_more_runs_at_once_than_the_journey_allows_per_key(concurrent: int, runs: int):
    rule = {"re_entry": {"concurrent": concurrent}}
    world = World(plain(journey({"wait": {"for": "2h"}}, TEXT, **rule)))
    ada = world.customer("ada")
    for cart in ("c", "c", "d", "c"):
        ada.does("Product Added", cart_id=cart)
    assert sorted(run.key for run in ada.profile.runs) == ["c"] * runs + ["d"]


def test_a_stop_of_the_journeys_own_ends_only_that_one():
    own = journey({"wait": {"for": "1h"}}, send("first"), stops=[{"id": "emptied", "on": "Cart Cleared"}])
    other = journey({"wait": {"for": "1h"}}, send("second"), id="other")
    world = World(plain(own, other))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    ada.does("Cart Cleared")
    world.advance(days=1)
    assert ada.sends == ["second"]
    assert ada.run("way").ended_by == "stop.emptied"


def test_a_global_stop_spares_other_tiers():
    service = journey({"wait": {"for": "1h"}}, send("second"), id="care", tier="service")
    texts = [text("first"), text("second", tier="service")]
    world = World(plain(journey({"wait": {"for": "1h"}}, send("first")), service, actions=texts))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    ada.does("Order Completed")
    world.advance(days=1)
    assert ada.sends == ["second"]


def test_a_journey_that_a_purchase_starts_is_not_stopped_by_that_purchase_even_after_a_merge():
    after_sale = journey({"wait": {"for": "1h"}}, TEXT, trigger={"event": "Order Completed"}, key="order_id")
    world = World(plain(after_sale), shards=2)
    world.customer(anonymous="laptop").does("Order Completed", order_id="o1")
    world.advance(minutes=5)
    ada = world.customer("ada", anonymous="laptop")
    ada.does("Page Viewed")
    world.advance(days=1)
    assert ada.sends == ["text"]


@pytest.mark.parametrize(("on_held", "state"), [("continue", "completed"), ("exit", "exited"), ("wait", "active")])
def test_a_held_send_continues_exits_or_waits(on_held: str, state: str):
    world = World(plain(journey(send("first"), send("second", on_held=on_held), {"wait": {"for": "1m"}}), **cap()))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=5)
    assert ada.sends == ["first"]
    assert ada.outcomes("held") == [("second", "cap.one")]
    assert ada.run("way").state == state
    assert ada.run("way").ended_by == {"continue": "end", "exit": "cap.one", "wait": ""}[on_held]


def test_a_send_that_waits_goes_when_its_cap_frees_and_says_once_that_it_waits():
    world = World(plain(journey(send("first"), send("second", on_held="wait"), send("third", on_held="wait")), **cap()))
    ada = world.customer("ada")
    start_ms = world.now_ms
    ada.does("Product Added", cart_id="c")
    for _ in range(3):
        world.advance(hours=5)
        ada.does("Page Viewed")  # worth another look, and still no
    world.advance(days=3)
    decided = [(e.action, (e.at_ms - start_ms) // DAY) for e in ada.timeline if e.outcome == "decided"]
    assert decided == [("first", 0), ("second", 1), ("third", 2)]
    assert ada.sends == ["first", "second", "third"]
    assert ada.outcomes("held") == [("second", "cap.one"), ("third", "cap.one")]
    assert ada.run("way").state == "completed"


def test_a_send_that_waits_for_a_cap_goes_though_the_message_before_it_left_late():
    world = World(plain(journey(send("first"), send("second", on_held="wait")), **cap()))
    ada = world.customer("ada")
    world.provider_says = "retry"
    ada.does("Product Added", cart_id="c")
    world.advance(minutes=20)
    world.provider_says = "sent"
    world.advance(days=3)
    assert ada.sends == ["first", "second"] and ada.outcomes("withdrawn") == []


def test_a_send_that_waits_for_consent_goes_in_the_turn_of_the_consent_and_gives_up_after_a_month():
    files = document(
        actions=[action("mail")],
        journeys=[journey({"send": {"action": "mail", "channel": "email", "on_held": "wait"}})],
        policies={"stops": [STOP]},
    )
    world = World(files)
    ada, bob, eve = (world.customer(f"{name}@example.com") for name in ("ada", "bob", "eve"))
    for person in (ada, bob, eve):
        person.does("Product Added", cart_id="c")
    world.advance(days=5)
    ada.consents("marketing", "email", True)
    world.settle()
    assert ada.sends == ["mail"]
    eve.does("Order Completed")
    assert eve.outcomes("withdrawn") == [("mail", "stop.purchase")], "a send that waits is stopped like any other"
    world.drain()
    assert bob.sends == [] and bob.run("way").state == "completed"
    assert DAY * 29 < bob.run("way").ended_ms - bob.run("way").entered_ms <= DAY * 31


def test_sends_that_come_up_in_one_turn_are_arbitrated():
    def starter(name: str, tier: str) -> dict[str, Any]:
        return journey(send(name), id=f"a_{name}", tier=tier)

    rich, poor = text("rich", value=99.0), text("poor", value=1.0)
    care = text("care", tier="service", value=0.01)
    ways = [starter("rich", "promotional"), starter("poor", "promotional"), starter("care", "service")]
    world = World(plain(*ways, actions=[rich, poor, care], **cap()))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    world.settle()
    assert ada.sends == ["care"], "service goes first, whatever the others are worth"
    assert ada.outcomes("held") == [("rich", "cap.one"), ("poor", "cap.one")]


def test_timers_due_at_the_same_time_are_one_turn_and_arbitrated_too():
    ways = [
        journey({"wait": {"for": "1h"}}, send("poor"), id="a"),
        journey({"wait": {"for": "60m"}}, send("rich"), id="b"),
    ]
    world = World(plain(*ways, actions=[text("rich", value=9.0), text("poor")], **cap()))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    world.advance(days=2)
    assert ada.sends == ["rich"] and ada.outcomes("held") == [("poor", "cap.one")]


def test_a_trigger_needs_its_properties_and_the_journey_its_condition():
    way = journey(TEXT, trigger={"event": "Product Added", "where": {"value": {"at_least": 10}}})
    way["when"] = {"event": {"name": "Product Viewed", "count": {"at_least": 2}, "within": "1d"}}
    world = World(plain(way))
    ada = world.customer("ada")
    ada.does("Product Added", value=50)
    ada.does("Product Viewed")
    ada.does("Product Viewed")
    ada.does("Product Added", value=9)
    ada.does("Product Added")
    assert ada.profile.runs == []
    ada.does("Product Added", value=10)
    assert [run.state for run in ada.profile.runs] == ["completed"]


def test_a_reset_counts_for_its_own_key_and_counts_once():
    world = World(plain(journey({"wait": {"for": "1h", "reset_on": ["Product Added", "Cart Viewed"]}}, TEXT)))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    ada.does("Product Added", cart_id="d")
    for _ in range(3):
        world.advance(minutes=40)
        ada.does("Cart Viewed", cart_id="c")
    assert ada.sends == ["text"] and [run.key for run in ada.profile.runs if run.due_ms] == ["c"]
    world.advance(minutes=61)
    assert ada.sends == ["text", "text"]
    assert [entry.outcome for entry in ada.timeline if entry.kind == "timer"].count("reset") == 3


def test_a_run_stays_on_the_catalog_that_it_entered_after_a_restart_with_another_one():
    stores = [MemoryStore()]
    old = World(plain(journey({"wait": {"for": "1h"}}, send("first"))), stores=stores)
    old.customer("ada").does("Product Added", cart_id="c1")
    new = World(plain(journey({"wait": {"for": "3h"}}, send("second"))), stores=stores)
    ada = new.customer("ada")
    ada.does("Product Added", cart_id="c2", message_id="after the restart")
    new.advance(hours=2)
    assert ada.sends == ["first"], "the old run took the old way, on the old clock"
    new.advance(hours=2)
    assert ada.sends == ["first", "second"]
    versions = [run.version for run in ada.profile.runs]
    assert versions == [old.catalog.version, new.catalog.version] and len(set(versions)) == 2


def test_a_stop_in_the_new_catalog_counts_for_runs_of_the_old_one():
    stores = [MemoryStore()]
    first = plain(journey({"wait": {"for": "1h"}}, send("first")))
    World(first, stores=stores).customer("ada").does("Product Added", cart_id="c1")
    world = World(first | {"policies.yaml": {"stops": [{"id": "moved", "on": "Moved Away"}]}}, stores=stores)
    ada = world.customer("ada")
    ada.does("Moved Away", message_id="after the restart")
    world.advance(days=1)
    assert ada.sends == [] and ada.run("way").ended_by == "stop.moved"


def test_a_journey_without_a_key_has_one_run_and_one_with_a_missing_value_too():
    world = World(plain(journey({"wait": {"for": "1h"}}, TEXT)))
    ada = world.customer("ada")
    ada.does("Product Added")
    ada.does("Product Added", cart_id=None)
    assert [run.key for run in ada.profile.runs] == [""]


def test_equal_documents_have_equal_versions_however_they_are_ordered():
    one, other = plain(journey(TEXT)), plain(journey(TEXT))
    other = dict(reversed(other.items()))
    assert compiled(one).version == compiled(other).version


def test_a_timer_of_a_step_that_nobody_taught_how_to_go_on_is_a_fault_and_no_wait_without_an_end():
    """The two places that know every kind of step that may wait: where a run goes from it, and what it leads to."""
    world = World(plain(journey(send("first"), {"wait": {"for": "1h"}}, send("second"))))
    ada = world.customer("ada")
    ada.does("Product Added", cart_id="c")
    step = world.catalog.journeys["way"].steps[1]
    object.__setattr__(step, "kind", "nap")
    assert stops.parked_send(world.catalog, ada.run("way")) is None
    world.advance(hours=1)
    (letter,) = world.engine.shard(ada.id).dead.all()
    assert letter.reason == "AssertionError: no way out of a nap"
