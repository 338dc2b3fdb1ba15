"""The same history gives the same sends and equal timelines: in other batches, on other shard counts, in one process.

Over HTTP it goes through `/v1/import` and `/v1/clock`, as `segue replay` does; in process through the engine that
`segue simulate` runs on (Invariant 9).
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support.running import ROOT, Engine, MailServer, write_catalog

from actors.catalog_files import config_files
from actors.replay_clock.in_process import LocalEngine
from actors.shard.queries import queries
from engine import seeds
from engine.handoffs.touchpoints import kinds_of
from engine.seeds import FIXED_KEY
from engine.values.times import read_ms
from engine.vocabulary import ARRIVED
from loadtest.world import shop_world
from serve.ingest import segment_format

DATA = ROOT.parent / "shared" / "data"
SLICE_LINES = 2_000

# Beside what is shipped: offers and bare carts on a channel that needs neither address nor consent, so that history
# without addresses sends something. A cart of the shop world has a value, so it is reminded of as shipped.
ADDED_CAP = "  - {id: offers, limit: 2, per: 14d, match: {action: history_offer}}\n"
ADDED = {
    "actions/history_offer.yaml": """
id: history_offer
tier: lifecycle
purpose: service
channels: [push]
variants:
  - id: a
    push: {text: An offer}
""",
    "actions/history_cart.yaml": """
id: history_cart
tier: promotional
purpose: service
channels: [push]
variants:
  - id: a
    push: {text: Your cart}
""",
    "journeys/history_offers.yaml": """
id: history_offers
tier: lifecycle
trigger: {event: Offer Received}
re_entry: {after: 0s, concurrent: 100}
steps:
  - send: {action: history_offer, channel: push}
""",
    "journeys/history_carts.yaml": """
id: history_carts
tier: promotional
trigger: {event: Product Added, where: {value: {exists: false}}}
steps:
  - wait: {for: 1h, reset_on: [Product Added]}
  - send: {action: history_cart, channel: push}
