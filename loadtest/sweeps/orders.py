"""A sweep of `make prove`: the same people, joined in many orders on one and on four shards, come to the same end.

Each person has five identifiers, which a random tree of events names in pairs, all of them at one instant: so profiles
ask each other from both ends, in chains, rings and crossings. Whatever the order, every identifier leads to one
profile, which is the same one, and every event stands there once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

from actors.replay_clock.in_process import LocalEngine
from actors.shard.shard import Shard
from engine.catalog.compile import compile_document
from engine.catalog.compiled import Catalog
from engine.inputs import Event
from engine.profile import Profile
from engine.seeds import profile_id
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.world.bench_catalog import ID_KEY
from loadtest.world.shop_world import START_MS

SEEDS: Final = 1_000
_PEOPLE: Final = 5
_NAMESPACES: Final = ("user_id", "loyalty_id", "email", "phone", "anonymous_id")
_SETTLED_MS: Final = 300_000
_FAULTS_MAX: Final = 20

Names = list[tuple[str, str]]


def sweep(size: int, folder: Path) -> Outcome:
    """Play so many worlds, each in three orders."""
    catalog, faults, merges = small_catalog(), [], 0
    for seed in range(size):
        found, count = play(catalog, seed)
        faults += [f"seed {seed}: {fault}" for fault in found]
        merges += count
        if len(faults) > _FAULTS_MAX:
            break
    return Outcome([Figure("worlds, three orders each", size), Figure("merges", merges)], faults)


def play(catalog: Catalog, seed: int) -> tuple[list[str], int]:
    """The faults of one world, and how many merges it took."""
    random = Random(f"orders/{seed}")
    people = [_names(f"{seed}-{number}", number) for number in range(_PEOPLE)]
    told = [event for number, names in enumerate(people) for event in _tree(random, names, number)]
    faults: list[str] = []
    ends: list[list[str]] = []
    merges = 0
    for shards in (1, 4, 4):
        random.shuffle(told)
        engine = LocalEngine(catalog, shards=shards)
        engine.stage(told)
        asyncio.run(engine.advance(START_MS + _SETTLED_MS))
        merges += sum(windows.shard.resolved["merges"] for windows in engine.windows)
        homes = [_home(engine, names, faults) for names in people]
        if len(set(homes)) != len(people):
            faults.append("two people are one profile")
        for number, home in enumerate(homes):
            _account(engine, home, number, told, faults)
        ends.append(homes)
    if ends[0] != ends[1] or ends[1] != ends[2]:
        faults.append(f"the order decides who stays: {ends}")
    return faults, merges


def _names(person: str, number: int) -> Names:
    values = (person, f"L{person}", f"{person}@shop.example", f"+1201555{1000 + number}", f"d-{person}")
    return list(zip(_NAMESPACES, values, strict=True))


def _tree(random: Random, names: Names, person: int) -> list[Event]:
    """Events that name two identifiers each, so that all hang together; a device is named beside the user id alone,
    because a second known person who names it would make it a shared one."""
    certain = names[:-1]
    random.shuffle(certain)
    pairs = [(certain[at], random.choice(certain[:at])) for at in range(1, len(certain))]
    pairs += [(names[0], names[-1]), *(tuple(random.sample(certain, 2)) for _ in range(2))]
    return [event(pair, f"{person}-{number}") for number, pair in enumerate(pairs)]


def event(names: Sequence[tuple[str, str]], message: str, at_ms: int = START_MS) -> Event:
    """An event of a server's key that names somebody by all of these."""
    own = {namespace: value for namespace, value in reversed(names) if namespace in ("user_id", "anonymous_id")}
    return Event(
        kind="track",
        name="Seen",
        at_ms=at_ms,
        received_at_ms=at_ms,
        source="server",
        channel="web",
        message_id=message,
        identifiers=tuple(each for each in names if own.get(each[0]) != each[1]),
        **own,
    )


def _home(engine: LocalEngine, names: Names, faults: list[str]) -> str:
    homes = {engine.resolve(profile_id(ID_KEY, namespace, value)) for namespace, value in names}
    if len(homes) > 1:
        faults.append(f"{names[0][1]} is {len(homes)} profiles")
    return min(homes)


def _account(engine: LocalEngine, home: str, person: int, told: list[Event], faults: list[str]) -> None:
    shard = engine.shard(home)
    record = shard.record(home)
    if not isinstance(record, Profile):
        faults.append(f"person {person} leads nowhere")
        return
    seen = sorted(messages_of(shard, home))
    wanted = sorted(event.message_id for event in told if event.message_id.startswith(f"{person}-"))
    if seen != wanted:
        faults.append(f"person {person} has {len(seen)} events and not {len(wanted)}")


def messages_of(shard: Shard, profile: str) -> list[str]:
    """The message ids of all events of a profile; none where nobody lives there."""
    record = shard.record(profile)
    if not isinstance(record, Profile):
        return []
    return [happened.message_id for happened in [*record.history, *shard.older(profile)]]


def small_catalog() -> Catalog:
    """A catalog without journeys: who is who is all that matters."""
    plain = {
        "channels.yaml": {"channels": [{"id": "web", "provider": "none"}]},
        "consent.yaml": {"purposes": {"service": {"channels": [], "default": True}}},
    }
    return dataclasses.replace(compile_document(plain), id_key=ID_KEY)
