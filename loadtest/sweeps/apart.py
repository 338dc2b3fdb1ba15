"""A sweep of `make prove`: people are joined and taken apart at random, over four shards in one process.

Each world has three people under six identifiers each. Events name one to three of them, and some merges are undone on
the way. At the end each event stands in exactly one profile, which its person's identifiers lead to; no message goes
round, nobody waits for anybody, nothing was set aside, and every audit chain has all its entries.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final

from actors.replay_clock.in_process import LocalEngine
from actors.shard.shard import Shard
from engine.catalog.compiled import Catalog
from engine.errors import SegueError
from engine.inputs import Event, Split
from engine.profile import Profile
from engine.seeds import profile_id
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.sweeps import orders
from loadtest.world.bench_catalog import ID_KEY
from loadtest.world.shop_world import START_MS

SEEDS: Final = 1_000
_PEOPLE: Final = 3
_ROUNDS: Final = 14
_SPLITS: Final = 0.3
_SHARDS: Final = 4
_SETTLED_MS: Final = 600_000
_FAULTS_MAX: Final = 20

Names = list[tuple[str, str]]


def sweep(size: int, folder: Path) -> Outcome:
    """Play so many worlds."""
    catalog, faults, splits, events = orders.small_catalog(), [], 0, 0
    for seed in range(size):
        world = play(catalog, seed)
        faults += [f"seed {seed}: {fault}" for fault in world.faults()]
        splits += world.splits
        events += sum(map(len, world.told.values()))
        if len(faults) > _FAULTS_MAX:
            break
    return Outcome([Figure("worlds", size), Figure("events", events), Figure("merges undone", splits)], faults)


def play(catalog: Catalog, seed: int) -> World:
    """The world of a seed, at its end."""
    world = World(catalog, seed)
    world.play()
    return world


class World:
    """Three people, joined and taken apart."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self._random = Random(f"apart/{seed}")
        self._engine = LocalEngine(catalog, shards=_SHARDS)
        self.told: dict[str, list[str]] = {f"p{seed}-{number}": [] for number in range(_PEOPLE)}
        self.splits = 0

    def play(self) -> None:
        """Rounds of an event for each person, with splits in between."""
        now_ms = START_MS
        for number in range(_ROUNDS):
            self._engine.stage([self._event(person, number, now_ms) for person in self.told])
            now_ms += self._random.choice((1_000, 5_000, 20_000))
            asyncio.run(self._engine.advance(now_ms))
            for person in self.told:
                if self._random.random() < _SPLITS:
                    self._take_apart(person)
        asyncio.run(self._engine.advance(now_ms + _SETTLED_MS))

    def _event(self, person: str, number: int, at_ms: int) -> Event:
        names = self._random.sample(_names(person), self._random.choice((1, 2, 2, 3)))
        message = f"{person}-{number}"
        self.told[person].append(message)
        return orders.event(names, message, at_ms)

    def _take_apart(self, person: str) -> None:
        home = self._home(self._random.choice(_names(person)))
        record = self._engine.shard(home).record(home)
        open_merges = [past.id for past in record.ledger if not past.undone_ms] if isinstance(record, Profile) else []
        if open_merges:
            try:
                self._engine.ask_profile(home, Split(merge_id=open_merges[-1]))
                self.splits += 1
            except SegueError:
                pass  # another merge is under way, or this one cannot be undone: an answer, and no fault

    def _home(self, name: tuple[str, str]) -> str:
        return self._engine.resolve(profile_id(ID_KEY, *name))

    def faults(self) -> list[str]:
        """What is not as it must be."""
        found = [fault for person, told in self.told.items() for fault in self._of_person(person, told)]
        return found + [fault for windows in self._engine.windows for fault in of_shard(windows.shard)]

    def _of_person(self, person: str, told: list[str]) -> list[str]:
        seen = Counter[str]()
        for home in {self._home(name) for name in _names(person)}:
            seen.update(orders.messages_of(self._engine.shard(home), home))
        lost, more = Counter(told) - seen, seen - Counter(told)
        return [f"{person}: {sorted(which)[:3]} {what}" for what, which in (("lost", lost), ("more", more)) if which]


def of_shard(shard: Shard) -> list[str]:
    """What is not as it must be in a shard once all messages have arrived."""
    found = [f"{type(told).__name__} to {to} goes round" for to, told in shard.messages.values()]
    found += [f"set aside: {letter.reason}" for letter in shard.dead.all()]
    for place in shard.all_profiles():
        record = shard.record(place)
        if not isinstance(record, Profile):
            continue
        if record.moving_to or record.absorbing or record.parting:
            found.append(f"{place} waits")
        own = sum(key[:4] == bytes.fromhex(place[4:12]) for key, _ in shard.records("audit", place))
        if own != record.audit_seq:
            found.append(f"{place} has {own} of {record.audit_seq} audit entries")
    return found


def _names(person: str) -> Names:
    devices = [("anonymous_id", f"{person}-{number}") for number in range(3)]
    return [("user_id", person), ("email", f"{person}@shop.example"), ("loyalty_id", f"L-{person}"), *devices]
