"""What other shards and the dispatcher bring to a shard: taken here, or passed on to where a pinned profile lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from actors.shard.shard import Shard
from actors.transport.messages.carried import Message, Outcome
from actors.transport.placement import pinned, socket_of
from actors.transport.wire import FrameClient, Reply
from engine.errors import SegueError
from engine.inputs import Settle

_encode = msgspec.msgpack.Encoder().encode
_messages = msgspec.msgpack.Decoder(list[Message])
_outcomes = msgspec.msgpack.Decoder(list[Outcome])
_arrived = msgspec.msgpack.Decoder(list[tuple[str, int]])

Finishes = list[Callable[[], None]]


class InboundRelay:
    """One per shard server. What it takes is durable with the group; what it passes on is when it is answered."""

    def __init__(self, shard: Shard, shards: Sequence[str]) -> None:
        self._shard, self._shards = shard, list(shards)
        self._clients: dict[str, FrameClient] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def deliver(self, payload: bytes, reply: Reply, finishes: Finishes) -> None:
        """Messages; answered with those that have arrived."""
        arrived: list[tuple[str, int]] = []
        elsewhere: list[Message] = []
        for message in _messages.decode(payload):
            if self._shard.ownership.has_left(message.to):
                elsewhere.append(message)
            elif self._shard.deliver(message.to, message.told, message.sender, message.seq):
                arrived.append((message.sender, message.seq))
        finishes.append(
            lambda: self._finish(reply, arrived, elsewhere, partial(self._pass_messages, elsewhere, arrived))
        )

    def settle(self, dispatcher: str, payload: bytes, reply: Reply, finishes: Finishes) -> None:
        """What providers said; answered with what nobody could take, because its profile is on its way."""
        untaken: list[Outcome] = []
        elsewhere: list[Outcome] = []
        for said in _outcomes.decode(payload):
            told = Settle(send_id=said.send, outcome=said.outcome, detail=said.detail)
            if self._shard.ownership.has_left(said.profile):
                elsewhere.append(said)
            elif self._shard.tell_or_forward(said.profile, told):
                self._shard.sandbox.keep(said)
            else:
                untaken.append(said)
        passing = partial(self._pass_outcomes, dispatcher, elsewhere, untaken)
        finishes.append(lambda: self._finish(reply, untaken, elsewhere, passing))

    def close(self) -> None:
        """Stop; what is not answered is brought again."""
        for task in self._tasks:
            task.cancel()

    def _finish(
        self, reply: Reply, answer: Sequence[Any], elsewhere: Sequence[Any], passing: Callable[[], Awaitable[None]]
    ) -> None:
        if not elsewhere:
            reply.send(_encode(answer))
            return

        async def pass_and_answer() -> None:
            await passing()
            reply.send(_encode(answer))

        task = asyncio.get_running_loop().create_task(pass_and_answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_messages(self, messages: list[Message], arrived: list[tuple[str, int]]) -> None:
        for profile in dict.fromkeys(message.to for message in messages):
            his = [message for message in messages if message.to == profile]
            try:
                arrived += _arrived.decode(await self._ask(profile, "deliver", his))
            except SegueError:
                continue  # they are brought again

    async def _pass_outcomes(self, dispatcher: str, outcomes: list[Outcome], untaken: list[Outcome]) -> None:
        for said in outcomes:
            try:
                untaken += _outcomes.decode(await self._ask(said.profile, "settle", (dispatcher, _encode([said]))))
            except SegueError:
                untaken.append(said)

    async def _ask(self, profile: str, op: str, what: Any) -> bytes:
        path = socket_of(pinned(profile), self._shards)
        if path not in self._clients:
            self._clients[path] = FrameClient(path)
        return await self._clients[path].call(op, _encode(what))
