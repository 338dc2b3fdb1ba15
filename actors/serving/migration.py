"""Moves profiles between a shard and processes of their own, while both work (`actors.shard.ownership` has what is
moved).

The shard that owns a profile's slot is its home, and answers for its process: it has it started before the profile
leaves, ended when it is back, and brings it back after a restart. Wall clock only.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from actors.serving.barrier import Barrier
from actors.shard.ownership import Last, Row
from actors.shard.shard import Shard
from actors.transport.placement import pinned, socket_of
from actors.transport.wire import FrameClient, Reply
from engine.errors import NotReady, SegueError, TryAgain

_PAUSE_S = 0.05
_PATIENCE_S = 20.0
_SLICE_BYTES = 8 << 20

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_begin = msgspec.msgpack.Decoder(tuple[str, str])
_take = msgspec.msgpack.Decoder(tuple[str, str, list[Row]])
_slice = msgspec.msgpack.Decoder(tuple[str, str, bytes])
_last = msgspec.msgpack.Decoder(Last)

T = TypeVar("T")


class Pins(Protocol):
    """Whoever starts and ends the processes of pinned profiles."""

    async def start(self, profile: str) -> None:
        """Returns when it listens; does nothing where it does so already."""
        ...

    async def end(self, profile: str) -> None:
        """End it, and remove its store."""
        ...


class Migration:
    """One per shard server. `wake` makes the server begin a group; `work` is what it does in one."""

    def __init__(
        self, shard: Shard, shards: Sequence[str], wake: Callable[[], None], pins: Pins | None, barrier: Barrier
    ) -> None:
        self._shard, self._ownership = shard, shard.ownership
        self._shards, self._wake, self._pins = list(shards), wake, pins
        self._barrier = barrier
        self._clients: dict[str, FrameClient] = {}
        self._steps: deque[Callable[[], Callable[[], None]]] = deque()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_giving_up = False

    # -- in a group of the server

    def resume(self) -> None:
        """At a start: finish what a crash has interrupted."""
        for profile, to in self._ownership.leaving().items():
            self._begin(self._locked(profile, partial(self._bring, profile, to)))
        for profile in self._ownership.pins:
            if not self._ownership.is_away(profile):
                self._begin(self._locked(profile, partial(self._clear, profile)))

    def work(self, finishes: list[Callable[[], None]]) -> None:
        """The steps of moves that wait for this group; each is told when it is durable."""
        while self._steps:
            finishes.append(self._steps.popleft()())
        own = self._ownership.own
        if own and not self._is_giving_up and self._ownership.has_tombstone():
            self._is_giving_up = True
            self._begin(self._give_up(own))

    def handle(self, op: str, payload: bytes, reply: Reply, finishes: list[Callable[[], None]]) -> bool:
        """Take a call that is about moves; False for every other."""
        if op in ("pin", "unpin", "go_home"):
            profile = _decode(payload)
            act = {"pin": self._pin, "unpin": self._unpin, "go_home": self._go_home}[op]
            self._begin(self._answer(reply, self._locked(profile, partial(act, profile))))
        elif op == "move_begin":
            is_here = self._ownership.begin(*_begin.decode(payload))
            finishes.append(lambda: reply.send(_encode(is_here)))
        elif op == "move_take":
            self._ownership.take(*_take.decode(payload))
            finishes.append(lambda: reply.send(b""))
        elif op == "move_slice":
            self._ownership.take_slice(*_slice.decode(payload))
            finishes.append(lambda: reply.send(b""))
        elif op == "move_arrive":
            self._steps.append(partial(self._arrive, *_begin.decode(payload), reply))  # after this group's timers
        else:
            return False
        return True

    def _arrive(self, profile: str, move: str, reply: Reply) -> Callable[[], None]:
        try:
            live = self._ownership.arrive(profile, move, _last.decode(self._ownership.sliced(profile, move)))
        except SegueError as error:
            return partial(reply.fail, error)

        def finish() -> None:
            live()
            reply.send(b"")

        return finish

    def close(self) -> None:
        """Stop; what is not done is done after the next start."""
        for task in self._tasks:
            task.cancel()

    # -- moves

    async def _pin(self, profile: str) -> bool:
        """True where it had no process of its own."""
        if self._pins is None:
            raise NotReady("this engine starts no processes for single profiles")
        if self._ownership.has_left(profile):
            return False
        await self._step(lambda: self._register(profile))
        await self._pins.start(profile)
        try:
            await self._leave(profile, pinned(profile))
        except NotReady:
            await self._clear(profile)
            raise
        return True

    def _register(self, profile: str) -> None:
        if self._barrier.is_down:
            raise NotReady("a backup is being made")
        self._ownership.register(profile)

    async def _unpin(self, profile: str) -> bool:
        """True where it had a process of its own."""
        if profile not in self._ownership.pins:
            self._ownership.check_living(profile)
            return False
        while self._ownership.is_away(profile):
            try:
                await self._ask(pinned(profile), "go_home", profile)
            except TryAgain:
                await asyncio.sleep(_PAUSE_S)
        await self._clear(profile)
        return True

    async def _go_home(self, profile: str) -> bool:
        """In the process of a pinned profile: give it back to its home."""
        if not self._ownership.has_left(profile):
            await self._leave(profile, profile)
        return True

    async def _clear(self, profile: str) -> None:
        if self._pins is not None:
            await self._pins.end(profile)
        client = self._clients.pop(pinned(profile), None)
        if client is not None:
            client.close()
        await self._step(lambda: self._ownership.unregister(profile))

    async def _give_up(self, profile: str) -> None:
        while True:
            try:
                await self._ask(profile, "unpin", profile)
            except SegueError:
                await asyncio.sleep(_PAUSE_S)

    async def _leave(self, profile: str, to: str) -> None:
        deadline_s = asyncio.get_running_loop().time() + _PATIENCE_S
        while not await self._step(lambda: self._ownership.leave(profile, to)):
            if asyncio.get_running_loop().time() > deadline_s:
                raise NotReady("this profile waits for others that do not answer; try again")
            await asyncio.sleep(_PAUSE_S)
        await self._bring(profile, to)

    async def _bring(self, profile: str, to: str) -> None:
        """All of a profile that takes no turns here any more, again and again until it has arrived."""
        if to == pinned(profile) and self._pins is not None:
            await self._pins.start(profile)
        while True:
            try:
                await self._copy(profile, to)
                break
            except TryAgain:
                await asyncio.sleep(_PAUSE_S)
        await self._step(lambda: self._ownership.left(profile))

    async def _copy(self, profile: str, to: str) -> None:
        move = uuid.uuid4().hex
        if _decode(await self._ask(to, "move_begin", (profile, move))):
            return
        for rows in self._ownership.chunks(profile):
            await self._ask(to, "move_take", (profile, move, rows))
        last = _encode(self._ownership.last(profile))
        for start in range(0, len(last), _SLICE_BYTES):
            await self._ask(to, "move_slice", (profile, move, last[start : start + _SLICE_BYTES]))
        await self._ask(to, "move_arrive", (profile, move))

    # -- how

    async def _ask(self, address: str, op: str, what: Any) -> bytes:
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = FrameClient(socket_of(address, self._shards))
        return await client.call(op, _encode(what))

    async def _step(self, act: Callable[[], T]) -> T:
        """Do something in the shard's next group; returns when it is durable."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def step() -> Callable[[], None]:
            try:
                result = act()
            except SegueError as error:
                fault = error
                return lambda: None if done.done() else done.set_exception(fault)
            return lambda: None if done.done() else done.set_result(result)

        self._steps.append(step)
        self._wake()
        return await done

    async def _locked(self, profile: str, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One move of a profile at a time."""
        async with self._locks[profile]:
            return await act()

    async def _answer(self, reply: Reply, work: Coroutine[Any, Any, bool]) -> None:
        try:
            reply.send(_encode(await work))
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
