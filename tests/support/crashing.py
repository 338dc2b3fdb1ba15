"""A story that is told to an engine whose power may fail at any moment: a client's inputs, and the state after them.

A step is acknowledged when it returns. After a crash the shards are opened again on what survived, and the client
repeats the step that was not acknowledged, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors.maintenance import verify
from actors.replay_clock.in_process import LocalEngine
from actors.storage.batch import Batch
from actors.storage.store import Store
from actors.storage.vault import PlainVault
from engine import audit, codec
from engine.catalog.compiled import Catalog
from engine.identity.home import home_of
from engine.inputs import AnyInput, Event
from engine.profile import Profile
from engine.vocabulary import FINAL_STATES
from support.faulty_store import FaultyStore, Fuse, PowerCut

Step = Callable[["Crashing"], Any]
Kept = Callable[[int, int], int]  # (number of the shard, its unsynced writes) → how many of these survive a crash


def nothing(number: int, unsynced: int) -> int:
    """No unsynced write survives, as after a power cut."""
    return 0


def everything(number: int, unsynced: int) -> int:
    """All survive, as after `kill -9`: the operating system has them."""
    return unsynced


def only_even(number: int, unsynced: int) -> int:
    """Those of even shards survive, those of odd ones do not."""
    return unsynced * (number % 2 == 0)


def only_odd(number: int, unsynced: int) -> int:
    """Those of odd shards survive, those of even ones do not."""
    return unsynced * (number % 2)


def one_less(number: int, unsynced: int) -> int:
    """All but the last one survive."""
    return max(0, unsynced - 1)


class Crashing:
    """Several shards on a replay clock, a provider that outlives them, and a client that repeats."""

    def __init__(self, catalog: Catalog, *, shards: int, says: Callable[[dict[str, Any]], str]) -> None:
        self.catalog = catalog
        self.said: Counter[tuple[str, str]] = Counter()  # (send, what the provider said), once a hand-over
        self.answers: dict[str, Any] = {}
        self.crashes = 0
        self._says = says
        self.stores = [FaultyStore() for _ in range(shards)]

    # -- what a client does

    def stage(self, events: Sequence[Event]) -> None:
        """Keep events until the clock reaches them, durably."""
        self.engine.stage(events)
        for windows in self.engine.windows:
            windows.shard.commit()

    def advance(self, at_ms: int) -> None:
        """Move the clock."""
        asyncio.run(self.engine.advance(at_ms))

    def drain(self) -> None:
        """Move the clock until nothing is pending."""
        asyncio.run(self.engine.advance(0, drain=True))

    def ask(self, profile: str, told: AnyInput) -> dict[str, Any] | None:
        """One input that has an answer, as a shard's server takes it."""
        return self.engine.follow(profile, told)

    # -- crashes

    def open(self, fuse: Fuse, kept: Kept = everything) -> None:
        """Start an engine on the records that survived."""
        self.stores = [
            store.survivor(fuse, kept=kept(number, store.unsynced)) for number, store in enumerate(self.stores)
        ]
        stores: list[Store] = list(self.stores)
        self.engine = LocalEngine(self.catalog, stores=stores, provider=self._provider)

    def arm(self, fuse: Fuse) -> None:
        """Let the power fail when this fuse blows."""
        for store in self.stores:
            store.fuse = fuse

    def tell(self, steps: Sequence[Step], fuse: Fuse, kept: Kept) -> None:
        """Tell the whole story. Where the power fails, start again and repeat the step that was not acknowledged."""
        waiting: list[Step] = [lambda here: here.open(fuse), *steps]
        while waiting:
            step = waiting.pop(0)
            try:
                step(self)
            except PowerCut:
                self.crashes += 1
                self.open(Fuse(), kept)
                waiting = waiting if len(waiting) == len(steps) else [step, *waiting]

    def _provider(self, message: dict[str, Any]) -> str:
        said = self._says(message)
        self.said[message["send"], said] += 1
        return said

    # -- what is left

    def home(self, told: Any) -> str:
        """The profile that an input is for."""
        found = home_of(self.catalog, told)
        assert found is not None
        return found

    def profiles(self) -> dict[str, Profile]:
        """All profiles that are no tombstones, by id."""
        found = {}
        for windows in self.engine.windows:
            for name in windows.shard.all_profiles():
                record = windows.shard.record(name)
                if isinstance(record, Profile):
                    found[name] = record
        return found

    def timeline(self, profile: str) -> list[audit.Entry]:
        """All audit entries of a profile."""
        return [audit.open_entry(value)[1] for _, value in self.engine.shard(profile).records("audit", profile)]

    def outcomes(self) -> dict[str, list[str]]:
        """The final outcomes of every intended send; there must be one each."""
        found: dict[str, list[str]] = {}
        for profile in self.profiles():
            for entry in self.timeline(profile):
                if entry.kind == "send" and "send" in entry.detail:
                    final = found.setdefault(entry.detail["send"], [])
                    final += [entry.outcome] * (entry.outcome in FINAL_STATES)
        return found

    def dead(self) -> list[tuple[str, str, str]]:
        """(profile, reason, kind of input) of each dead letter."""
        found = []
        for windows in self.engine.windows:
            for _, record in windows.shard.scan("dead"):
                profile, reason, _, raw = msgspec.msgpack.decode(codec.unseal(record, "dead"))[:4]
                found.append((profile, reason, type(codec.decode_input(raw)).__name__))
        return sorted(found)

    def differences(self, other: Crashing) -> list[str]:
        """Where what was promised differs, by profile and fact."""
        mine, theirs = self.promised(), other.promised()
        return [
            f"{name}: {mine.get(name)} is not {theirs.get(name)}"
            for name in sorted({*mine, *theirs})
            if mine.get(name) != theirs.get(name)
        ]

    def faults(self) -> list[str]:
        """What `segue verify` would say, and what ought not to be pending any more."""
        faults = self.broken()
        for windows in self.engine.windows:
            faults += [f"message {key.hex()} is still under way" for key in windows.shard.messages]
            faults += [f"staged {key.hex()} has never been told" for key, _ in windows.shard.scan("staged")]
        return faults

    def broken(self) -> list[str]:
        """What `segue verify` would say."""
        stores = {f"shard-{number}": Batch(store, PlainVault()) for number, store in enumerate(self.stores)}
        return verify.check(stores)[0]

    def promised(self) -> dict[str, Any]:
        """All that must be the same whatever happened, but for the outcomes of sends."""
        facts: dict[str, Any] = {"dead": self.dead()}
        for name, profile in self.profiles().items():
            facts |= {f"{name} {fact}": value for fact, value in _facts(profile).items()}
        return facts


def _facts(profile: Profile) -> dict[str, Any]:
    return {
        "events": [(event.at_ms, event.name, event.message_id) for event in profile.history],
        "identifiers": sorted((link.namespace, link.value) for link in profile.identifiers),
        "traits": profile.trait_values,
        "consent": sorted((record.purpose, record.channel, record.granted) for record in profile.consent),
        "runs": sorted((run.journey, run.key, run.state, run.ended_by, run.due_ms) for run in profile.runs),
        "ledger": sorted((entry.origin, entry.events, entry.runs) for entry in profile.ledger),
        "held": sorted(profile.held),
        "absorbing": list(profile.absorbing),
        "moving_to": profile.moving_to,
        "shown": sorted((place.action, bool(place.left_ms)) for place in profile.places if place.placement),
    }
