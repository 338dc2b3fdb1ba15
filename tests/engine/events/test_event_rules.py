"""`docs/event-rules.md`, a test for each of its sentences, by number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.world import DAY, HOUR, MINUTE, START_MS, Customer, World, action, cart_journey, compiled, document

from engine import turn
from engine.inputs import Event, TimersDue
from engine.profile import Profile
from engine.turn import handle
from serve.ingest import segment_format

PAGE = Path(__file__).resolve().parents[3] / "docs" / "event-rules.md"
OFFER = {"channels": ["web"], "placements": ["home_hero"], "purpose": "service"}


def shop(**changes: Any) -> World:
    lately = {"event": {"name": "Seen", "within": "1d", "count": {"at_least": 2}}}
    offers = [action("offer", eligible=lately, **OFFER), action("cart_reminder", purpose="service")]
    stops = [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}]
    return World(document(actions=offers, journeys=[cart_journey()], policies={"stops": stops}, **changes))


def shown(world: World, name: str = "ada") -> list[str]:
    return [each["actionId"] for each in world.customer(name).decides()["actions"]]


def parsed(**fields: Any) -> Event:
    body = {"type": "track", "event": "Seen", "userId": "ada", **fields}
    (event,) = segment_format.parse_body(
        json.dumps(body).encode(), "track", source="web", channel="web", received_at_ms=START_MS
    ).events
    return event


def test_every_sentence_of_the_page_has_a_test():
    numbers = re.findall(r"^(\d+)\. ", PAGE.read_text("utf-8"), re.MULTILINE)
    tests = re.findall(r"^def test_(\d+)_", Path(__file__).read_text("utf-8"), re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 29)]
    assert sorted(set(map(int, tests))) == list(map(int, numbers))


def test_1_a_repeat_within_30_days_changes_nothing():
    world = shop()
    ada = world.customer("ada")
    event = ada.does("Seen")
    ada.tell(event)
    assert len(ada.profile.history) == 1 and shown(world) == []
    world.advance(days=29)
    ada.tell(event)
    assert len(ada.profile.history) == 1
    world.advance(days=2)
    ada.tell(event)
    assert len(ada.profile.history) == 2


def test_2_another_source_is_another_event():
    world = shop()
    ada = world.customer("ada")
    ada.does("Seen", message_id="m", source="web")
    ada.does("Seen", message_id="m", source="till")
    assert shown(world) == ["offer"]


def test_3_a_hash_stands_for_a_missing_message_id_whenever_it_was_sent():
    time = "2026-03-01T00:00:00Z"
    one, same, other = (parsed(timestamp=time, sentAt=sent, properties={"n": n}) for sent, n in (
        ("2026-03-01T00:00:01Z", 1), ("2026-03-01T00:09:00Z", 1), ("2026-03-01T00:00:01Z", 2)))  # fmt: skip
    assert one.digest == same.digest != other.digest and not one.message_id
    world = shop()
    world.customer("ada").tell(one)
    world.customer("ada").tell(same)
    assert len(world.customer("ada").profile.history) == 1


def test_4_without_id_and_time_it_is_never_a_repeat():
    event = parsed()
    assert (event.message_id, event.digest) == ("", "")
    world = shop()
    for _ in range(2):
        world.customer("ada").tell(event)
    assert len(world.customer("ada").profile.history) == 2


def test_5_what_was_rejected_may_come_again_corrected():
    batch = [{"type": "track", "userId": "ada", "messageId": "m"}, {"type": "track", "event": "Seen", "userId": "ada"}]
    found = segment_format.parse_body(
        json.dumps({"batch": batch}).encode(), None, source="web", channel="web", received_at_ms=START_MS
    )
    assert [fault.index for fault in found.rejected] == [0]
    world = shop()
    world.customer("ada").tell(*found.events)
    world.customer("ada").tell(parsed(messageId="m"))
    assert len(world.customer("ada").profile.history) == 2


def test_6_what_was_set_aside_does_not_run_again(monkeypatch: pytest.MonkeyPatch):
    world = shop()
    ada = world.customer("ada")
    ada.does("Page Viewed")
    with monkeypatch.context() as broken:
        broken.setattr(turn, "_on_event", lambda *_: 1 / 0)
        event = ada.does("Seen")
    shard = world.engine.shard(ada.id)
    assert [letter.reason for letter in shard.dead.all()] == ["ZeroDivisionError: division by zero"]
    ada.tell(event)
    assert len(ada.profile.history) == 1 and len(shard.dead.all()) == 1


def test_7_the_clients_clock_is_corrected_by_when_it_says_it_sent():
    wrong_clock = parsed(timestamp="2020-01-01T00:00:00Z", sentAt="2020-01-01T00:01:00Z")
    assert wrong_clock.at_ms == START_MS - MINUTE
    both = parsed(
        timestamp="2020-01-01T00:00:30Z", originalTimestamp="2020-01-01T00:00:00Z", sentAt="2020-01-01T00:01:00Z"
    )
    assert both.at_ms == START_MS - MINUTE
    assert parsed(timestamp="2026-03-01T00:00:00Z").at_ms == START_MS - DAY


@pytest.mark.parametrize("imported", [True, False])
def test_8_a_time_in_the_future_is_five_minutes_ahead(imported: bool):
    world = shop()
    ada = world.customer("ada")
    world.engine.ask(ada.event("Seen", at_ms=world.now_ms + 80 * 365 * DAY, imported=imported))
    assert [event.at_ms for event in ada.profile.history] == [world.now_ms + 5 * MINUTE]


def test_9_events_are_taken_in_the_order_of_arrival():
    world = shop()
    ada = world.customer("ada")
    for name, hours in (("B", 2), ("A", 3), ("C", 1)):
        ada.does(name, at_ms=world.now_ms - hours * HOUR)
    by_arrival = sorted(ada.profile.history, key=lambda event: event.seq)
    assert [event.name for event in by_arrival] == ["B", "A", "C"]


def test_10_windows_go_by_the_events_own_times():
    world = shop()
    ada = world.customer("ada")
    ada.does("Seen")
    ada.does("Seen", at_ms=world.now_ms - 2 * DAY)
    assert shown(world) == []
    ada.does("Seen", at_ms=world.now_ms - DAY + 1)
    assert shown(world) == ["offer"]


def test_11_the_latest_event_time_sets_a_trait():
    world = shop()
    ada = world.customer("ada")
    for city, at_ms in (("Wien", 10), ("Graz", 5), ("Linz", 10)):
        ada.does("Identified", kind="identify", traits={"city": city}, at_ms=START_MS - HOUR + at_ms)
    assert ada.profile.traits["city"].value == "Linz"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(("minutes", "sends"), [(1, []), (-1, ["cart_reminder"])])
def test_12_a_stop_counts_by_time_whichever_arrives_first(is_first: bool, minutes: int, sends: list[str]):
    world = shop()
    ada = world.customer("ada@shop.example")
    at_ms = world.now_ms - 10 * MINUTE
    cart = ada.event("Product Added", cart_id="c", value=20, at_ms=at_ms)
    bought = ada.event("Order Completed", at_ms=at_ms + minutes * MINUTE)
    for event in (bought, cart) if is_first else (cart, bought):
        ada.tell(event)
    world.advance(hours=3)
    assert ada.sends == sends


def ahead(customer: Customer, name: str, minutes: float, **properties: Any) -> None:
    """An event of a clock that runs so many minutes ahead; it is heard now."""
    customer.world.engine.ask(customer.event(name, at_ms=int(customer.world.now_ms + minutes * MINUTE), **properties))


@pytest.mark.parametrize(("cart", "bought", "sends"), [(4, 0, []), (4, 4, []), (0, 4, [])])
def test_12_a_cart_ahead_is_not_behind_the_purchase_after_it(cart: int, bought: int, sends: list[str]):
    world = shop()
    ada = world.customer("ada@shop.example")
    ahead(ada, "Product Added", cart, cart_id="c")
    world.advance(minutes=1)
    ahead(ada, "Order Completed", bought)
    world.advance(hours=3)
    assert ada.sends == sends


@pytest.mark.parametrize("is_linked", [True, False])
@pytest.mark.parametrize("minutes", [-2, 0])
def test_12_nor_is_a_purchase_ahead_behind_the_cart_after_it(minutes: int, is_linked: bool):
    world = shop()
    ada = world.customer("ada@shop.example")
    ahead(ada, "Order Completed", 4)
    world.advance(minutes=2)
    ahead(ada, "Product Added", -minutes, cart_id="c")
    world.advance(minutes=10)
    if is_linked:
        world.customer(anonymous="phone").does("Page Viewed")
        world.customer("ada@shop.example", anonymous="phone").does("Page Viewed")
    world.advance(hours=3)
    assert ada.sends == ["cart_reminder"]


def test_12_what_triggered_a_run_ahead_does_not_stop_it():
    thanks = way({"wait": {"for": "1h"}}, text("first"), trigger={"event": "Order Completed"})
    world = walked(thanks, stops=[{"id": "purchase", "on": "Order Completed"}])
    ada = world.customer("ada")
    ahead(ada, "Order Completed", 4)
    world.advance(minutes=10)
    world.customer(anonymous="phone").does("Page Viewed")
    world.customer("ada", anonymous="phone").does("Page Viewed")
    world.advance(hours=3)
    assert ada.sends == ["first"]


def test_13_an_event_past_the_lateness_starts_no_journey():
    world = shop()
    ada = world.customer("ada@shop.example")
    ada.does("Product Added", cart_id="old", value=20, at_ms=world.now_ms - 48 * HOUR - 1)
    assert len(ada.profile.history) == 2 and not ada.profile.runs
    ada.does("Product Added", cart_id="late", value=20, at_ms=world.now_ms - 48 * HOUR)
    assert len(ada.profile.runs) == 1


def test_14_a_late_event_moves_no_clock_back():
    world = shop()
    ada = world.customer("ada@shop.example")
    ada.does("Product Added", cart_id="c", value=20, at_ms=world.now_ms - HOUR)
    assert [run.due_ms for run in ada.profile.runs] == [world.now_ms + HOUR], "an hour from now, not from then"
    assert ada.profile.clock_ms == world.now_ms


def told_ahead(world: World, **fields: Any) -> None:
    """`identify` of somebody whose clock runs five years ahead, by the live door and by an import."""
    for imported in (True, False):
        ahead_ms = world.now_ms + 5 * 365 * DAY
        ada = world.customer("ada")
        world.engine.ask(ada.event("Identified", kind="identify", at_ms=ahead_ms, imported=imported, **fields))


def facts(world: World) -> tuple[Any, str, str]:
    known = world.customer("ada").profile
    return known.traits["city"].value, known.locale, known.timezone


def test_15_a_clock_ahead_makes_nothing_last():
    world = shop()
    told_ahead(world, traits={"city": "Wien"}, context={"locale": "de-AT", "timezone": "Europe/Vienna"})
    world.advance(1_000)
    context = {"locale": "sl-SI", "timezone": "Europe/Ljubljana"}
    world.customer("ada").does("Identified", kind="identify", traits={"city": "Maribor"}, context=context)
    assert facts(world) == ("Maribor", "sl-SI", "Europe/Ljubljana")


@pytest.mark.parametrize("imported", [True, False])
def test_16_an_older_word_that_comes_later_changes_nothing(imported: bool):
    world = shop()
    ada = world.customer("ada")
    context = {"locale": "sl-SI", "timezone": "Europe/Ljubljana"}
    ada.does("Identified", kind="identify", traits={"city": "Maribor"}, context=context)
    older = {"traits": {"city": "Wien"}, "context": {"locale": "de-AT", "timezone": "Europe/Vienna"}}
    ada.does("Identified", kind="identify", at_ms=world.now_ms - DAY, imported=imported, **older)
    assert facts(world) == ("Maribor", "sl-SI", "Europe/Ljubljana")


@pytest.mark.parametrize("nothing", ["", "undefined"])
def test_16_a_device_that_knows_neither_locale_nor_zone_states_none(nothing: str):
    world = shop()
    ada = world.customer("ada")
    context = {"locale": "sl-SI", "timezone": "Europe/Ljubljana"}
    ada.does("Identified", kind="identify", traits={"city": "Maribor"}, context=context)
    ada.does("Page Viewed", context={"locale": nothing, "timezone": nothing})
    assert facts(world) == ("Maribor", "sl-SI", "Europe/Ljubljana")


def test_17_an_import_ahead_counts_as_said_now():
    world = shop()
    told_ahead(world, traits={"city": "Wien"})
    assert world.customer("ada").profile.traits["city"].at_ms == world.now_ms


@pytest.mark.parametrize(
    ("granted", "imported", "minutes", "counts_from"),
    [(False, False, -60, 0), (False, False, 4, 0), (True, False, -60, -60), (True, False, 4, 0)]
    + [(granted, True, minutes, min(minutes, 0)) for granted in (True, False) for minutes in (-60, 4, 60)],
)
def test_18_from_when_a_word_about_consent_counts(granted: bool, imported: bool, minutes: int, counts_from: int):
    world = shop()
    ada = world.customer("ada")
    world.advance(hours=2)
    word = {"purpose": "marketing", "channel": "email", "granted": granted}
    at_ms = world.now_ms + minutes * MINUTE
    world.engine.ask(ada.event("Consent Updated", properties=word, at_ms=at_ms, imported=imported))
    assert [record.at_ms for record in ada.profile.consent] == [world.now_ms + counts_from * MINUTE]


CLICK = {"wait_for": {"event": "Clicked", "timeout": "2h", "on_timeout": "exit"}}
RESET = {"wait": {"for": "1h", "reset_on": ["Seen"]}}


def text(name: str, **options: Any) -> dict[str, Any]:
    return {"send": {"action": name, "channel": "sms", **options}}


def way(*steps: dict[str, Any], name: str = "way", tier: str = "lifecycle", **changes: Any) -> dict[str, Any]:
    return {"id": name, "tier": tier, "trigger": {"event": "Started"}, "steps": list(steps), **changes}


def walked_document(*journeys: dict[str, Any], **policies: Any) -> dict[str, Any]:
    texts = [action(name, tier="service", purpose="service", channels=["sms"]) for name in ("first", "second")]
    texts.append(action("offer", purpose="service", channels=["sms"]))
    return document(actions=texts, journeys=list(journeys), policies=policies)


def event_at(name: str, at_ms: int) -> Event:
    return Event(kind="track", name=name, at_ms=at_ms, received_at_ms=at_ms, user_id="ada")


def walked(*journeys: dict[str, Any], **policies: Any) -> World:
    """Journeys that send texts which need neither consent nor an address."""
    return World(walked_document(*journeys, **policies))


def ago(world: World, customer: Customer, name: str, minutes: float = 0, **properties: Any) -> None:
    """An event that happened so many minutes ago."""
    customer.does(name, at_ms=int(world.now_ms - minutes * MINUTE), **properties)


@pytest.mark.parametrize("imported", [True, False])
@pytest.mark.parametrize(("name", "steps"), [("Clicked", (CLICK, text("first"))), ("Seen", (RESET, text("first")))])
@pytest.mark.parametrize("minutes", [365 * 24 * 60, 31, 29])
def test_19_what_is_older_than_a_step_answers_and_resets_nothing(
    name: str, steps: tuple[dict[str, Any], ...], imported: bool, minutes: int
):
    world = walked(way(*steps))
    ada = world.customer("ada")
    ada.does("Started")
    due_ms = ada.run("way").due_ms
    world.advance(minutes=30)
    world.engine.ask(ada.event(name, at_ms=world.now_ms - minutes * MINUTE, imported=imported))
    if minutes > 30:
        assert (ada.run("way").due_ms, ada.sends) == (due_ms, [])
    elif name == "Seen":
        assert ada.run("way").due_ms == world.now_ms + HOUR
    else:
        world.settle()
        assert ada.sends == ["first"]


def test_20_a_step_begins_with_the_event_that_brought_the_run_there():
    world = walked(way(CLICK, text("first")))
    ada = world.customer("ada")
    ago(world, ada, "Started", 60)
    ago(world, ada, "Clicked", 61)
    assert ada.run("way").state == "active"
    ago(world, ada, "Clicked", 54)
    world.settle()
    assert ada.sends == ["first"], "both lay on a phone that was offline"


@pytest.mark.parametrize(("minutes", "sends"), [(54, ["first"]), (0, ["first", "second"])])
def test_20_a_step_behind_a_message_begins_when_it_was_sent(minutes: int, sends: list[str]):
    world = walked(way(text("first"), CLICK, text("second")))
    ada = world.customer("ada")
    ago(world, ada, "Started", 60)
    ago(world, ada, "Clicked", minutes)
    world.settle()
    assert sorted(ada.sends) == sends


@pytest.mark.parametrize(("minutes", "sends"), [(11, []), (9, ["first"])])
def test_20_a_step_behind_a_timer_begins_when_it_fired(minutes: int, sends: list[str]):
    world = walked(way({"wait": {"for": "1h"}}, CLICK, text("first")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(minutes=70)
    ago(world, ada, "Clicked", minutes)
    world.settle()
    assert ada.sends == sends


def test_20_a_wait_that_starts_anew_begins_with_the_event_that_did_so():
    world = walked(way(RESET, text("first")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(minutes=50)
    ago(world, ada, "Seen", 10)
    due_ms = ada.run("way").due_ms
    world.advance(minutes=5)
    ago(world, ada, "Seen", 16)
    assert ada.run("way").due_ms == due_ms == world.now_ms + 55 * MINUTE


@pytest.mark.parametrize(("minutes", "sends"), [(61, ["first"]), (60, ["first"]), (59, [])])
def test_21_what_happened_after_the_time_out_does_not_count_though_its_timer_is_late(minutes: int, sends: list[str]):
    catalog = compiled(walked_document(way(CLICK, text("first"))))
    ada, started = Profile("a" * 32), START_MS
    handle(ada, event_at("Started", started), catalog, started)
    now_ms = started + 3 * HOUR  # the engine was down when the time was up
    handle(ada, event_at("Clicked", now_ms - minutes * MINUTE), catalog, now_ms)
    assert [send.action for send in ada.sends] == sends
    handle(ada, TimersDue(at_ms=started + 2 * HOUR), catalog, now_ms)
    assert [(run.state, run.ended_by) for run in ada.runs] == [("completed", "end")]
    assert [send.action for send in ada.sends] == sends


@pytest.mark.parametrize(("minutes", "is_reset"), [(121, True), (119, False)])
def test_21_nor_does_it_start_a_wait_anew(minutes: int, is_reset: bool):
    catalog = compiled(walked_document(way(RESET, text("first"))))
    ada, started = Profile("a" * 32), START_MS
    handle(ada, event_at("Started", started), catalog, started)
    now_ms = started + 3 * HOUR
    handle(ada, event_at("Seen", now_ms - minutes * MINUTE), catalog, now_ms)
    assert (ada.runs[0].due_ms == now_ms + HOUR) == is_reset


def test_21_a_clock_that_runs_ahead_misses_no_time_out():
    world = walked(way({"wait_for": {"event": "Clicked", "timeout": "2m", "on_timeout": "exit"}}, text("first")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(minutes=1)
    world.engine.ask(ada.event("Clicked", at_ms=world.now_ms + 5 * MINUTE))
    world.settle()
    assert ada.sends == ["first"], "it was heard in time, so it happened in time"


@pytest.mark.parametrize(("minutes", "sends"), [(61, []), (59, ["first"])])
def test_22_what_was_told_before_the_trigger_counts_where_it_happened_after_it(minutes: int, sends: list[str]):
    world = walked(way(CLICK, text("first")))
    ada = world.customer("ada")
    ago(world, ada, "Clicked", minutes)
    ago(world, ada, "Started", 60)
    world.settle()
    assert ada.sends == sends


def test_22_one_event_answers_one_of_two_waits_for_it():
    world = walked(way(CLICK, text("first"), CLICK, text("second")))
    ada = world.customer("ada")
    ago(world, ada, "Started", 60)
    ago(world, ada, "Clicked", 50)
    assert ada.run("way").state == "active"
    ago(world, ada, "Clicked")
    world.settle()
    assert ada.sends == ["first", "second"]


@pytest.mark.parametrize(("name", "step"), [("Clicked", CLICK), ("Seen", RESET)])
@pytest.mark.parametrize("minutes", [61, 10])
def test_22_what_a_profile_was_told_that_is_linked_later_counts_too(name: str, step: dict[str, Any], minutes: int):
    world = walked(way(step, text("first")))
    ada, phone = world.customer("ada"), world.customer(anonymous="phone")
    ago(world, phone, name, -30 + minutes)
    world.advance(minutes=30)
    ada.does("Started")
    due_ms = ada.run("way").due_ms
    world.advance(minutes=30)
    if minutes == 10:
        ago(world, phone, name, 10)
    world.customer("ada", anonymous="phone").does("Page Viewed")
    world.settle()
    if minutes == 61:
        assert (ada.run("way").due_ms, ada.sends) == (due_ms, [])
    else:
        assert ada.sends == ["first"] if name == "Clicked" else ada.run("way").due_ms > due_ms


@pytest.mark.parametrize("is_linked", [True, False])
@pytest.mark.parametrize(("name", "step"), [("Clicked", CLICK), ("Seen", RESET)])
def test_22_but_not_what_was_heard_before_it_by_a_clock_that_runs_ahead(
    name: str, step: dict[str, Any], is_linked: bool
):
    world = walked(way(step, text("first")))
    ada, phone = world.customer("ada"), world.customer(anonymous="phone")
    ahead(phone if is_linked else ada, name, 4)
    world.advance(minutes=2)
    ada.does("Started")
    due_ms = ada.run("way").due_ms
    world.advance(minutes=10)
    world.customer("ada", anonymous="phone").does("Page Viewed")
    world.settle()
    assert (ada.run("way").due_ms, ada.sends) == (due_ms, [])


def test_23_a_wait_that_starts_anew_is_counted_from_when_that_was_heard():
    world = walked(way(RESET, text("first")))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(minutes=50)
    ago(world, ada, "Seen", 45)
    assert ada.run("way").due_ms == world.now_ms + HOUR


def test_24_no_run_goes_back():
    world = walked(way({"wait_for": {"event": "Clicked", "timeout": "1h"}}, text("first"), {"wait": {"for": "1h"}}))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(minutes=70)
    position = ada.run("way").position
    ago(world, ada, "Clicked", 30)
    assert ada.run("way").position == position and ada.sends == ["first"]


CARTS = [("c1", ["c2"]), (" c1 ", ["c2"]), (None, []), ("", []), ("undefined", []), ({}, []), ("other", ["c1", "c2"])]


@pytest.mark.parametrize(("cart", "left"), CARTS)
def test_25_a_journeys_own_stop_is_about_the_runs_of_its_key(cart: Any, left: list[str]):
    stops = [{"id": "cleared", "on": "Cart Cleared"}]
    world = walked(way({"wait": {"for": "1h"}}, text("first"), key="cart_id", stops=stops))
    ada = world.customer("ada")
    for each in ("c1", "c2"):
        ada.does("Started", cart_id=each)
    ada.does("Cart Cleared", cart_id=cart)
    assert [run.key for run in ada.profile.runs if run.state == "active"] == left


@pytest.mark.parametrize(("cart", "left"), CARTS)
def test_25_so_is_what_it_waits_for(cart: Any, left: list[str]):
    world = walked(way(CLICK, text("first"), key="cart_id"))
    ada = world.customer("ada")
    for each in ("c1", "c2"):
        ada.does("Started", cart_id=each)
    ada.does("Clicked", cart_id=cart)
    assert [run.key for run in ada.profile.runs if run.state == "active"] == left


@pytest.mark.parametrize("cart", ["c1", None, "other"])
def test_25_a_global_stop_is_about_all(cart: Any):
    world = walked(way({"wait": {"for": "1h"}}, key="cart_id"), stops=[{"id": "bought", "on": "Order Completed"}])
    ada = world.customer("ada")
    for each in ("c1", "c2"):
        ada.does("Started", cart_id=each)
    ada.does("Order Completed", cart_id=cart)
    assert {run.ended_by for run in ada.profile.runs} == {"stop.bought"}


@pytest.mark.parametrize(
    ("one", "other"), [(17, "17"), (17.0, 17), ("17", 17.0), (True, "true"), ("x" * 9_000, "x" * 9_000), ([17, 18], 18)]
)
def test_25_keys_are_compared_as_text(one: Any, other: Any):
    stops = [{"id": "cleared", "on": "Cart Cleared"}]
    world = walked(way({"wait": {"for": "1h"}}, key="cart_id", stops=stops))
    ada = world.customer("ada")
    ada.does("Started", cart_id=other)
    assert len(ada.run("way").key) < 200
    ada.does("Cart Cleared", cart_id=one)
    assert ada.run("way").ended_by == "stop.cleared"


def test_25_a_run_without_a_key_hears_everything():
    stops = [{"id": "cleared", "on": "Cart Cleared"}]
    world = walked(way({"wait": {"for": "1h"}}, key="cart_id", stops=stops))
    ada = world.customer("ada")
    ada.does("Started")
    ada.does("Cart Cleared", cart_id="c1")
    assert ada.run("way").ended_by == "stop.cleared"


def test_25_what_stopped_before_the_trigger_was_told_is_about_its_key_too():
    stops = [{"id": "cleared", "on": "Cart Cleared"}]
    world = walked(way({"wait": {"for": "1h"}}, key="cart_id", stops=stops))
    ada = world.customer("ada")
    ago(world, ada, "Cart Cleared", 1, cart_id="c1")
    for each in ("c1", "c2"):
        ago(world, ada, "Started", 2, cart_id=each)
    assert [run.key for run in ada.profile.runs] == ["c2"]


@pytest.mark.parametrize(("hours", "runs"), [(23, 1), (25, 2)])
def test_26_re_entry_goes_by_the_clock(hours: int, runs: int):
    world = walked(way(text("first"), re_entry={"after": "1d"}))
    ada = world.customer("ada")
    ada.does("Started")
    world.advance(hours=hours)
    ago(world, ada, "Started", 12 * 60)
    assert len(ada.profile.runs) == runs


def test_27_a_condition_is_asked_as_of_the_clock_of_its_turn():
    lately = {"event": {"name": "Seen", "within": "1h"}}
    world = walked(way(text("first"), when=lately), way(text("second"), name="other", when={"not": lately}))
    ada = world.customer("ada")
    ada.does("Seen")
    ago(world, ada, "Started", 120)
    world.settle()
    assert ada.sends == ["first"]


@pytest.mark.parametrize(("minutes", "sends"), [(61, ["offer"]), (59, [])])
@pytest.mark.parametrize("is_first", [True, False])
def test_28_a_stop_of_a_tier_covers_its_sends_in_whatever_journey(minutes: int, sends: list[str], is_first: bool):
    stop = {"id": "purchase", "on": "Order Completed", "tier": "promotional"}
    world = walked(way(text("offer"), {"wait": {"for": "1h"}}), stops=[stop])
    ada = world.customer("ada")
    events = [("Order Completed", minutes), ("Started", 60)]
    for name, ago_minutes in events if is_first else reversed(events):
        ago(world, ada, name, ago_minutes)
    world.settle()
    assert ada.sends == sends
    assert ada.run("way").state == "active", "the journey is of another tier"
