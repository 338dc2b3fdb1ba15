"""The same history gives the same sends and equal timelines: in other batches, on other shard counts, in one process.

Over HTTP it goes through `/v1/import` and `/v1/clock`, as `segue replay` does; in process through the engine that
`segue simulate` runs on (design §4a, Invariant 9).
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.running import ROOT, Engine, Mailbox, write_catalog

from actors import catalog_files, readings
from actors.local import LocalEngine
from engine import seeds
from engine.seeds import FIXED_KEY
from loadtest import world
from serve import segment_format

DATA = ROOT.parent / "shared" / "data"
SLICE_LINES = 2_000

# Offers and carts on a channel that needs no address, so that history without addresses sends something.
HISTORY = {
    "channels.yaml": "channels:\n  - {id: web, provider: none}\n  - {id: push, provider: sandbox}\n",
    "consent.yaml": "purposes:\n  marketing: {channels: [push], default: true}\n",
    "placements.yaml": "placements: []\n",
    "policies.yaml": """
caps:
  - {id: offers, limit: 2, per: 14d, match: {action: offer}}
stops:
  - {id: purchase, on: Order Completed, tier: promotional}
""",
    "actions/offer.yaml": """
id: offer
tier: lifecycle
purpose: marketing
channels: [push]
variants:
  - id: a
    push: {text: An offer}
""",
    "actions/cart.yaml": """
id: cart
tier: promotional
purpose: marketing
channels: [push]
variants:
  - id: a
    push: {text: Your cart}
""",
    "journeys/offers.yaml": """
id: offers
tier: lifecycle
trigger: {event: Offer Received}
re_entry: {after: 0s, concurrent: 100}
steps:
  - send: {action: offer, channel: push}
""",
    "journeys/carts.yaml": """
id: carts
tier: promotional
trigger: {event: Product Added}
steps:
  - wait: {for: 1h, reset_on: [Product Added]}
  - send: {action: cart, channel: push}
""",
}


@dataclass(frozen=True)
class Outcome:
    """What a history came to: the timelines by profile, the counts by outcome, and the send ids that were sent."""

    timelines: dict[str, list[dict[str, Any]]]
    counts: dict[str, int]
    sent: set[str]
    pending_timers: int


@pytest.fixture(scope="module")
def shop_history() -> list[dict[str, Any]]:
    """A small seeded shop: 60 customers, 5 days."""
    return list(world.generate(customers=60, days=5))


@pytest.fixture(scope="module")
def shop_in_process(shop_history: list[dict[str, Any]]) -> Outcome:
    """The shop's history through the engine in this process, all at once."""
    return _in_process(ROOT / "configs", shop_history, shards=2)


@pytest.mark.parametrize(("shards", "batch", "moves_every"), [(1, 250, 1), (3, 37, 5)])
def test_a_replay_over_http_comes_to_the_same_on_any_shards_and_in_any_batches(
    tmp_path: Path,
    shop_history: list[dict[str, Any]],
    shop_in_process: Outcome,
    shards: int,
    batch: int,
    moves_every: int,
):
    with Mailbox().open() as mailbox:
        engine = Engine(tmp_path, shards=shards, clock="replay", smtp_port=mailbox.port)
        try:
            engine.start()
            found = _over_http(engine, shop_history, batch=batch, moves_every=moves_every)
        finally:
            engine.close()
    _assert_equal(found, shop_in_process)
    mailed = Counter(mailbox.send_ids())
    assert set(mailed.values()) == {1}
    assert mailed.keys() <= found.sent  # the others went by text or push
    assert len(mailed) > 20 and found.counts["held"] > 0 and found.counts["withdrawn"] > 0


def test_real_history_through_http_sends_what_it_sends_in_process(tmp_path: Path):
    files = [DATA / "clickstream" / "retailrocket.events.jsonl.gz", DATA / "starbucks" / "events.jsonl.gz"]
    missing = [str(file) for file in files if not file.exists()]
    if missing:
        pytest.skip(f"not there: {', '.join(missing)}")
    history = [*_with_carts(files[0]), *_whole_members(files[1])]
    history.sort(key=lambda event: event["timestamp"])  # stable: order within an instant is that of the lines
    config = write_catalog(tmp_path / "configs", HISTORY)
    wanted = _in_process(config, history, shards=1)
    engine = Engine(tmp_path, config=config, clock="replay")
    try:
        engine.start()
        found = _over_http(engine, history, batch=400, moves_every=1)
    finally:
        engine.close()
    _assert_equal(found, wanted)
    actions = Counter(
        entry["action"] for entries in found.timelines.values() for entry in entries if entry.get("outcome") == "sent"
    )
    assert actions["offer"] > 100 and actions["cart"] > 50, actions
    assert found.counts["held"] > 10 and found.counts["withdrawn"] > 5, found.counts


