"""Deterministic (Invariant 9): however history is cut into batches, on any number of shards, the same comes of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.world import HOUR, ID_KEY, START_MS, action, cart_journey, compiled, document

from actors.catalog_files import config_files
from actors.replay_clock.in_process import LocalEngine
from engine import audit, codec
from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.profile import Profile
from loadtest.world import shop_world
from serve.ingest import segment_format

CONFIGS = Path(__file__).resolve().parents[3] / "configs"


@dataclasses.dataclass
class Outcome:
    """All that must be equal: records by profile, timelines, and what left, by send."""

    records: dict[str, bytes]
    timelines: dict[str, list[Any]]
    sends: dict[str, Any]

    def entries(self, **fields: str) -> int:
        """How many timeline entries have these values."""
        every = (entry for timeline in self.timelines.values() for _, entry in timeline)
        return sum(all(getattr(entry, name) == value for name, value in fields.items()) for entry in every)


def play(catalog: Catalog, batches: Iterator[Sequence[Event]], shards: int) -> Outcome:
    """Batch after batch, the clock just before the next one, then to the end of everything."""
    sends: dict[str, Any] = {}

    def provider(message: dict[str, Any]) -> str:
        assert message["send"] not in sends, "never twice"
        sends[message["send"]] = {name: value for name, value in message.items() if name != "deadline_ms"}
        return "sent"

    engine = LocalEngine(catalog, shards=shards, provider=provider)

    async def feed() -> None:
        for number, batch in enumerate(batches):
            if number:
                await engine.advance(batch[0].at_ms - 1)
            engine.stage(batch)
        await engine.advance(0, drain=True)

    asyncio.run(feed())
    records, timelines = {}, {}
    for windows in engine.windows:
        assert not windows.shard.scan("dead") and not windows.shard.messages and not len(windows.shard.outbox)
        for profile in windows.shard.all_profiles():
            record = windows.shard.record(profile)
            assert record is not None
            records[profile] = codec.canonical(record)
            timelines[profile] = [(k, audit.open_entry(v)[1]) for k, v in windows.shard.records("audit", profile)]
            if isinstance(record, Profile):
                assert not record.moving_to and not record.absorbing, "every absorb has come to its end"
                again = windows.shard.load(profile)
                assert isinstance(again, Profile) and again.history == record.history, "memory and store agree"
    return Outcome(records, timelines, sends)


def cut(events: Sequence[Event], sizes: Sequence[int]) -> Iterator[Sequence[Event]]:
    """Batches of these sizes, again and again."""
    start = number = 0
    while start < len(events):
        size = sizes[number % len(sizes)]
        yield events[start : start + size]
        start, number = start + size, number + 1


def assert_equal(one: Outcome, other: Outcome) -> None:
    """Profile by profile first, because that is what one wants to read."""
    for profile, record in one.records.items():
        assert other.timelines.get(profile) == one.timelines[profile]
        assert other.records[profile] == record
    assert other.records.keys() == one.records.keys()
    assert other.sends == one.sends


@cache
def shop() -> tuple[Catalog, tuple[Event, ...], Outcome]:
    """A small shop world, through the shipped catalog, on one shard, in one batch."""
    catalog = dataclasses.replace(config_files.load(CONFIGS), id_key=ID_KEY)
    lines = [json.dumps(event) for event in shop_world.generate(customers=120, days=10)]
    body = f'{{"batch":[{",".join(lines)}]}}'.encode()
    parsed = segment_format.parse_body(
        body, None, source="s", channel="", received_at_ms=START_MS, imported=True, rules=catalog.identity
    )
    assert not parsed.rejected
    return catalog, tuple(parsed.events), play(catalog, iter([parsed.events]), 1)


@pytest.mark.parametrize(("sizes", "shards"), [([10_000], 2), ([100], 5), ([1, 7, 40], 2), ([3], 1)])
def test_a_shop_world_comes_to_the_same_in_other_batches_and_on_other_shards(sizes: list[int], shards: int):
    catalog, events, expected = shop()
    assert_equal(expected, play(catalog, cut(events, sizes), shards))


def test_the_world_that_is_compared_has_all_that_could_differ():
    _, _, outcome = shop()
    assert outcome.entries(kind="merge") > 20 and outcome.entries(kind="stop", outcome="stopped") > 20
    assert outcome.entries(kind="send", outcome="withdrawn") > 20 and outcome.entries(kind="consent") > 20
    assert len(outcome.sends) > 100


TINY = compiled(
    document(
        actions=[action("cart_reminder"), action("text", channels=["sms"], purpose="service")],
        journeys=[
            cart_journey(),
            cart_journey(
                id="text",
                key=None,
                steps=[
                    {"send": {"action": "text", "channel": "sms", "on_held": "wait"}},
                    {"wait_for": {"event": "Page Viewed", "timeout": "1h", "on_event": "exit"}},
                    {"send": {"action": "text", "channel": "sms", "on_held": "continue"}},
                ],
            ),
        ],
        consent={
            "purposes": {
                "marketing": {"channels": ["email", "sms"], "default": True},
                "service": {"channels": [], "default": True},
            },
            "events": ["Consent Updated"],
        },
        policies={
            "caps": [{"id": "one", "limit": 2, "per": "2h", "match": {"channel": ["email", "sms"]}}],
            "stops": [{"id": "purchase", "on": "Order Completed", "tier": "promotional"}],
        },
    )
)
WHO = st.sampled_from(
    [
        {"user_id": "ada"},
        {"user_id": "bob"},
        {"user_id": "eve"},
        {"anonymous_id": "laptop"},
        {"anonymous_id": "phone"},
        {"user_id": "ada", "anonymous_id": "laptop"},
        {"user_id": "bob", "anonymous_id": "laptop"},
        {"user_id": "bob", "anonymous_id": "phone"},
        {"user_id": "ada", "identifiers": (("email", "ada@example.com"),)},
        {"anonymous_id": "phone", "identifiers": (("email", "ada@example.com"),)},
    ]
)
WHAT = st.sampled_from(
    [
        {"name": "Product Added", "properties": {"cart_id": "c"}},
        {"name": "Product Added", "properties": {"cart_id": "d"}},
        {"name": "Order Completed"},
        {"name": "Page Viewed"},
        {"name": "Consent Updated", "properties": {"purpose": "marketing", "channel": "email", "granted": False}},
        {"name": "Aliased", "kind": "alias", "previous_id": "ada"},
        {"name": "Aliased", "kind": "alias", "previous_id": "bob"},
        {"name": "Aliased", "kind": "alias", "previous_id": "eve"},
    ]
)
PAUSE = st.sampled_from([0, 1, 9_999, 10_000, 10_001, 25_000, HOUR - 1, HOUR, HOUR + 1])
HISTORY = st.lists(st.tuples(WHO, WHAT, PAUSE), min_size=1, max_size=14)


FILLED = {"name": "Product Added", "properties": {"cart_id": "c"}}
LAPTOP = {"anonymous_id": "laptop"}


# What became of a mail went to the last of three that had used one laptop, and the mail had been taken over by another.
@example(
    [(LAPTOP, FILLED, 0), ({"user_id": "ada", **LAPTOP}, FILLED, 10_000), ({"user_id": "bob", **LAPTOP}, FILLED, 0)],
    [1],
    2,
)
# Three in a ring, and one more absorb that met a tombstone of it: two waited for ever, or a hand-over went round.
@example(
    [
        ({"user_id": "eve"}, {"name": "Aliased", "kind": "alias", "previous_id": "bob"}, 0),
        ({"user_id": "ada", **LAPTOP}, {"name": "Aliased", "kind": "alias", "previous_id": "eve"}, 10_000),
        ({"user_id": "bob", "anonymous_id": "phone"}, {"name": "Aliased", "kind": "alias", "previous_id": "ada"}, 0),
        ({"user_id": "ada", **LAPTOP}, {"name": "Page Viewed"}, 10_000),
        ({"anonymous_id": "phone"}, {"name": "Aliased", "kind": "alias", "previous_id": "ada"}, 0),
    ],
    [1],
    2,
)
@settings(max_examples=150, deadline=None)
@given(HISTORY, st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(2, 5))
def test_invariant_9_any_history_comes_to_the_same(history: list[tuple[Any, Any, int]], sizes: list[int], shards: int):
    events, at_ms = [], START_MS
    for number, (who, what, pause_ms) in enumerate(history):
        at_ms += pause_ms
        fields = {"kind": "track", "at_ms": at_ms, "received_at_ms": at_ms, "message_id": f"m{number}", **who, **what}
        events.append(Event(**fields))
    assert_equal(play(TINY, iter([events]), 1), play(TINY, cut(events, sizes), shards))
