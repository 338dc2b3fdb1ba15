"""Takes in the messages and outcomes that other shards and the dispatcher bring to a shard, or passes them on to where
a pinned profile lives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from actors.serving.intake import Finish
from actors.shard.shard import Shard
from actors.transport.clients import Clients
from actors.transport.frame_server import Reply
from actors.transport.messages.base import Answer
from actors.transport.messages.carried import Message, Outcome
from actors.transport.messages.of_dispatcher import Settled, SettleSends
from actors.transport.messages.of_shards import Deliver, Delivered
from actors.transport.placement import pinned, socket_of
from engine.errors import SegueError
from engine.inputs import Settle

_message = msgspec.msgpack.Decoder(Message).decode


class InboundRelay:
    """One per shard server. Items that are taken here are durable with the group. Items that are passed on are durable
    there before they are answered. The process of a pinned profile is asked only once: if it fails, the sender brings
    the items again."""

    def __init__(self, shard: Shard, shards: Sequence[str], clients: Clients) -> None:
        self._shard, self._shards, self._clients = shard, list(shards), clients
        self._tasks: set[asyncio.Task[None]] = set()

    def deliver(self, request: Deliver, reply: Reply, finishes: list[Finish]) -> None:
        """Take messages; the answer names those that have arrived."""
        arrived: list[tuple[str, int]] = []
        elsewhere: dict[str, list[msgspec.Raw]] = {}  # by receiver, each in the order in which they came
        # All are decoded before the first is taken: one that cannot be read fails the request as a whole.
        for packed, message in [(each, _message(each)) for each in request.messages]:
            if self._shard.ownership.has_left(message.to):
                elsewhere.setdefault(message.to, []).append(packed)
            elif self._shard.deliver(message.to, message.told, message.sender, message.seq):
                arrived.append((message.sender, message.seq))
        pass_on = partial(self._pass_messages, elsewhere, arrived) if elsewhere else None
        finishes.append(partial(self._finish, reply, Delivered(arrived), pass_on))

    def settle(self, request: SettleSends, reply: Reply, finishes: list[Finish]) -> None:
        """Take outcomes of sends; the answer has those that could not be taken, because their profiles are on the
        way to another place."""
        untaken: list[Outcome] = []
        elsewhere: list[Outcome] = []
        for said in request.outcomes:
            told = Settle(send_id=said.send, outcome=said.outcome, detail=said.detail)
            if self._shard.ownership.has_left(said.profile):
                elsewhere.append(said)
            elif self._shard.tell_or_forward(said.profile, told):
                self._shard.sandbox.keep(said)
            else:
                untaken.append(said)
        pass_on = partial(self._pass_outcomes, request.dispatcher, elsewhere, untaken) if elsewhere else None
        finishes.append(partial(self._finish, reply, Settled(untaken), pass_on))

    def close(self) -> None:
        """Stop; senders bring again what was not answered."""
        for task in self._tasks:
            task.cancel()

    def _finish(self, reply: Reply, answer: Answer, pass_on: Callable[[], Awaitable[None]] | None) -> None:
        """Answer at once where nothing is to be passed on, else when that is done."""
        if pass_on is None:
            reply.send(answer)
            return

        async def pass_and_answer() -> None:
            await pass_on()
            reply.send(answer)

        task = asyncio.get_running_loop().create_task(pass_and_answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_messages(self, elsewhere: dict[str, list[msgspec.Raw]], arrived: list[tuple[str, int]]) -> None:
        for profile, messages in elsewhere.items():
            try:
                arrived += (await self._clients.call(self._path_of(profile), Deliver(messages))).arrived
            except SegueError:
                continue

    async def _pass_outcomes(self, dispatcher: str, outcomes: list[Outcome], untaken: list[Outcome]) -> None:
        for said in outcomes:
            try:
                request = SettleSends(dispatcher, [said])
                untaken += (await self._clients.call(self._path_of(said.profile), request)).untaken
            except SegueError:
                untaken.append(said)

    def _path_of(self, profile: str) -> str:
        return socket_of(pinned(profile), self._shards)
