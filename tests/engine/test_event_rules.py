"""`docs/event-rules.md`, a test for each of its sentences, by number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.world import DAY, HOUR, MINUTE, START_MS, World, action, cart_journey, document

from engine import turn
from engine.inputs import Event
from serve import segment_format

PAGE = Path(__file__).resolve().parents[2] / "docs" / "event-rules.md"
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
    assert numbers == [str(number) for number in range(1, 19)]
    assert sorted(map(int, tests)) == list(map(int, numbers))


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
