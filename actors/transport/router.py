"""Brings requests to the shard that owns a profile's slot. Every ingress replica has a router.

The place that a profile has left answers with its new address; the router asks there and remembers it. A connection
that drops is opened again, and the same inputs are asked once more with the same ids. So nothing is lost, and nothing
counts twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from actors.platform.retry import Backoff
from actors.transport.clients import Clients
from actors.transport.messages.base import Answer, Request
from actors.transport.messages.carried import EventMoved, EventOutcome, EventParted, EventResult, EventStatus
from actors.transport.messages.of_doors import (
    Ingest,
    OfPlace,
    OfProfile,
    OfShard,
    Pin,
    Read,
    SetAside,
    Stage,
    Tell,
    Unpin,
)
from actors.transport.messages.of_things import TakeFacts
from actors.transport.order_of_a_batch import Waiting, waves
from actors.transport.placement import is_pinned, pinned, profile_at, shard_of, socket_of
from actors.transport.wire import OVERLOADED_RETRY_MS
from engine.errors import Away, Beside, Moved, NotFound, NotReady, Overloaded, Parted
from engine.inputs import AnyInput, ConsentChange, Decide, Event, Fact, Rejected

# How long a router asks again while a shard, or the process of a pinned profile, is started again.
STARTING: Final = Backoff(first_s=0.05, most_s=0.2, patience_s=4.0)
_HOPS_MAX = 8  # pointers followed at once for one request
_MOVED_KEPT = 100_000  # new addresses remembered; then all are forgotten, and learned again at the price of a hop

A = TypeVar("A", bound=Answer)


class Router:
    """The way from a profile's id to its shard."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = list(paths)
        self._clients = Clients()
        self._moved: dict[str, str] = {}

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()

    async def ingest(self, events: Sequence[tuple[str, Event]]) -> list[EventOutcome]:
        """Tell (profile, event) pairs. Each result is `accepted`, `repeated`, `failed`, or the reason why the event was
        rejected or its profile is unreadable.

        Returns only when all of it is durable. Raises NotReady where a shard cannot be reached, and Overloaded where
        one is full, once all events have been tried that need not wait for another one. Events that were taken are
        repeats when the caller tells them again.
        """
        results: list[EventOutcome] = [EventStatus.PARKED] * len(events)
        for wave in waves([(index, self._home(profile), event) for index, (profile, event) in enumerate(events)]):
            await self._ingest_wave(events, wave, results)
            if EventStatus.SHED in results:  # what comes after it in the batch must not overtake it
                raise Overloaded(OVERLOADED_RETRY_MS)
        return results

    async def _ingest_wave(
        self, events: Sequence[tuple[str, Event]], waiting: Waiting, results: list[EventOutcome]
    ) -> None:
        parted: set[int] = set()
        for pause_s in _hops():
            await _wait(pause_s)
            waiting = await self._ingest_once(events, waiting, results, parted)
            if not waiting:
                return
        raise Overloaded(OVERLOADED_RETRY_MS)

    async def _ingest_once(
        self, events: Sequence[tuple[str, Event]], waiting: Waiting, results: list[EventOutcome], parted: set[int]
    ) -> Waiting:
        """Tell each event where its profile is believed to live; returns those that must be told again. `parted` are
        the events that a split has sent home: where that leads to the same profile, its word where to ask counts."""
        by_shard: defaultdict[str, Waiting] = defaultdict(list)
        for item in waiting:
            by_shard[self._path_of(item[1])].append(item)
        answers = await asyncio.gather(*(self._ingest_at(batch) for batch in by_shard.values()))
        again: Waiting = []
        for batch, told in zip(by_shard.values(), answers, strict=True):
            for (index, profile, event), result in zip(batch, told, strict=True):
                if isinstance(result, EventMoved):
                    if not result.once:
                        self._learn(profile, result.to)
                    again.append((index, result.to, event))
                elif isinstance(result, EventParted):
                    home = events[index][0]
                    again.append((index, result.to if index in parted else self._forget(home), event))
                    parted.add(index)
                elif result is EventStatus.PARKED:
                    again.append((index, profile, event))
                else:
                    results[index] = result
        again.sort(key=lambda item: item[0])  # two shards may point to the same place, where the batch's order counts
        return again

    async def _ingest_at(self, batch: Waiting) -> Sequence[EventResult]:
        try:
            return (await self._ask(batch[0][1], Ingest([(profile_at(at), event) for _, at, event in batch]))).results
        except Away as away:
            return [EventMoved(away.to)] * len(batch)

    async def tell(self, profile: str, told: AnyInput, patience_s: float = 0.0) -> Any:
        """One input that has an answer of its own (a decision, a consent change, an exposure).

        Its caller waits `patience_s`; an input that waits longer gets no turn. 0 means as long as it takes. A profile
        that was named by its own id is looked for hop by hop: any place on the way may say that the person was erased,
        and is known by that id no more.
        """
        if isinstance(told, Decide | ConsentChange) and told.profile_id:
            return await self.tell_place(profile, told, patience_s)
        return (await self._follow(profile, lambda home: Tell(home, told, patience_s))).value

    async def tell_place(self, place: str, told: AnyInput, patience_s: float = 0.0) -> Any:
        """An input for a place itself, wherever earlier inputs for it went. If the place does not take it, it follows
        the place's pointer."""
        for _ in range(_HOPS_MAX):
            try:
                return (await self._ask(place, Tell(profile_at(place), told, patience_s))).value
            except Moved as moved:
                place = moved.to
        raise NotReady("this profile is between two places")

    async def read(self, profile: str, what: OfProfile, argument: Any = None) -> Any:
        """A reading of one profile; NotFound for a stranger. It begins at the place itself: no reading is told that a
        split has ended a pointer, so one that was learned before would lead to the wrong one of two."""
        self._forget(profile)
        try:
            return (await self._follow(profile, lambda home: Read(what, home, argument))).value
        except NotFound:
            holder = await self.holder(profile)
            if not holder:
                raise
            return (await self._follow(holder, lambda home: Read(what, home, argument))).value

    async def holder(self, place: str) -> str:
        """The one profile that has the address of this place by a write key's word alone; empty where there is none. No
        event follows this way: such a word makes nobody the owner of an address."""
        found: str = await self.read_at_place(place, "holder", None)
        return found

    async def read_at(self, profile: str, at_ms: int) -> Any:
        """A profile at a past moment. The pointers of that moment are followed, which may differ from those of today.
        So the router neither uses nor remembers addresses here."""
        for _ in range(_HOPS_MAX):
            try:
                return (await self._ask(profile, Read("at", profile_at(profile), at_ms))).value
            except Moved as moved:
                profile = moved.to
        raise NotFound("this profile has moved too often", "identifier")

    async def read_at_place(self, place: str, what: OfPlace, argument: Any) -> Any:
        """A reading of a place itself, wherever its profile lives."""
        for _ in range(_HOPS_MAX):
            try:
                return (await self._ask(place, Read(what, profile_at(place), argument))).value
            except Away as away:
                place = away.to
        raise NotReady("this profile is between two places")

    async def resettle(self, profile: str, how: type[Pin] | type[Unpin]) -> bool:
        """Pin or unpin a profile. Its home does this, wherever the profile lives. True where that changed something."""
        for _ in range(_HOPS_MAX):
            home = profile_at(self._home(profile))
            try:
                return (await self._ask(home, how(home))).has_changed
            except Moved as moved:
                self._learn(home, moved.to)
        raise NotFound("this profile has moved too often", "identifier")

    async def at_shard(self, number: int, request: Request[A]) -> A:
        """A request to one shard, by its number."""
        return await self._clients.call(self._paths[number], request)

    async def places(self) -> list[str]:
        """The sockets of all shards, those of pinned profiles last."""
        status = await self._read_all(self._paths, "status")
        return self._paths + self._pins(status)

    async def at_place(self, socket: str, request: Request[A]) -> A:
        """A request to whoever serves one of these sockets."""
        return await self._clients.call(socket, request)

    async def set_aside(self, items: Sequence[tuple[str, Rejected, str]]) -> None:
        """Keep rejected items, each with its reason, at the shard that their profile would be at."""
        by_shard: list[list[tuple[str, Rejected, str]]] = [[] for _ in self._paths]
        for item in items:
            by_shard[shard_of(item[0], len(self._paths))].append(item)
        await asyncio.gather(*(self._ask(batch[0][0], SetAside(batch)) for batch in by_shard if batch))

    @property
    def shards(self) -> int:
        """The number of shards."""
        return len(self._paths)

    async def everywhere(self, what: OfShard, argument: Any = None) -> list[Any]:
        """A reading of every shard, those of pinned profiles last."""
        shards = await self._read_all(self._paths, what, argument)
        status = shards if what == "status" else await self._read_all(self._paths, "status")
        return shards + await self._read_all(self._pins(status), what, argument)

    def _pins(self, status: list[Any]) -> list[str]:
        return [socket_of(pinned(profile), self._paths) for shard in status for profile in shard["pinned"]]

    async def _read_all(self, paths: Sequence[str], what: OfShard, argument: Any = None) -> list[Any]:
        asked = Read(what, "", argument)
        return [found.value for found in await asyncio.gather(*(self._clients.call(path, asked) for path in paths))]

    async def stage(self, events: Sequence[tuple[str, Event]]) -> None:
        """Keep events durably until the replay clock reaches them."""
        by_shard: list[list[tuple[str, AnyInput, int]]] = [[] for _ in self._paths]
        for profile, event in events:
            by_shard[shard_of(profile, len(self._paths))].append((profile, event, event.at_ms))
        await asyncio.gather(*(self._ask(batch[0][0], Stage(batch)) for batch in by_shard if batch))

    async def take_facts(self, facts: Sequence[Fact], heard_ms: int) -> list[bool]:
        """Tell every shard facts about things, durably; of each, whether any shard did not know it yet."""
        calls = (self._clients.call_until_there(at, TakeFacts([*facts], heard_ms), STARTING) for at in self._paths)
        return [any(new) for new in zip(*(answer.are_new for answer in await asyncio.gather(*calls)), strict=True)]

    async def _follow(self, profile: str, request: Callable[[str], Request[A]]) -> A:
        """Ask wherever a profile lives by now."""
        has_parted = False
        for pause_s in _hops():
            await _wait(pause_s)
            home = self._home(profile)
            try:
                return await self._ask(home, request(profile_at(home)))
            except Beside as beside:
                profile = beside.to
            except Parted as parted:
                self._forget(profile)
                profile, has_parted = parted.to if has_parted else profile, True
            except Moved as moved:
                self._learn(home, moved.to)
                if pause_s and not isinstance(moved, Away):  # a wait helps only while a process is started again
                    raise NotFound("this profile has moved too often", "identifier") from None
        raise NotReady("the process of this profile does not answer")

    async def _ask(self, address: str, request: Request[A]) -> A:
        """Ask where an address is served. Raises Away where the process of a pinned profile does not answer: it may
        have ended, which its home knows. Every request of the doors may be repeated: an input with an id counts once,
        and a dead letter that is kept twice is better than none."""
        path = self._path_of(address)
        if not is_pinned(address):
            return await self._clients.call_until_there(path, request, STARTING)
        try:
            return await self._clients.call(path, request)
        except NotReady:
            raise Away(profile_at(address)) from None

    def _path_of(self, address: str) -> str:
        return socket_of(address, self._paths)

    def _home(self, profile: str) -> str:
        for _ in range(_HOPS_MAX):
            if (following := self._moved.get(profile)) is None:
                break
            profile = following
        return profile

    def _forget(self, place: str) -> str:
        """Forget every address that was learned on the way from a place, because a split has ended it; returns the
        place."""
        at: str | None = place
        for _ in range(_HOPS_MAX):
            at = self._moved.pop(at, None) if at is not None else None
        return place

    def _learn(self, profile: str, to: str) -> None:
        if len(self._moved) >= _MOVED_KEPT:
            self._moved.clear()
        self._moved[profile] = to
        self._moved.pop(to, None)  # a pointer that went back must not lead in a circle


def _hops() -> Iterator[float]:
    """The pause in seconds before each attempt to find a profile: none while its pointers are followed, then the pauses
    for a process that is started again."""
    yield from [0.0] * _HOPS_MAX
    yield from STARTING.pauses()


async def _wait(pause_s: float) -> None:
    if pause_s:
        await asyncio.sleep(pause_s)
