"""Knows which shard owns which slot, and nothing else. Lives in every ingress replica.

A profile that has moved answers with where it went; the router asks there and remembers it. A connection that drops is
dialled again and the same inputs, with the same ids, are asked once more, so nothing is lost and nothing counts twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.placement import shard_of
from actors.wire import OVERLOADED_RETRY_MS, FrameClient
from engine.errors import Moved, NotFound, NotReady, Overloaded
from engine.inputs import AnyInput, Event

_HOPS_MAX = 8
_ATTEMPTS = 20
_PAUSE_S = 0.1
_MOVED_KEPT = 100_000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_results = msgspec.msgpack.Decoder(list[str])


class Router:
    """The way from a profile's id to its shard."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._shards = [FrameClient(path) for path in paths]
        self._moved: dict[str, str] = {}

    def number_of(self, profile: str) -> int:
        """The number of the shard that owns a profile's slot."""
        return shard_of(profile, len(self._shards))

    async def ingest(self, events: Sequence[tuple[str, Event]]) -> list[str]:
        """Tell (profile, event) pairs; the status of each: `accepted`, `repeated`, `failed` or `rejected:` and why.

        Returns only when all of it is durable. Raises NotReady where a shard cannot be reached, Overloaded where one
        is full, then after all of it has been tried: what was taken is a repeat when the caller tells it again.
        """
        is_shed = False
        results = [""] * len(events)
        waiting = [(index, self._home(profile), event) for index, (profile, event) in enumerate(events)]
        for hop in range(_HOPS_MAX + _ATTEMPTS):
            lanes: list[list[tuple[int, str, Event]]] = [[] for _ in self._shards]
            for item in waiting:
                lanes[self.number_of(item[1])].append(item)
            numbers = [number for number, lane in enumerate(lanes) if lane]
            answers = await asyncio.gather(
                *(self._ask(number, "ingest", _encode([pair[1:] for pair in lanes[number]])) for number in numbers)
            )
            waiting = []
            for number, answer in zip(numbers, answers, strict=True):
                for (index, profile, event), status in zip(lanes[number], _results.decode(answer), strict=True):
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

    async def tell(self, profile: str, told: AnyInput) -> Any:
        """One input that has an answer of its own (a decision, a consent change, an exposure)."""
        return await self._follow(profile, "tell", lambda home: _encode((home, told)))

    async def read(self, profile: str, what: str, argument: Any = None) -> Any:
        """A reading of one profile; NotFound for a stranger."""
        return await self._follow(profile, "read", lambda home: _encode((what, home, argument)))

    async def read_at(self, profile: str, at_ms: int) -> Any:
        """A profile at a past moment. What has moved since is asked where it was then, so nothing is remembered."""
        for _ in range(_HOPS_MAX):
            try:
                return _decode(await self._ask(self.number_of(profile), "read", _encode(("at", profile, at_ms))))
            except Moved as moved:
                profile = moved.to
        raise NotFound("this profile has moved too often", "identifier")

    async def read_at_place(self, place: str, what: str, argument: Any) -> Any:
        """A reading of a place itself, wherever its profile lives."""
        return _decode(await self._ask(self.number_of(place), "read", _encode((what, place, argument))))

    async def at_shard(self, number: int, argument: Any, op: str) -> Any:
        """Something that one shard does by itself."""
        return _decode(await self._ask(number, op, _encode(argument)))

    @property
    def shards(self) -> int:
        """How many there are."""
        return len(self._shards)

    async def everywhere(self, what: str) -> list[Any]:
        """A reading of every shard."""
        payload = _encode((what, "", None))
        answers = await asyncio.gather(*(shard.call("read", payload) for shard in self._shards))
        return [_decode(answer) for answer in answers]

    async def stage(self, events: Sequence[tuple[str, Event]]) -> None:
        """Keep events durably until the replay clock reaches them."""
        lanes: list[list[tuple[str, Event, int]]] = [[] for _ in self._shards]
        for profile, event in events:
            lanes[self.number_of(profile)].append((profile, event, event.at_ms))
        await asyncio.gather(*(self._ask(number, "stage", _encode(lane)) for number, lane in enumerate(lanes) if lane))

    async def _follow(self, profile: str, op: str, payload: Any) -> Any:
        for _ in range(_HOPS_MAX):
            home = self._home(profile)
            try:
                return _decode(await self._ask(self.number_of(home), op, payload(home)))
            except Moved as moved:
                self._learn(home, moved.to)
        raise NotFound("this profile has moved too often", "identifier")

    async def _ask(self, number: int, op: str, payload: bytes) -> bytes:
        for attempt in range(_ATTEMPTS):
            try:
                return await self._shards[number].call(op, payload)
            except NotReady:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(_PAUSE_S)
        raise NotReady(f"shard {number} does not answer")

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
