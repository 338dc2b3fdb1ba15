"""Many shards in one process, on a replay clock: `segue simulate` runs on this, and so do most tests.

Shards, windows and conductor are those of the running engine; sockets, Ray and providers are missing. `provider` gives
the outcome of each message: the default accepts each as its channel's own provider would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from actors.platform.clock import ReplayClock
from actors.replay_clock.conductor import Conductor
from actors.replay_clock.windows import Windows
from actors.shard.shard import Observer, Shard
from actors.storage.memory_store import MemoryStore
from actors.storage.store import Store
from actors.storage.vault import Vault
from actors.transport.messages.carried import Outcome
from actors.transport.messages.of_dispatcher import Report, Span
from actors.transport.placement import shard_of
from engine.catalog.compiled import Catalog
from engine.errors import Beside, NotReady, Parted
from engine.identity.home import home_of
from engine.inputs import AnyInput, ConsentChange, Decide, Event, Fact
from engine.profile import Profile, Tombstone
from engine.vocabulary import Accepted, Settlement

_HOPS_MAX: Final = 1_000  # a chain of so many merges is none

Provider = Callable[[dict[str, Any]], Settlement]

DISPATCHER = "local"


class LocalShard:
    """A shard of this process, with the methods that the conductor calls."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows

    async def run(self, span: Span) -> Report:
        """Run a span of windows."""
        return self.windows.run(span)

    async def rest(self, now_ms: int, arrived: list[tuple[str, int]]) -> int:
        """Set the clock."""
        return self.windows.rest(now_ms, arrived)

    async def peek(self) -> Report:
        """The pending work of the shard."""
        return self.windows.peek()

    async def enlist(self, dispatcher: str) -> int:
        """Give up the sends that another dispatcher was handing over."""
        return self.windows.shard.settle_orphans(dispatcher)


class LocalEngine:
    """An engine without processes. `provider` is given a message and returns its outcome (`sent` …)."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        shards: int = 1,
        stores: list[Store] | None = None,
        observer: Observer | None = None,
        provider: Provider | None = None,
        vaults: list[Vault] | None = None,
    ) -> None:
        self.catalog = catalog
        self._provider = provider or self._accepted
        self.windows = []
        for number, store in enumerate(stores or [MemoryStore() for _ in range(shards)]):
            clock = ReplayClock()
            vault = vaults[number] if vaults else None
            self.windows.append(Windows(Shard(number, store, catalog, clock, vault=vault, observer=observer), clock))
        # All shards are in this process, so a lease is granted within the turn that needs it.
        for windows in self.windows:
            windows.shard.leases.authority = self.windows[0].shard.leases
        by_shard = [LocalShard(windows) for windows in self.windows]
        epoch = max(windows.shard.epoch for windows in self.windows)  # sends of a former one are unknown
        self.conductor = Conductor(by_shard, self.number_of, self._hand_over, f"{DISPATCHER}.{epoch}")

    def number_of(self, profile: str) -> int:
        """The number of the shard that a profile lives on."""
        return shard_of(profile, len(self.windows))

    def shard(self, profile: str) -> Shard:
        """The shard that a profile lives on."""
        return self.windows[self.number_of(profile)].shard

    def stage(self, events: Iterable[Event]) -> int:
        """Keep events until the clock reaches them. Returns how many have no identifier, and so name nobody."""
        nameless = 0
        by_shard: list[list[tuple[str, AnyInput, int]]] = [[] for _ in self.windows]
        for event in events:
            profile = home_of(self.catalog, event)
            if profile is None:
                nameless += 1
            else:
                by_shard[self.number_of(profile)].append((profile, event, event.at_ms))
        for windows, inputs in zip(self.windows, by_shard, strict=True):
            windows.stage(inputs)
        return nameless

    def take(self, fact: Fact) -> None:
        """Keep a fact about a thing until the clock reaches its time."""
        for windows in self.windows:
            windows.take(fact)

    async def advance(self, watermark_ms: int, *, drain: bool = False) -> dict[str, int]:
        """Move the clock."""
        return await self.conductor.advance(watermark_ms, drain=drain)

    def ask(self, told: Decide | ConsentChange) -> dict[str, Any] | None:
        """A decision or a consent change, at once; it follows a profile that was merged."""
        profile = home_of(self.catalog, told)
        assert profile is not None, "somebody must be named"
        return self.follow(profile, told)

    def follow(self, place: str, told: AnyInput) -> dict[str, Any] | None:
        """An input at its own place, by the way that a router takes. Raises NotReady where the way leads round: unlike
        a router this goes nowhere else, because no place may lead to a profile that a split has taken it from."""
        try:
            return self.ask_profile(place, told)
        except Beside as beside:
            return self.ask_profile(beside.to, told)
        except Parted as parted:
            raise NotReady(f"{place} leads to a profile that says it is the place of {parted.to}") from parted

    def ask_profile(self, profile: str, told: AnyInput) -> dict[str, Any] | None:
        """The same for a profile whose id is known."""
        profile = self.resolve(profile)
        shard = self.shard(profile)
        done = shard.tell(profile, told)
        shard.commit()
        return done.value

    def resolve(self, profile: str) -> str:
        """The profile that this one was merged into, after all merges; itself where it was not. Raises NotReady where
        pointers lead round, as they may until all messages have arrived."""
        place = profile
        for _ in range(_HOPS_MAX):
            record = self.shard(profile).record(profile)
            if not isinstance(record, Tombstone):
                return profile
            profile = record.to
        raise NotReady(f"the pointers of {place} lead round")

    def between(self) -> list[tuple[str, str]]:
        """(place, profile) of every place that points to a profile which says that a split gave it to another one: no
        one takes what comes there. There are none once all messages have arrived."""
        return [
            (place, name)
            for windows in self.windows
            for name in windows.shard.all_profiles()
            if isinstance(record := windows.shard.record(name), Profile)
            for place in record.split_off
            if self.resolve(place) == name
        ]

    def _accepted(self, message: dict[str, Any]) -> Accepted:
        channel = self.catalog.channels.get(message["channel"])
        return "simulated" if channel is not None and channel.provider == "sandbox" else "sent"

    async def _hand_over(self, messages: list[dict[str, Any]]) -> list[Outcome]:
        return [Outcome(message["profile"], message["send"], self._provider(message)) for message in messages]
