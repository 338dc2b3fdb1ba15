"""Knows which shard owns which slot, and nothing else. Lives in every ingress replica.

A profile that has moved answers with where it went; the router asks there and remembers it. A connection that drops is
dialled again and the same inputs, with the same ids, are asked once more, so nothing is lost and nothing counts twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from actors.transport.placement import is_pinned, pinned, profile_at, shard_of, socket_of
from actors.transport.wire import OVERLOADED_RETRY_MS, FrameClient
from engine.errors import Away, Moved, NotFound, NotReady, Overloaded
from engine.inputs import AnyInput, ConsentChange, Decide, Event, Rejected

_HOPS_MAX = 8
_ATTEMPTS = 40
_PAUSE_S = 0.1
_MOVED_KEPT = 100_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_results = msgspec.msgpack.Decoder(list[str])


class Router:
    """The way from a profile's id to its shard."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = list(paths)
        self._clients: dict[str, FrameClient] = {}
        self._moved: dict[str, str] = {}

    async def ingest(self, events: Sequence[tuple[str, Event]]) -> list[str]:
        """Tell (profile, event) pairs; the status of each: `accepted`, `repeated`, `failed`, or `rejected:` or
        `unreadable:` and why.

        Returns only when all of it is durable. Raises NotReady where a shard cannot be reached, Overloaded where one
        is full, then after all of it has been tried: what was taken is a repeat when the caller tells it again.
        """
        is_shed = False
        results = [""] * len(events)
        waiting = [(index, self._home(profile), event) for index, (profile, event) in enumerate(events)]
        for hop in range(_HOPS_MAX + _ATTEMPTS):
            by_shard: defaultdict[str, list[tuple[int, str, Event]]] = defaultdict(list)
            for item in waiting:
                by_shard[self._path_of(item[1])].append(item)
            answers = await asyncio.gather(*(self._ingest_at(batch) for batch in by_shard.values()))
            waiting = []
            for batch, statuses in zip(by_shard.values(), answers, strict=True):
                for (index, profile, event), status in zip(batch, statuses, strict=True):
                    kind, _, where = status.partition(":")
                    if kind == "moved":
                        self._learn(profile, where)
                        waiting.append((index, where, event))
                    elif kind == "busy":
                        waiting.append((index, profile, event))
                    else:
                        is_shed |= kind == "shed"
                        results[index] = status
            if not waiting:
                if is_shed:
                    raise Overloaded(OVERLOADED_RETRY_MS)
                return results
            if hop >= _HOPS_MAX:
                await asyncio.sleep(_PAUSE_S)
            waiting.sort(key=lambda item: item[0])
        raise Overloaded(OVERLOADED_RETRY_MS)

    async def tell(self, profile: str, told: AnyInput, patience_s: float = 0.0) -> Any:
        """One input that has an answer of its own (a decision, a consent change, an exposure).

        Its caller has gone after `patience_s`; one that waits for its turn longer has none. 0: it waits as long as
        it takes. A profile that was named by its own id is looked for hop by hop, because nobody is known any more by
        the id of an erased person.
        """
        if isinstance(told, Decide | ConsentChange) and told.profile_id:
            return await self.tell_place(profile, told, patience_s)
        return await self._follow(profile, "tell", lambda home: (home, told, patience_s))

    async def tell_place(self, place: str, told: AnyInput, patience_s: float = 0.0) -> Any:
        """An input for a place itself, wherever earlier ones for it went; what the place does not take follows its
        pointer."""
        for _ in range(_HOPS_MAX):
            try:
                return _decode(await self._ask(place, "tell", (profile_at(place), told, patience_s)))
            except Moved as moved:
                place = moved.to
        raise NotReady("this profile is between two places")

    async def read(self, profile: str, what: str, argument: Any = None) -> Any:
        """A reading of one profile; NotFound for a stranger."""
        return await self._follow(profile, "read", lambda home: (what, home, argument))

    async def read_at(self, profile: str, at_ms: int) -> Any:
        """A profile at a past moment. What has moved since is asked where it was then, so nothing is remembered."""
        for _ in range(_HOPS_MAX):
            try:
                return _decode(await self._ask(profile, "read", ("at", profile_at(profile), at_ms)))
            except Moved as moved:
                profile = moved.to
        raise NotFound("this profile has moved too often", "identifier")

    async def read_at_place(self, place: str, what: str, argument: Any) -> Any:
        """A reading of a place itself, wherever its profile lives."""
        for _ in range(_HOPS_MAX):
            try:
                return _decode(await self._ask(place, "read", (what, profile_at(place), argument)))
            except Away as away:
                place = away.to
        raise NotReady("this profile is between two places")

    async def resettle(self, profile: str, how: str) -> Any:
        """`pin` or `unpin` a profile: its home sees to it, wherever it lives now. True where that changed something."""
        for _ in range(_HOPS_MAX):
            home = profile_at(self._home(profile))
            try:
                return _decode(await self._ask(home, how, home))
            except Moved as moved:
                self._learn(home, moved.to)
        raise NotFound("this profile has moved too often", "identifier")

    async def at_shard(self, number: int, argument: Any, op: str) -> Any:
        """Something that one shard does by itself."""
        return _decode(await self._call(self._paths[number], op, _encode(argument)))

    async def set_aside(self, items: Sequence[tuple[str, Rejected, str]]) -> None:
        """Keep rejected items, each with its reason, at the shard that their profile would be at."""
        by_shard: list[list[tuple[str, Rejected, str]]] = [[] for _ in self._paths]
        for item in items:
            by_shard[shard_of(item[0], len(self._paths))].append(item)
        await asyncio.gather(*(self._ask(batch[0][0], "set_aside", batch) for batch in by_shard if batch))

    @property
    def shards(self) -> int:
        """How many there are."""
        return len(self._paths)

    async def everywhere(self, what: str, argument: Any = None) -> list[Any]:
        """A reading of every shard, those of pinned profiles last."""
        shards = await self._read_all(self._paths, what, argument)
        status = shards if what == "status" else await self._read_all(self._paths, "status")
        pins = [socket_of(pinned(profile), self._paths) for shard in status for profile in shard["pinned"]]
        return shards + await self._read_all(pins, what, argument)

    async def _read_all(self, paths: Sequence[str], what: str, argument: Any = None) -> list[Any]:
        payload = _encode((what, "", argument))
        return [
            _decode(found) for found in await asyncio.gather(*(self._call(path, "read", payload) for path in paths))
        ]

    async def stage(self, events: Sequence[tuple[str, Event]]) -> None:
        """Keep events durably until the replay clock reaches them."""
        by_shard: list[list[tuple[str, Event, int]]] = [[] for _ in self._paths]
        for profile, event in events:
            by_shard[shard_of(profile, len(self._paths))].append((profile, event, event.at_ms))
        await asyncio.gather(*(self._ask(batch[0][0], "stage", batch) for batch in by_shard if batch))

    async def _follow(self, profile: str, op: str, what: Callable[[str], Any]) -> Any:
        for hop in range(_HOPS_MAX + _ATTEMPTS):
            home = self._home(profile)
            try:
                return _decode(await self._ask(home, op, what(profile_at(home))))
            except Moved as moved:
                self._learn(home, moved.to)
                if hop >= _HOPS_MAX:
                    if not isinstance(moved, Away):
                        raise NotFound("this profile has moved too often", "identifier") from None
                    await asyncio.sleep(_PAUSE_S)  # its process is being started again
        raise NotReady("the process of this profile does not answer")

    async def _ingest_at(self, batch: list[tuple[int, str, Event]]) -> list[str]:
        try:
            told = [(profile_at(address), event) for _, address, event in batch]
            return _results.decode(await self._ask(batch[0][1], "ingest", told))
        except Away as away:
            return [f"moved:{away.to}"] * len(batch)

    async def _ask(self, address: str, op: str, what: Any) -> bytes:
        """Ask where an address is served. Raises Away where the process of a pinned profile does not answer: it may
        have none any more, and its home knows."""
        path, payload = self._path_of(address), _encode(what)
        for attempt in range(_ATTEMPTS):
            try:
                return await self._call(path, op, payload)
            except NotReady:
                if is_pinned(address):
                    raise Away(profile_at(address)) from None
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(_PAUSE_S)
        raise NotReady(f"{path} does not answer")

    async def _call(self, path: str, op: str, payload: bytes) -> bytes:
        client = self._clients.get(path)
        if client is None:
            client = self._clients[path] = FrameClient(path)
        return await client.call(op, payload)

    def _path_of(self, address: str) -> str:
        return socket_of(address, self._paths)

    def _home(self, profile: str) -> str:
        for _ in range(_HOPS_MAX):
            following = self._moved.get(profile)
            if following is None:
                return profile
            profile = following
        return profile

    def _learn(self, profile: str, to: str) -> None:
        if len(self._moved) >= _MOVED_KEPT:
            self._moved.clear()
        self._moved[profile] = to
        self._moved.pop(to, None)  # a pointer that went back must not lead in a circle