""",
}


@dataclass(frozen=True)
class Outcome:
    """What a history came to: the timelines by profile, and the engine's own counts by outcome."""

    timelines: dict[str, list[dict[str, Any]]]
    counts: dict[str, int]
    pending_timers: int

    @property
    def sent(self) -> dict[str, set[str]]:
        """The ids of what was sent, or simulated, by channel."""
        found: dict[str, set[str]] = {}
        for entry in self._sends():
            if entry["outcome"] in ARRIVED:
                found.setdefault(entry["channel"], set()).add(entry["detail"]["send"])
        return found

    def outcomes_of(self, action: str) -> Counter[str]:
        """What became of the sends of one action."""
        return Counter(entry["outcome"] for entry in self._sends() if entry["action"] == action)

    def _sends(self) -> Iterator[dict[str, Any]]:
        for entries in self.timelines.values():
            yield from (entry for entry in entries if entry["kind"] == "send")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped catalog, and what real history needs beside it."""
    directory = tmp_path_factory.mktemp("replay") / "configs"
    shutil.copytree(ROOT / "configs", directory)
    policies = (directory / "policies.yaml").read_text("utf-8").replace("caps:\n", "caps:\n" + ADDED_CAP)
    return write_catalog(directory, ADDED | {"policies.yaml": policies})


@pytest.fixture(scope="module")
def history() -> list[dict[str, Any]]:
    """Slices of real history where they are there (2013 to 2018), then a small seeded shop: 60 customers, 5 days."""
    real = [*_visitors_with_carts(), *_whole_members()]
    real.sort(key=lambda event: event["timestamp"])  # stable: order within an instant is that of the lines
    return [*real, *shop_world.generate(customers=60, days=5)]


@pytest.fixture(scope="module")
def in_process(config: Path, history: list[dict[str, Any]]) -> Outcome:
    """The history through the engine in this process, all at once."""
    return _in_process(config, history, shards=2)


@pytest.mark.parametrize(("shards", "batch", "moves_every"), [(3, 37, 5)])
def test_a_replay_over_http_comes_to_the_same_on_any_shards_and_in_any_batches(
    tmp_path: Path,
    config: Path,
    history: list[dict[str, Any]],
    in_process: Outcome,
    shards: int,
    batch: int,
    moves_every: int,
):
    with MailServer().open() as mailbox:
        engine = Engine(tmp_path, config=config, shards=shards, clock="replay", smtp_port=mailbox.port)
        try:
            engine.start()
            found = _over_http(engine, history, batch=batch, moves_every=moves_every)
        finally:
            engine.close()
    _assert_equal(found, in_process)
    mailed = Counter(mailbox.send_ids())
    assert set(mailed.values()) == {1}
    assert mailed.keys() == found.sent["email"]


def test_the_shop_was_sent_held_stopped_and_linked(in_process: Outcome):
    assert len(in_process.sent["email"]) > 20
    assert in_process.counts["held"] > 0 and in_process.counts["withdrawn"] > 0
    kinds = Counter(entry["kind"] for entries in in_process.timelines.values() for entry in entries)
    assert kinds["merge"] > 10 and kinds["stop"] > 0 and kinds["consent"] > 10


@pytest.mark.skipif(not (DATA / "clickstream").exists(), reason=f"no clickstream in {DATA}")
def test_real_carts_were_reminded_of_and_withdrawn(in_process: Outcome):
    outcomes = in_process.outcomes_of("history_cart")
    assert outcomes["sent"] + outcomes["simulated"] > 50 and outcomes["withdrawn"] > 5, outcomes


@pytest.mark.skipif(not (DATA / "starbucks").exists(), reason=f"no starbucks in {DATA}")
def test_real_offers_were_sent_and_held(in_process: Outcome):
    outcomes = in_process.outcomes_of("history_offer")
    assert outcomes["sent"] + outcomes["simulated"] > 100 and outcomes["held"] > 10, outcomes


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
    return Outcome(timelines, sends, moved["pendingTimers"])


def _in_process(config: Path, history: Sequence[dict[str, Any]], *, shards: int) -> Outcome:
    """All of it staged at once, and one move of the clock."""
    catalog = replace(config_files.load(config), id_key=FIXED_KEY)
    engine = LocalEngine(catalog, shards=shards)
    body = json.dumps({"batch": list(history)}).encode()
    parsed = segment_format.parse_body(
        body,
        None,
        source="server",
        channel="",
        received_at_ms=_ms(history[-1]),
        imported=True,
        rules=catalog.identity,
        touchpoints=kinds_of(catalog),
    )
    assert parsed.rejected == []
    engine.stage(parsed.events)
    moved = asyncio.run(engine.advance(_ms(history[-1]), drain=True))
    timelines: dict[str, list[dict[str, Any]]] = {}
    for namespace, value in _people(history):
        profile = engine.resolve(seeds.profile_id(FIXED_KEY, namespace, value))
        entries = queries.read(engine.shard(profile), "timeline", profile, 10_000)["entries"]
        timelines[profile] = _comparable(entries)
    counts: Counter[str] = Counter()
    for windows in engine.windows:
        counts.update(windows.shard.sends)
        assert windows.shard.scan("dead") == []
    return Outcome(timelines, dict(counts), moved["pendingTimers"])


def _people(history: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    """Everybody in the history: by their ids, and who has none by their address or their card."""
    return sorted({known for event in history for known in _names(event)})


def _names(event: dict[str, Any]) -> list[tuple[str, str]]:
    ids = [("user_id", event.get("userId")), ("anonymous_id", event.get("anonymousId"))]
    traits = event.get("traits") or event.get("context", {}).get("traits") or {}
    others = [("email", traits.get("email")), ("loyalty_id", event.get("properties", {}).get("card"))]
    return [(namespace, value) for namespace, value in ids if value] or [
        (namespace, value) for namespace, value in others if value
    ]


def _comparable(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the provider's own words, and the digests of a chain that holds them: no part of what equal means
    (`docs/design/virtual-time.md#what-equal-means`)."""
    kept = []
    for entry in entries:
        entry = dict(entry)
        if entry.get("outcome") in ARRIVED:
            entry.pop("reason", None)
        if entry["kind"] == "merge":
            entry["detail"] = {name: value for name, value in entry["detail"].items() if name != "audit"}
        kept.append(entry)
    return kept


def _ms(event: dict[str, Any]) -> int:
    found = read_ms(event["timestamp"], "timestamp")
    assert found is not None
    return found


# -- slices of real history


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    if file.exists():
        with gzip.open(file) as lines:
            yield from map(json.loads, lines)


def _visitors_with_carts() -> list[dict[str, Any]]:
    """Whole visitors of RetailRocket: those with a cart or an order, then others in order of appearance."""
    events = list(_lines(DATA / "clickstream" / "retailrocket.events.jsonl.gz"))
    busy = {event["anonymousId"] for event in events if event["event"] != "Product Viewed"}
    others = dict.fromkeys(event["anonymousId"] for event in events if event["anonymousId"] not in busy)
    chosen = busy | set(itertools.islice(others, 300))
    return [event for event in events if event["anonymousId"] in chosen][:SLICE_LINES]


def _whole_members() -> list[dict[str, Any]]:
    """Whole members of Starbucks, some in a hundred: ids are random, so their first letters are a fair draw."""
    members = (event for event in _lines(DATA / "starbucks" / "events.jsonl.gz") if event["userId"].startswith("00"))
    return list(itertools.islice(members, SLICE_LINES))
