"""Real history, whole: the engine must come to the numbers that stand beside the data (`facts.json` there).

The files belong to nobody who could give them on, so they lie beside the checkout; without them these tests are
skipped.
"""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.world import compiled, document

from actors.catalog_files import event_files
from actors.replay_clock.in_process import LocalEngine
from engine.catalog.compiled import Catalog
from engine.effects import Answer, DropTimer, Effect, Enqueue, Note, SetTimer
from engine.inputs import Authorise, Event, Settle
from engine.profile import Profile
from engine.turn import handle
from serve.ingest import segment_format

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
STARBUCKS, CLICKS = DATA / "starbucks", DATA / "clickstream"
CHANNELS = ["web", "email", "push", "paid_social"]
CAPS = [(1, 7), (2, 7), (1, 14), (2, 14), (1, 21), (2, 21)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"the real histories are not at {DATA}"),
]


@pytest.fixture(autouse=True, scope="module")
def without_garbage_collection() -> Iterator[None]:
    """Half a million live objects, and no cycles among them: looking for some would take a quarter of the time."""
    gc.disable()
    yield
    loyalty_events.cache_clear()
    clickstream.cache_clear()
    gc.enable()


def events_of(path: Path) -> list[Event]:
    """A file's events, as an import would take them."""
    lines = list(event_files.read([path]))
    assert not any(line.problem for line in lines)
    events = []
    for start in range(0, len(lines), 5_000):
        body = b'{"batch":[' + b",".join(line.raw for line in lines[start : start + 5_000]) + b"]}"
        parsed = segment_format.parse_body(body, None, source="s", channel="", received_at_ms=0, imported=True)
        assert not parsed.rejected
        events += parsed.events
    return events


