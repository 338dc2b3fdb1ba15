"""A sweep of `make prove`: two sources name people at random, and what they did is split, joined again, reverted and
erased, over three shards in one process.

A server key and a write key identify, track and alias four users with the same few devices, cards and mailboxes. At the
end a replay of the journals gives what is stored, the people of each shard are as many as it has counted, every place
leads to somebody who takes what comes there, no message goes round, nobody waits, and nothing was set aside.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

from actors.maintenance import verify_replay
from actors.replay_clock.in_process import LocalEngine
from actors.shard.shard import Shard
from engine.catalog.compiled import Catalog
from engine.errors import SegueError
from engine.inputs import AnyInput, Erase, Event, Rejoin, Revert, Split
from engine.profile import Profile
from loadtest.chaos.outcome import Figure, Outcome
from loadtest.sweeps import apart, orders
from loadtest.world.shop_world import START_MS

SEEDS: Final = 1_000
_STEPS: Final = 60
_SHARDS: Final = 3
_SETTLED_MS: Final = 600_000
_FAULTS_MAX: Final = 20
_OTHERS: Final = (("loyalty_id", "12345"), ("email", "pqr"), ("device_id", "DE"))


def sweep(size: int, folder: Path) -> Outcome:
    """Play so many worlds."""
    catalog, faults, done = orders.small_catalog(), [], Counter[str]()
    for seed in range(size):
        world = World(catalog, seed)
        faults += [f"seed {seed}: {fault}" for fault in world.play()]
        done += world.done
        if len(faults) > _FAULTS_MAX:
            break
    return Outcome([Figure("worlds", size), *(Figure(name, done[name]) for name in sorted(done))], faults)


class World:
    """People whom two sources name, and who are put right by hand. `done` counts what was."""

    def __init__(self, catalog: Catalog, seed: int) -> None:
        self._random = Random(f"reverts/{seed}")
        self._engine = LocalEngine(catalog, shards=_SHARDS)
        self._now_ms = START_MS
        self.done = Counter[str]()

    def play(self) -> list[str]:
        """Live to the end; returns what is not as it must be."""
        for number in range(_STEPS):
            if self._random.random() < 0.7:
                self._names_somebody(str(number))
            else:
                self._is_put_right()
            if self._random.random() < 0.7:
                self._pass(10_000)
        self._pass(_SETTLED_MS)
        self._pass(_SETTLED_MS)
        between = [f"{place} is nobody's: {name} has given it away" for place, name in self._engine.between()]
        return between + [fault for windows in self._engine.windows for fault in _of_shard(windows.shard)]

    def _pass(self, ms: int) -> None:
        self._now_ms += ms
        asyncio.run(self._engine.advance(self._now_ms))

    def _names_somebody(self, message: str) -> None:
        lot, public = self._random, self._random.random() < 0.3
        others = [(name, lot.choice(values)) for name, values in _OTHERS if lot.random() < 0.35]
        others = [(name, f"{value}@shop.example" if name == "email" else value) for name, value in others]
        user, device = lot.choice(("", "", "a", "b", "c", "d")), lot.choice(("", "x", "y", "z"))
        kind = lot.choice(("track", "identify", "alias") if user else ("track", "identify"))
        if not (user or device or others):
            return
        traits: dict[str, Any] = dict(pair for pair in others if pair[0] == "email") | {"hat": lot.randrange(9)}
        event = Event(
            kind=kind,
            name={"track": "Page Viewed", "identify": "Identified", "alias": "Aliased"}[kind],
            at_ms=self._now_ms,
            received_at_ms=self._now_ms,
            source="web" if public else "server",
            public=public,
            channel="web",
            message_id=message,
            user_id=user,
            anonymous_id=device,
            previous_id=lot.choice("abcdxyz") if kind == "alias" else "",
            identifiers=() if kind == "alias" else tuple(others),
            traits=traits if kind == "identify" else {},
        )
        self._try("events", lambda: self._engine.ask(event))

    def _is_put_right(self) -> None:
        """Somebody is split from a profile or joined to it again, erased, or what a source did to them is undone."""
        lot, people = self._random, self._people()
        if not people:
            return
        profile = lot.choice(people)
        choices: list[tuple[str, AnyInput]] = [
            ("erased", Erase()),
            ("reverted", Revert(source=lot.choice(("web", "server")))),
        ]
        for past in profile.ledger:
            undone = bool(past.undone_ms)
            told: AnyInput = Rejoin(merge_id=past.id) if undone else Split(merge_id=past.id)
            choices += [("joined again" if undone else "split", told)] * 2
        what, told = lot.choice(choices)
        self._try(what, lambda: self._engine.ask_profile(profile.id, told))

    def _try(self, what: str, act: Callable[[], object]) -> None:
        try:
            act()
            self.done[what] += 1
        except SegueError:
            pass  # not at rest, or nobody: an answer, and no fault

    def _people(self) -> list[Profile]:
        shards = [windows.shard for windows in self._engine.windows]
        records = [shard.record(place) for shard in shards for place in sorted(shard.all_profiles())]
        return [record for record in records if isinstance(record, Profile)]


def _of_shard(shard: Shard) -> list[str]:
    shard.commit()
    found, counted = apart.of_shard(shard), Counter[str]()
    for place in shard.all_profiles():
        record = shard.record(place)
        assert record is not None, "a place that is listed has a record"
        found += [f"{place}: {what}" for what in verify_replay.differences(shard.batch, place, record, shard.catalogs)]
        counted.update(shard.people.of_profile(place, record))
    kept = Counter({label: count for label, count in (shard.people.counts() or {}).items() if count})
    return found + [f"counted {kept}, there are {counted}"] * (kept != +counted)
