"""A dispatcher's requests for what may be handed over; they wait until there is something, or for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import msgspec

from actors.shard.outbox.fence import Fence
from actors.shard.outbox.handing_out import hand_out
from actors.shard.shard import Shard
from actors.transport.wire import Reply
from engine.errors import NotReady, SegueError

_PULL_S: Final = 1.0

_decode = msgspec.msgpack.Decoder().decode


class Pull(NamedTuple):
    """One request; answered empty at `deadline_s`, by the loop's clock. Of any channel where that is None."""

    deadline_s: float
    name: str
    most: int
    channel: str | None
    reply: Reply


class Pulls:
    """One per shard server, on the wall clock."""

    def __init__(self, shard: Shard, fence: Fence) -> None:
        self._shard, self._fence = shard, fence
        self._waiting: list[Pull] = []

    def ask(self, dispatcher: str, payload: bytes, reply: Reply) -> None:
        """A dispatcher, the newest one, asks."""
        name, most, *channel = _decode(payload)
        self._shard.settle_orphans(dispatcher)  # an absorb may have brought what an older one was handing over
        deadline_s = asyncio.get_running_loop().time() + _PULL_S
        self._waiting.append(Pull(deadline_s, f"{dispatcher}.{name}", most, channel[0] if channel else None, reply))

    def next_ms(self) -> int | None:
        """When there may be something for one that waits."""
        times = [self._shard.outbox.next_ms(channel) for channel in {pull.channel for pull in self._waiting}]
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def answer(self, finishes: list[Callable[[], None]]) -> None:
        """Authorise for those that wait what is ready. `finishes` are the answers, for when this is durable."""
        now_s = asyncio.get_running_loop().time()
        self._waiting = [pull for pull in self._waiting if not self._answer(pull, now_s, finishes)]

    def _answer(self, pull: Pull, now_s: float, finishes: list[Callable[[], None]]) -> bool:
        try:
            self._fence.check(pull.name)  # its dispatcher may have been replaced while it waited
            if not pull.reply.connection.is_open:  # nothing must be given to a dispatcher that has died
                raise NotReady("the connection was lost")
        except SegueError as error:
            pull.reply.fail(error)
            return True
        ready = self._shard.outbox.ready(self._shard.clock.now_ms(), pull.most, pull.name, pull.channel)
        if not ready and now_s < pull.deadline_s:
            return False
        finishes.append(partial(pull.reply.send, hand_out(self._shard, ready, pull.name)))
        return True