def facts_of(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


# -- Starbucks: six caps on 76,277 real offers


@cache
def loyalty_events() -> list[Event]:
    events = events_of(STARBUCKS / "events.jsonl.gz")
    assert len(events) == facts_of(STARBUCKS / "facts.json")["events"] == 323_534
    return events


def loyalty(limit: int, days: int) -> Catalog:
    """The ten offers as actions, each sent by a journey when the history says that it was received."""
    files: dict[str, Any] = {
        "channels.yaml": {"channels": [{"id": channel, "provider": "sandbox"} for channel in CHANNELS]},
        "consent.yaml": {"purposes": {"marketing": {"channels": CHANNELS, "default": True}}},
        "policies.yaml": {"caps": [{"id": "cap", "limit": limit, "per": f"{days}d", "match": {"tier": "promotional"}}]},
    }
    for offer in json.loads((STARBUCKS / "offers.json").read_text()):
        name = offer["actionId"]
        files[f"actions/{name}.yaml"] = {
            "id": name,
            "tier": "promotional",
            "purpose": "marketing",
            "channels": offer["channels"],
            "value": offer["reward"],
            "variants": [
                {"id": "a"} | {channel: {"content": {"title": offer["name"]}} for channel in offer["channels"]}
            ],
        }
        files[f"journeys/{name}.yaml"] = {
            "id": f"send_{name}",
            "tier": "promotional",
            "trigger": {"event": "Offer Received", "where": {"offer_id": name}},
            "steps": [{"send": {"action": name, "channel": offer["channels"][-1]}}],
        }
    return compiled(files)


def expected(limit: int, days: int) -> Counter[str]:
    caps = facts_of(STARBUCKS / "facts.json")["frequency_caps"]
    name = f"cap_{limit}_per_{days}d"
    return +Counter({"simulated": caps[f"{name}_kept"], "held": caps[f"{name}_held"]})


def test_starbucks_through_a_whole_engine():
    found: Counter[str] = Counter()

    def observe(profile: str, now_ms: int, effects: list[Effect]) -> None:
        found.update(e.entry.outcome for e in effects if isinstance(e, Note) and e.entry.kind == "send")

    engine = LocalEngine(loyalty(1, 7), observer=observe)
    engine.stage(loyalty_events())
    asyncio.run(engine.advance(loyalty_events()[-1].at_ms, drain=True))
    sends = expected(1, 7)
    assert found == sends | Counter(decided=sends["simulated"])
    shard = engine.windows[0].shard
    assert (shard.counts["accepted"], shard.profiles) == (323_534, 17_000)
    assert {outcome: count for outcome, count in shard.sends.items() if count} == sends


def sends_of(catalog: Catalog, history: list[Event], profile: Profile) -> Counter[str]:
    """One customer's whole history, each decided send handed over at once."""
    found: Counter[str] = Counter()
    for event in history:
        for effect in handle(profile, event, catalog, event.at_ms):
            if isinstance(effect, Note) and effect.entry.outcome == "held":
                found["held"] += 1
            elif isinstance(effect, Enqueue):
                said = handle(profile, Authorise(send_id=effect.send, dispatcher="d"), catalog, event.at_ms)
                assert [e.value["authorised"] for e in said if isinstance(e, Answer)] == [True]
                handle(profile, Settle(send_id=effect.send, outcome="simulated"), catalog, event.at_ms)
                found["simulated"] += 1
    return found


@pytest.mark.parametrize(("limit", "days"), CAPS[1:])
def test_starbucks_turn_by_turn(limit: int, days: int):
    catalog = loyalty(limit, days)
    histories: defaultdict[str, list[Event]] = defaultdict(list)
    for event in loyalty_events():
        if event.name == "Offer Received":  # nothing else of it sends; the test above takes everything
            histories[event.user_id].append(event)
    found: Counter[str] = Counter()
    for number, history in enumerate(histories.values()):
        found += sends_of(catalog, history, Profile(f"{number:030x}"))
    assert found == expected(limit, days)


# -- clickstreams: an abandonment timer that resets and is cancelled


def clicks(wait: str, trigger: str, cancelled_by: list[str]) -> Catalog:
    """One timer a customer: `trigger` sets and resets it, `cancelled_by` end it."""
    journey = {
        "id": "abandoned",
        "tier": "promotional",
        "trigger": {"event": trigger},
        "stops": [{"id": f"s{number}", "on": event} for number, event in enumerate(cancelled_by)],
        "steps": [{"wait": {"for": wait, "reset_on": [trigger]}}],
    }
    return compiled(document(journeys=[journey]))


@cache
def clickstream(name: str) -> list[Event]:
    return events_of(CLICKS / f"{name}.events.jsonl.gz")


KINDS = {
    "abandoned_cart_timer": ("Product Added", ["Order Completed"]),
    "abandoned_browse_timer": ("Product Viewed", ["Product Added", "Order Completed"]),
}


def timer_counts(catalog: Catalog, events: list[Event]) -> Counter[str]:
    """(fired, cancelled, reset) over a whole file, to the end of the last timer."""
    found: Counter[str] = Counter()

    def observe(profile: str, now_ms: int, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, DropTimer):
                assert effect.cause != "fired" or now_ms == effect.due_ms, "never early, never late"
                found[effect.cause] += 1
            elif isinstance(effect, SetTimer):
                found["set"] += effect.cause == "set"

    engine = LocalEngine(catalog, observer=observe)
    engine.stage(events)
    assert asyncio.run(engine.advance(events[-1].at_ms, drain=True))["pendingTimers"] == 0
    assert found.pop("set") == found["fired"] + found["cancelled"]
    return found


@pytest.mark.parametrize("wait", ["30min", "1h", "4h", "24h"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["retailrocket", "taobao"])
def test_clickstream_timers(name: str, kind: str, wait: str):
    facts = facts_of(CLICKS / f"{name}.facts.json")[kind]
    if wait not in facts:
        pytest.skip("no fact about this one")
    catalog = clicks(wait.replace("min", "m"), *KINDS[kind])
    assert timer_counts(catalog, clickstream(name)) == facts[wait]