def _assert_equal(found: Outcome, wanted: Outcome) -> None:
    assert found.timelines.keys() == wanted.timelines.keys()
    different = [profile for profile in wanted.timelines if found.timelines[profile] != wanted.timelines[profile]]
    if different:
        first = different[0]
        assert found.timelines[first] == wanted.timelines[first], f"and {len(different) - 1} more profiles"
    assert found.sent == wanted.sent
    assert found.counts == wanted.counts
    assert found.pending_timers == wanted.pending_timers == 0


# -- the two ways


def _over_http(engine: Engine, history: Sequence[dict[str, Any]], *, batch: int, moves_every: int) -> Outcome:
    """Batches in order of time; after every few, the clock follows up to just before the next event."""
    lots = [history[start : start + batch] for start in range(0, len(history), batch)]
    for number, (lot, following) in enumerate(itertools.zip_longest(lots, lots[1:])):
        engine.bring(lot)
        if following is not None and number % moves_every == 0:
            engine.move_clock(_ms(following[0]) - 1)
    moved = engine.move_clock(_ms(history[-1]), drain=True)
    timelines: dict[str, list[dict[str, Any]]] = {}
    for namespace, value in _people(history):
        entries = engine.read(f"/v1/profiles/{namespace}:{value}/timeline?limit=10000")
        timelines[entries["profileId"]] = _comparable(entries["entries"])
    sends = engine.status()["sends"]
    assert sends.pop("waiting") == 0
    return Outcome(timelines, sends, _sent(timelines), moved["pendingTimers"])


def _in_process(config: Path, history: Sequence[dict[str, Any]], *, shards: int) -> Outcome:
    """All of it staged at once, and one move of the clock."""
    catalog = replace(catalog_files.load(config), id_key=FIXED_KEY)
    engine = LocalEngine(catalog, shards=shards)
    body = json.dumps({"batch": list(history)}).encode()
    parsed = segment_format.parse_body(
        body, None, source="server", channel="", received_at_ms=_ms(history[-1]), imported=True
    )
    assert parsed.rejected == []
    engine.stage(parsed.events)
    moved = asyncio.run(engine.advance(_ms(history[-1]), drain=True))
    timelines: dict[str, list[dict[str, Any]]] = {}
    for namespace, value in _people(history):
        profile = engine.resolve(seeds.profile_id(FIXED_KEY, namespace, value))
        entries = readings.read(engine.shard(profile), "timeline", profile, 10_000)["entries"]
        timelines[profile] = _comparable(entries)
    counts: Counter[str] = Counter()
    for windows in engine.windows:
        counts.update(windows.shard.sends)
        assert windows.shard.scan("dead") == []
    return Outcome(timelines, dict(counts), _sent(timelines), moved["pendingTimers"])


def _people(history: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    names = (("user_id", "userId"), ("anonymous_id", "anonymousId"))
    found = {(namespace, event[field]) for event in history for namespace, field in names if event.get(field)}
    return sorted(found)


def _comparable(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the provider's own words, and the digests of a chain that holds them (design §4a: outside equality)."""
    kept = []
    for entry in entries:
        entry = dict(entry)
        if entry.get("outcome") == "sent":
            entry.pop("reason", None)
        if entry["kind"] == "merge":
            entry["detail"] = {name: value for name, value in entry["detail"].items() if name != "audit"}
        kept.append(entry)
    return kept


def _sent(timelines: dict[str, list[dict[str, Any]]]) -> set[str]:
    return {
        entry["detail"]["send"]
        for entries in timelines.values()
        for entry in entries
        if entry["kind"] == "send" and entry["outcome"] == "sent"
    }


def _ms(event: dict[str, Any]) -> int:
    found = segment_format.time_ms(event["timestamp"], "timestamp")
    assert found is not None
    return found


# -- slices of real history


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file) as lines:
        yield from map(json.loads, lines)


def _with_carts(file: Path) -> list[dict[str, Any]]:
    """Whole visitors: those with a cart or an order, then others in order of appearance."""
    events = list(_lines(file))
    busy = {event["anonymousId"] for event in events if event.get("event") != "Product Viewed"}
    others = dict.fromkeys(event["anonymousId"] for event in events)
    chosen = busy | set(itertools.islice((visitor for visitor in others if visitor not in busy), 300))
    return [event for event in events if event["anonymousId"] in chosen][:SLICE_LINES]


def _whole_members(file: Path) -> list[dict[str, Any]]:
    """Whole members, one in some hundred: their ids are hashes, so a first letter is a fair draw."""
    return [event for event in _lines(file) if event["userId"].startswith("00")][:SLICE_LINES]
