"""A sweep of `make prove`: a weekly letter over a year and a half, to everybody in a file of purchases.

The file is made from a seed, in the shape of a shop's: most people buy once, few often, all begin within a quarter. A
journey writes to whoever has bought within half a year, each Monday at six in Berlin, which is night for many of them.
What goes out and what is held, when and why, must be what `loadtest.sweeps.weekly_oracle` reads off the file.
"""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import multiprocessing
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random
from typing import Any, Final

from actors.replay_clock.in_process import LocalEngine
from engine import audit
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.seeds import profile_id
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.sweeps import weekly_oracle
from loadtest.sweeps.weekly_oracle import CAP, FIRST, HOURS, IF_UNKNOWN, WEEKS, Row
from loadtest.world.bench_catalog import ID_KEY

CUSTOMERS: Final = 24_000
_AT_ONCE: Final = 250  # customers of one engine; they have nothing to do with each other
_PROCESSES: Final = 2
_FAULTS_MAX: Final = 20
_ZONES: Final = (
    *("Europe/Berlin",) * 6, "Europe/London", "America/New_York", "America/Los_Angeles", "America/Sao_Paulo",
    "Asia/Tokyo", "Asia/Kolkata", "Australia/Sydney", "", "",
)  # fmt: skip


def sweep(size: int, folder: Path) -> Outcome:
    """Play so many customers."""
    began_s = time.monotonic()
    file = folder / "purchases.csv"
    write(file, size, "weekly")
    slices = _sliced(read(file))
    with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
        played = pool.map(play, slices, chunksize=1)
    faults = [fault for each in played for fault in each[0]]
    sent, held = (sum(each[at] for each in played) for at in (1, 2))
    took_s = time.monotonic() - began_s
    return Outcome(
        [
            Figure("customers", size),
            Figure("Mondays", WEEKS),
            Figure("went out", sent),
            Figure("held", held),
            Figure("took", round(took_s), "s"),
        ],
        faults[:_FAULTS_MAX],
    )


def write(file: Path, customers: int, seed: str) -> None:
    """Make a file of purchases: customer, zone (empty: not known), UTC time in seconds."""
    random = Random(seed)
    with file.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(Row._fields)
        for number in range(customers):
            zone = random.choice(_ZONES)
            bought = random.uniform(0, 90)  # days since the beginning
            pause = random.expovariate(1 / 60) + 3
            while bought < WEEKS * 7:
                at = FIRST + timedelta(days=bought)
                lines.writerow((f"c{number:05}", zone, int(at.timestamp())))
                if random.random() < 0.34:  # gone for good
                    break
                bought += random.expovariate(1 / pause) + 0.01


def read(file: Path) -> list[Row]:
    """The rows of such a file."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [Row(row["customer"], row["zone"], int(row["at"])) for row in csv.DictReader(lines)]


def play(rows: list[Row]) -> tuple[list[str], int, int]:
    """The differences between what happens to the customers of these rows and what the file says; how many messages
    went out, and how often one was held."""
    engine = LocalEngine(catalog())
    engine.stage(map(_bought, rows, range(len(rows))))
    over = FIRST + timedelta(weeks=WEEKS, days=2)
    asyncio.run(engine.advance(int(over.timestamp()) * 1_000))
    faults, sent, held = [], 0, 0
    for customer, own in groupby(rows, key=lambda row: row.customer):
        wanted, (found, left, withdrawn) = weekly_oracle.told(list(own)), _told(engine, customer)
        faults += [f"{customer}: {each} is missing" for each in wanted if each not in found]
        faults += [f"{customer}: {each} should not be" for each in found if each not in wanted]
        decided = sum(reason == "" for _, reason in found) - withdrawn
        faults += [f"{customer}: {left} letters left of {decided}"] if left != decided else []
        sent, held = sent + left, held + len(found) - decided
    return faults, sent, held


def _sliced(rows: Iterable[Row]) -> list[list[Row]]:
    known = [list(own) for _, own in groupby(rows, key=lambda row: row.customer)]
    return [[row for own in known[at : at + _AT_ONCE] for row in own] for at in range(0, len(known), _AT_ONCE)]


def _bought(row: Row, number: int) -> Event:
    at_ms = row.at * 1_000
    return Event(
        kind="track",
        name="Order Completed",
        at_ms=at_ms,
        received_at_ms=at_ms,
        source="server",
        channel="web",
        message_id=f"{row.customer}-{number}",
        user_id=row.customer,
        context={"timezone": row.zone} if row.zone else {},
    )


def _told(engine: LocalEngine, customer: str) -> tuple[list[tuple[datetime, str]], int, int]:
    """When a letter was decided, held or withdrawn, and why; how many have left, and how many were withdrawn."""
    home = profile_id(ID_KEY, "user_id", customer)
    entries = [audit.open_entry(value)[1] for _, value in engine.shard(home).records("audit", home)]
    sends = [entry for entry in entries if entry.kind == "send"]
    told = [each for each in sends if each.outcome in ("decided", "held", "withdrawn")]
    left, withdrawn = (sum(each.outcome == outcome for each in sends) for outcome in ("simulated", "withdrawn"))
    return [(datetime.fromtimestamp(each.at_ms // 1_000, UTC), each.reason) for each in told], left, withdrawn


def catalog() -> Catalog:
    """The shop that writes each Monday."""
    letter = {"id": "letter", "tier": "promotional", "purpose": "marketing", "channels": ["sms"], "value": 1.0}
    schedule = {"cron": "0 6 * * MON", "zone": "workspace", "segment": "active"}
    journey: dict[str, Any] = {"id": "weekly", "tier": "promotional", "trigger": {"schedule": schedule}}
    plain = {
        "channels.yaml": {
            "channels": [{"id": "web", "provider": "none"}, {"id": "sms", "provider": "sandbox"}],
        },
        "consent.yaml": {"purposes": {"marketing": {"channels": ["sms"], "default": True}}},
        "segments.yaml": {"segments": {"active": {"event": {"name": "Order Completed", "within": "182d"}}}},
        "actions/letter.yaml": letter | {"variants": [{"id": "a", "sms": {"text": "Hello"}}]},
        "journeys/weekly.yaml": journey | {"steps": [{"send": {"action": "letter", "channel": "sms"}}]},
        "policies.yaml": {
            "workspace": {"zone": "Europe/Berlin", "country": "DE"},
            "caps": [{"id": "two", "limit": CAP, "per": "20d"}],
            "suppress": [{"id": "just_bought", "when": {"event": {"name": "Order Completed", "within": "7d"}}}],
            "quiet_hours": {
                "rules": [{"id": "night", "hours": HOURS, "holidays": "DE"}],
                "if_unknown": list(IF_UNKNOWN),
            },
        },
    }
    return dataclasses.replace(compile_document(plain), id_key=ID_KEY)
