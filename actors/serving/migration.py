"""Moves profiles between a shard and processes of their own, while both work. `actors.shard.ownership` says which
records move.

The shard that owns a profile's slot is the profile's home, and is responsible for its process. The home has the process
started before the profile leaves, and ended when the profile is back. A move that a crash interrupts is made again from
its beginning. Moves exist on the wall clock only.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import msgspec

from actors.platform.retry import Backoff, repeated
from actors.serving.barrier import Barrier
from actors.serving.intake import Finish
from actors.shard.last_of_move import Last
from actors.shard.shard import Shard
from actors.transport.clients import Clients
from actors.transport.frame_server import Reply
from actors.transport.messages.base import Acknowledged, Answer, Request
from actors.transport.messages.of_doors import Pin, Resettled, Unpin
from actors.transport.messages.of_shards import BeginMove, EndMove, GoHome, MoveBegun, MoveRecords, MoveSlice
from actors.transport.placement import pinned, socket_of
from engine.errors import NotReady, SegueError, StoreFailed, TryAgain

_UNTIL_DONE: Final = Backoff(first_s=0.05, most_s=0.5)  # a move that has begun is brought to its end
_UNTIL_AT_REST: Final = Backoff(first_s=0.05, most_s=0.1, patience_s=20.0)  # before a move begins
_SLICE_BYTES: Final = 8 << 20

_encode = msgspec.msgpack.Encoder().encode
_last = msgspec.msgpack.Decoder(Last)

T = TypeVar("T")
A = TypeVar("A", bound=Answer)


class Pins(Protocol):
    """Starts and ends the processes of pinned profiles."""

    async def start(self, profile: str) -> None:
        """Start the process of a profile; returns when it listens. Nothing happens where it listens already."""
        ...

    async def end(self, profile: str) -> None:
        """End the process, and remove its store."""
        ...


class Migration:
    """One per shard server. `wake` makes the server begin a group; `work` is what it does in one."""

    def __init__(
        self,
        shard: Shard,
        shards: Sequence[str],
        clients: Clients,
        wake: Callable[[], None],
        pins: Pins | None,
        barrier: Barrier,
    ) -> None:
        self._shard, self._ownership = shard, shard.ownership
        self._shards, self._clients = list(shards), clients
        self._wake, self._pins, self._barrier = wake, pins, barrier
        self._steps: deque[Callable[[], Finish]] = deque()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_giving_up = False

    # -- what is done in a group of the server

    def resume(self) -> None:
        """At a start: finish the moves that a crash has interrupted."""
        for profile, to in self._ownership.leaving().items():
            self._begin(self._locked(profile, partial(self._bring, profile, to)))
        for profile in self._ownership.pins:
            if not self._ownership.is_away(profile):
                self._begin(self._locked(profile, partial(self._clear, profile)))

    def work(self, finishes: list[Finish]) -> None:
        """Do the steps of moves that wait for this group. A move goes on when its step is durable."""
        while self._steps:
            finishes.append(self._steps.popleft()())
        own = self._ownership.own
        # A profile that was merged or erased needs no process of its own, and only its home can end this one.
        if own and not self._is_giving_up and self._ownership.has_tombstone():
            self._is_giving_up = True
            self._begin(self._give_up(own))

    def begin(self, request: BeginMove) -> MoveBegun:
        """Make room for a profile that is about to come."""
        return MoveBegun(self._ownership.begin(request.profile, request.move))

    def take(self, request: MoveRecords) -> Acknowledged:
        """Keep some of the records of a profile that comes."""
        self._ownership.take(request.profile, request.move, request.rows)
        return Acknowledged()

    def take_slice(self, request: MoveSlice) -> Acknowledged:
        """Keep a slice of the last message of a move, which makes the profile live here."""
        self._ownership.take_slice(request.profile, request.move, request.part)
        return Acknowledged()

    def end(self, request: EndMove, reply: Reply, finishes: list[Finish]) -> None:
        """The whole profile has arrived: it lives here from the end of this group on."""
        # A step, so after the group's timers: those of the profile must not fire before its records are durable.
        self._steps.append(partial(self._arrive, request, reply))

    def _arrive(self, request: EndMove, reply: Reply) -> Finish:
        profile, move = request.profile, request.move
        try:
            live = self._ownership.arrive(profile, move, _last.decode(self._ownership.sliced(profile, move)))
        except StoreFailed:
            raise
        except Exception as error:  # one bad request must not harm its group
            return partial(reply.fail, error)

        def finish() -> None:
            live()
            reply.send(Acknowledged())

        return finish

    def pin(self, request: Pin, reply: Reply, finishes: list[Finish]) -> None:
        """Give a profile a process of its own; answered when it lives there."""
        self._begin(self._answer(reply, request.profile, self._pin))

    def unpin(self, request: Unpin, reply: Reply, finishes: list[Finish]) -> None:
        """Take a profile back; answered when it lives here."""
        self._begin(self._answer(reply, request.profile, self._unpin))

    def go_home(self, request: GoHome, reply: Reply, finishes: list[Finish]) -> None:
        """In the process of a pinned profile: give it back to its home; answered when it lives there."""
        self._begin(self._answer(reply, request.profile, self._go_home))

    def close(self) -> None:
        """Stop; unfinished moves are finished after the next start."""
        for task in self._tasks:
            task.cancel()

    # -- whole moves

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
            await repeated(partial(self._call_home, profile), _UNTIL_DONE, TryAgain)
        await self._clear(profile)
        return True

    async def _call_home(self, profile: str) -> None:
        if self._ownership.is_away(profile):  # it may have come while we waited to ask again
            await self._ask(pinned(profile), GoHome(profile))

    async def _go_home(self, profile: str) -> bool:
        if not self._ownership.has_left(profile):
            await self._leave(profile, profile)
        return True

    async def _clear(self, profile: str) -> None:
        if self._pins is not None:
            await self._pins.end(profile)
        self._clients.drop(self._path_of(pinned(profile)))
        await self._step(lambda: self._ownership.unregister(profile))

    async def _give_up(self, profile: str) -> None:
        """Ask the profile's home to unpin it, until the home ends this process."""
        for pause_s in _UNTIL_DONE.pauses():
            with contextlib.suppress(SegueError):
                await self._ask(profile, Unpin(profile))
            await asyncio.sleep(pause_s)

    async def _leave(self, profile: str, to: str) -> None:
        for pause_s in _UNTIL_AT_REST.pauses():
            if await self._step(lambda: self._ownership.leave(profile, to)):
                break
            await asyncio.sleep(pause_s)
        else:
            raise NotReady("this profile waits for others that do not answer; try again")
        await self._bring(profile, to)

    async def _bring(self, profile: str, to: str) -> None:
        """Copy a profile that takes no turns here any more to its new place, as often as it takes until it is there."""
        if to == pinned(profile) and self._pins is not None:
            await self._pins.start(profile)
        await repeated(lambda: self._copy(profile, to), _UNTIL_DONE, TryAgain)
        await self._step(lambda: self._ownership.left(profile))

    async def _copy(self, profile: str, to: str) -> None:
        move = uuid.uuid4().hex
        if (await self._ask(to, BeginMove(profile, move))).is_here:
            return
        for rows in self._ownership.chunks(profile):
            await self._ask(to, MoveRecords(profile, move, rows))
        last = _encode(self._ownership.last(profile))
        for start in range(0, len(last), _SLICE_BYTES):
            await self._ask(to, MoveSlice(profile, move, last[start : start + _SLICE_BYTES]))
        await self._ask(to, EndMove(profile, move))

    # -- how it asks and waits

    def _path_of(self, address: str) -> str:
        return socket_of(address, self._shards)

    async def _ask(self, address: str, request: Request[A]) -> A:
        return await self._clients.call(self._path_of(address), request)

    async def _step(self, act: Callable[[], T]) -> T:
        """Do something in the shard's next group; returns when it is durable."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def step() -> Finish:
            try:
                result = act()
            except StoreFailed:  # the whole group with it
                raise
            except Exception as error:  # it is for whoever asked; one bad request must not harm its group
                fault = error
                # done already: the move was cancelled while its step waited
                return lambda: None if done.done() else done.set_exception(fault)
            return lambda: None if done.done() else done.set_result(result)

        self._steps.append(step)
        self._wake()
        return await done

    async def _locked(self, profile: str, act: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """One move of a profile at a time."""
        async with self._locks[profile]:
            return await act()

    async def _answer(self, reply: Reply, profile: str, act: Callable[[str], Coroutine[Any, Any, bool]]) -> None:
        try:
            reply.send(Resettled(await self._locked(profile, partial(act, profile))))
        except Exception as error:  # the outermost loop of this shell
            reply.fail(error)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
