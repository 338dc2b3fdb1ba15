"""Shards of one process whose messages arrive in any order that a test chooses: those from one profile to another in
their order, but for those that have to wait, as the running engine carries them; and nothing else is promised."""

from __future__ import annotations

from random import Random
from typing import Any

from actors.replay_clock.in_process import LocalEngine
from actors.storage import keys
from engine.catalog.compiled import Catalog
from engine.errors import Moved, NotReady, Parked
from engine.identity.home import home_of
from engine.inputs import AnyInput, ConsentChange, Event
from engine.profile import Profile, Tombstone
from support.world import START_MS

_STEPS_MAX = 100_000


class AnyOrder:
    """Inputs and messages wait until `random` picks them."""

    def __init__(self, catalog: Catalog, random: Random, shards: int = 4) -> None:
        self.catalog, self.random = catalog, random
        self.engine = LocalEngine(catalog, shards=shards)
        self.inputs: list[tuple[str, AnyInput]] = []
        self.now_ms = START_MS
        self.pass_time(0)

    def pass_time(self, ms: int) -> None:
        """Let the clock go on, and nothing happen."""
        self.now_ms += ms
        for windows in self.engine.windows:
            windows.clock.move_to(self.now_ms)

    def event(self, number: int, *pairs: tuple[str, str], public: bool = False, **fields: object) -> Event:
        """A call that names these identifiers, not told yet."""
        named = dict(pairs)
        ids = {name: named[name] for name in ("user_id", "anonymous_id") if name in named}
        rest = tuple(pair for pair in pairs if pair[0] not in ids or named[pair[0]] != pair[1])
        base = {"kind": "track", "name": f"Event {number}", "at_ms": self.now_ms, "received_at_ms": self.now_ms,
                "source": "test", "message_id": f"m{number}", "identifiers": rest, "public": public}  # fmt: skip
        return Event(**(base | ids | fields))  # type: ignore[arg-type]

    def put(self, *told: Event | ConsentChange) -> None:
        """Inputs that wait to be told."""
        for each in told:
            home = home_of(self.catalog, each)
            assert home is not None
            self.inputs.append((home, each))

    def run(self) -> None:
        """Tell and deliver everything, one at a time, in an order of no kind. What has to wait is tried again; where
        nothing can go on any more, that is a deadlock."""
        waiting: set[tuple[str, Any]] = set()
        for _ in range(_STEPS_MAX):
            choices: list[tuple[str, Any]] = [("input", number) for number in range(len(self.inputs))]
            choices += [("messages", pair) for pair in self._pairs()]
            open_ones = [choice for choice in choices if choice not in waiting]
            if not choices:
                return
            assert open_ones, f"a deadlock: {len(choices)} wait for one another"
            choice = self.random.choice(open_ones)
            if self._take(choice):
                waiting.clear()
            else:
                waiting.add(choice)
        raise AssertionError("it never comes to rest")

    def living(self) -> dict[str, Profile]:
        """All profiles, by id."""
        records = (self.engine.shard(place).record(place) for place in self.places())
        return {record.id: record for record in records if isinstance(record, Profile)}

    def places(self) -> list[str]:
        """All places with a record."""
        for windows in self.engine.windows:
            windows.shard.commit()
        return [place for windows in self.engine.windows for place in windows.shard.all_profiles()]

    def where(self, place: str) -> str:
        """The living profile that a place leads to; a pointer that leads to nobody, or in a circle, is a failure."""
        seen: set[str] = set()
        while True:
            assert place not in seen, "pointers form a circle"
            seen.add(place)
            record = self.engine.shard(place).record(place)
            assert record is not None, "a pointer leads to nobody"
            if not isinstance(record, Tombstone):
                return place
            place = record.to

    def event_names(self, profile: Profile) -> list[str]:
        """All events of a profile, those in pages too."""
        older = self.engine.shard(profile.id).older(profile.id)
        return sorted(event.name for event in [*older, *profile.history])

    def _pairs(self) -> list[tuple[str, str]]:
        """Who has told something to whom."""
        found: dict[tuple[str, str], None] = {}
        for windows in self.engine.windows:
            for key, (to, _) in sorted(windows.shard.messages.items()):
                found.setdefault((keys.profile_of(key), to))
        return list(found)

    def _take(self, choice: tuple[str, Any]) -> bool:
        kind, which = choice
        return self._tell(which) if kind == "input" else self._deliver(*which)

    def _deliver(self, sender: str, to: str) -> bool:
        shard, receiver = self.engine.shard(sender), self.engine.shard(to)
        for key, (receives, told) in sorted(shard.messages.items()):
            if keys.profile_of(key) != sender or receives != to:
                continue
            if receiver.deliver(to, told, sender, int.from_bytes(key[keys.PROFILE_BYTES :])):
                receiver.commit()
                shard.message_done(key)
                shard.commit()
                return True
        return False

    def _tell(self, number: int) -> bool:
        home, told = self.inputs[number]
        while True:
            shard = self.engine.shard(home)
            try:
                shard.tell(home, told)
            except Moved as moved:
                home = moved.to
            except (Parked, NotReady):
                return False
            else:
                shard.commit()
                del self.inputs[number]
                return True
