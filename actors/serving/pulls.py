"""Answers a dispatcher's pulls: requests for sends that may be handed over. A pull waits until there is one, or for a
while."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import msgspec

from actors.serving.intake import Finish
from actors.shard.outbox.fence import Fence
from actors.shard.outbox.handing_out import hand_out
from actors.shard.shard import Shard
from actors.transport.frame_server import Reply
from actors.transport.messages.of_dispatcher import Pull, Pulled
from engine.errors import NotReady, SegueError

_PULL_S: Final = 1.0  # how long a pull waits for a send


class _Waiting(NamedTuple):
    """One pull; `name` is its dispatcher's name and its own. It is answered empty at `deadline_s`, by the loop's clock.
    `channel` is None for sends of any channel."""

    deadline_s: float
    name: str
    most: int
    channel: str | None
    reply: Reply


class Pulls:
    """One per shard server, on the wall clock."""

    def __init__(self, shard: Shard, fence: Fence) -> None:
        self._shard, self._fence = shard, fence
        self._waiting: list[_Waiting] = []

    def ask(self, request: Pull, reply: Reply) -> None:
        """Let a pull of the newest dispatcher wait."""
        dispatcher, name = request.dispatcher, f"{request.dispatcher}.{request.name}"
        self._shard.settle_orphans(dispatcher)  # a merge may have brought sends of an older one
        deadline_s = asyncio.get_running_loop().time() + _PULL_S
        self._waiting.append(_Waiting(deadline_s, name, request.most, request.channel, reply))

    def next_ms(self) -> int | None:
        """The earliest time at which a waiting pull may get a send; None where there is none."""
        times = [self._shard.outbox.next_ms(channel) for channel in {pull.channel for pull in self._waiting}]
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def answer(self, finishes: list[Finish]) -> None:
        """Authorise ready sends for the pulls that wait. `finishes` are the answers, for when this is durable."""
        now_s = asyncio.get_running_loop().time()
        self._waiting = [pull for pull in self._waiting if not self._answer(pull, now_s, finishes)]

    def _answer(self, pull: _Waiting, now_s: float, finishes: list[Finish]) -> bool:
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
        packed = hand_out(self._shard, ready, pull.name)
        finishes.append(pull.reply.prepared(Pulled(msgspec.Raw(packed))))
        return True
