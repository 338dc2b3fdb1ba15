"""The shop world: a synthetic shop, with invented customers, products and behaviour, in Segment's format.

It stands in for history that nobody may publish: no real person, address or purchase is in it, and no conclusion about
real customers follows from it. Everything is drawn from the seed, so equal arguments give equal bytes. The truth file
says what a customer would do if messaged; the engine never sees it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from loadtest.world.shop import PRODUCTS
from loadtest.world.shoppers import Shopper, Visitor, sample_visitor, shoppers
from loadtest.world.visits import Draft
from loadtest.world.walks import Calendar, walk
from loadtest.world.without_login import beside_the_walk

__all__ = ["PRODUCTS", "START_MS", "Visitor", "WorldFiles", "generate", "name_of", "sample_visitor", "truth", "write"]

START_MS = 1_772_409_600_000  # 2026-03-02T00:00:00Z; a default world contains the change to summer time

_REPEATED = 0.003
_DEVICE_TYPES = {"laptop": "desktop", "phone": "mobile", "tablet": "tablet", "app": "ios"}
_NAMES = {"page": "Page Viewed", "screen": "Screen Viewed", "identify": "Identified", "alias": "Aliased"}


@dataclass(frozen=True, slots=True)
class WorldFiles:
    """The files of a world. `facts` holds counts against which a run can be checked."""

    events: Path
    truth: Path
    facts: Path


def generate(
    *, customers: int = 3000, days: int = 30, seed: int = 7, start_ms: int = START_MS
) -> Iterator[dict[str, Any]]:
    """The world's events in order of (timestamp, generation), ready for JSON. Some come twice with one `messageId`."""
    calendar = Calendar(start_ms, days)
    people = shoppers(customers=customers, days=days, seed=seed)
    ways = (walk, beside_the_walk)
    drafts = [draft for shopper in people for way in ways for draft in way(shopper, calendar, seed=seed)]
    drafts = list(_with_repeats(drafts, seed))
    drafts.sort(key=lambda draft: draft.at_ms)
    return map(_as_segment, drafts)


def truth(
    *, customers: int = 3000, days: int = 30, seed: int = 7, start_ms: int = START_MS
) -> Iterator[dict[str, Any]]:
    """One line per customer: would their first abandoned cart be bought within 30 h, if they were messaged and if not?

    The events show the second answer (nobody was messaged): a "yes" may fall behind the end of the days.
    """
    del start_ms  # who people are does not depend on the date
    for shopper in shoppers(customers=customers, days=days, seed=seed):
        if shopper.user_id:
            yield _truth_of(shopper)


def write(
    directory: Path, *, customers: int = 3000, days: int = 30, seed: int = 7, start_ms: int = START_MS
) -> WorldFiles:
    """Write events, truth and facts into `directory`. Files of equal arguments and equal code are kept as they are."""
    files = WorldFiles(directory / "events.jsonl.gz", directory / "truth.jsonl.gz", directory / "facts.json")
    world: dict[str, int] = {"customers": customers, "days": days, "seed": seed, "start_ms": start_ms}
    parameters = world | {"generator": _generator_digest()}
    if _is_current(files, parameters):
        return files
    directory.mkdir(parents=True, exist_ok=True)
    facts = _Facts()
    _write_lines(files.events, facts.counting(generate(**world)))
    _write_lines(files.truth, truth(**world))
    # Last, because its presence says that the other two are complete.
    _write_whole(files.facts, json.dumps(facts.as_json(parameters), indent=2).encode() + b"\n")
    return files


def name_of(event: dict[str, Any]) -> str:
    """The name under which the engine files an event: its own for `track`, else the call's."""
    return event["event"] if event["type"] == "track" else _NAMES[event["type"]]


class _Facts:
    """Counts, taken while the events pass on their way to the file."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()
        self.by_channel: Counter[str] = Counter()
        self.messages: set[str] = set()
        self.users: set[str] = set()
        self.devices: set[str] = set()
        self.known_devices: set[str] = set()
        self.by_card = self.by_address = 0
        self.first = self.last = ""

    def counting(self, events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for event in events:
            self._count(event)
            yield event

    def _count(self, event: dict[str, Any]) -> None:
        self.by_name[name_of(event)] += 1
        self.by_channel[event["context"]["channel"]] += 1
        self.messages.add(event["messageId"])
        self.first = self.first or event["timestamp"]
        self.last = event["timestamp"]
        user, device = event.get("userId"), event.get("anonymousId") or event.get("previousId")
        self.by_card += not user and "card" in event.get("properties", ())
        self.by_address += not user and "traits" in event["context"]
        if user:
            self.users.add(user)
        if device:
            self.devices.add(device)
        if user and device:
            self.known_devices.add(device)

    def as_json(self, parameters: dict[str, Any]) -> dict[str, Any]:
        events = self.by_name.total()
        return {
            "synthetic": True,
            "parameters": parameters,
            "events": events,
            "repeats": events - len(self.messages),
            "customers": len(self.users),
            "anonymousIds": len(self.devices),
            "neverIdentified": len(self.devices - self.known_devices),
            "byCardAlone": self.by_card,
            "byAddressAlone": self.by_address,
            "first": self.first,
            "last": self.last,
            "byName": dict(sorted(self.by_name.items())),
            "byChannel": dict(sorted(self.by_channel.items())),
        }


def _with_repeats(drafts: list[Draft], seed: int) -> Iterator[Draft]:
    """A client that lost an answer sends the same event again, with the same id and time."""
    rng = Random(f"{seed}/repeats")
    for draft in drafts:
        yield draft
        if rng.random() < _REPEATED:
            yield draft


def _as_segment(draft: Draft) -> dict[str, Any]:
    event: dict[str, Any] = {
        "type": draft.kind,
        "messageId": draft.message_id,
        "timestamp": _iso(draft.at_ms),
        "context": _context(draft),
    }
    if draft.user_id:
        event["userId"] = draft.user_id
    if draft.device and draft.kind != "alias":
        event["anonymousId"] = draft.device.anonymous_id
    match draft.kind:
        case "track":
            return event | {"event": draft.name, "properties": draft.body}
        case "page" | "screen":
            return event | {"name": draft.name, "properties": draft.body}
        case "identify":
            return event | {"traits": draft.body}
        case _:
            return event | draft.body


def _context(draft: Draft) -> dict[str, Any]:
    context: dict[str, Any] = {"channel": draft.channel}
    if draft.device or draft.address:
        country = draft.shopper.country
        context |= {"timezone": country.zone, "locale": country.locale}
    if draft.address:
        context["traits"] = {"email": draft.address}
    if draft.device:
        context["device"] = {"type": _DEVICE_TYPES[draft.device.kind]}
    return context


def _iso(at_ms: int) -> str:
    seconds, ms = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def _truth_of(shopper: Shopper) -> dict[str, Any]:
    intent = shopper.intent
    return {
        "userId": shopper.user_id,
        "email": shopper.email,
        "ifMessaged": {"probability": intent.buys_if_messaged_probability, "buys": intent.buys_if_messaged},
        "ifNot": {"probability": intent.buys_if_not_probability, "buys": intent.buys_if_not},
    }


def _is_current(files: WorldFiles, parameters: dict[str, Any]) -> bool:
    if not (files.events.exists() and files.truth.exists() and files.facts.exists()):
        return False
    facts: dict[str, Any] = json.loads(files.facts.read_bytes())
    return bool(facts.get("parameters") == parameters)


@cache
def _generator_digest() -> str:
    """Names the code that a world came from, so that a change of it makes cached files stale."""
    modules = ("shop.py", "shoppers.py", "visits.py", "walks.py", "without_login.py", "shop_world.py")
    code = b"".join((Path(__file__).parent / module).read_bytes() for module in modules)
    return hashlib.blake2b(code, digest_size=8).hexdigest()


def _write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    packed = io.BytesIO()
    # No file name and no time in the gzip header: equal worlds are equal files.
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, compresslevel=6, mtime=0) as stream:
        for line in lines:
            stream.write(encode(line).encode() + b"\n")
    _write_whole(path, packed.getvalue())


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file in one step, so that two processes that write the same world at once do no harm."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)
