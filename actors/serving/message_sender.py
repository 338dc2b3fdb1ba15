"""Brings messages between profiles from the shard that sent them to the shards of their receivers, on the wall clock.

A message stays with its sender until its receiver has it durably. One batch at a time is on its way to each shard, so
the messages of one profile to another arrive in order. A message that its receiver cannot take yet is brought again,
ever more rarely; no other receiver waits for that. A message that can never arrive is set aside.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice

import msgspec

from actors.platform.retry import Backoff, Pauses
from actors.shard.set_aside.dead_letter_actions import give_up
from actors.shard.shard import Shard
from actors.storage import keys
from actors.transport.clients import Clients
from actors.transport.messages.carried import Message
from actors.transport.messages.of_shards import Deliver
from actors.transport.placement import shard_of
from actors.transport.wire import PAYLOAD_BYTES_MAX
from engine.errors import SegueError, TooLarge, TryAgain

_BATCH_MAX = 500
_BATCH_BYTES_MAX = 2 << 20
_MESSAGE_BYTES_MAX = PAYLOAD_BYTES_MAX - 16  # leaves room for the head of a batch of one
_AGAIN = Backoff(first_s=0.05, most_s=2.0)

_encode = msgspec.msgpack.Encoder().encode


class MessageSender:
    """One per shard. `peers` are the sockets of all shards. `arrived` is called after each delivery, so that the shard
    commits the change."""

    def __init__(self, shard: Shard, peers: Sequence[str], clients: Clients, arrived: Callable[[], None]) -> None:
        self._shard = shard
        self._peers, self._clients = list(peers), clients
        self._arrived = arrived
        self._under_way: dict[int, asyncio.Task[None]] = {}  # by the number of the receiving shard
        self._shard_pauses, self._receiver_pauses = Pauses(_AGAIN), Pauses(_AGAIN)
        # By shard: how many batches of a single message are still to follow a batch that the shard could not read.
        self._one_by_one: dict[int, int] = {}

    def send(self) -> None:
        """Send the messages that wait to every shard that no batch is on its way to."""
        now_s = asyncio.get_running_loop().time()
        waiting: defaultdict[int, list[Message]] = defaultdict(list)
        # Sorted by key: by sender, then by sequence, so each sender's messages leave in their order.
        for key, (to, told) in sorted(self._shard.messages.items()):
            shard_number = shard_of(to, len(self._peers))
            if shard_number in self._under_way or self._receiver_pauses.has(to, now_s):
                continue
            if len(waiting[shard_number]) < _BATCH_MAX:
                sequence = int.from_bytes(key[keys.PROFILE_BYTES :])
                waiting[shard_number].append(Message(keys.profile_of(key), sequence, to, told))
        for shard_number, messages in waiting.items():
            if batch := self._batch(shard_number, messages):
                self._under_way[shard_number] = asyncio.create_task(self._bring(shard_number, batch))

    def close(self) -> None:
        """Bring nothing more; messages under way are brought again after the next start."""
        for task in self._under_way.values():
            task.cancel()

    def _batch(self, shard_number: int, messages: list[Message]) -> list[tuple[Message, bytes]]:
        """As many messages as a batch may have, each with its bytes. A message that no frame holds is set aside."""
        batch: list[tuple[Message, bytes]] = []
        size = 0
        for message in islice(messages, 1 if self._one_by_one.get(shard_number) else None):
            packed = _encode(message)
            if len(packed) > _MESSAGE_BYTES_MAX:
                self._give_up(message, TooLarge(f"{len(packed)} bytes, a message has {_MESSAGE_BYTES_MAX} at most"))
                continue
            size += len(packed)
            if batch and size > _BATCH_BYTES_MAX:
                break
            batch.append((message, packed))
        return batch

    async def _bring(self, shard_number: int, batch: list[tuple[Message, bytes]]) -> None:
        now_s = asyncio.get_running_loop().time
        request = Deliver([msgspec.Raw(packed) for _, packed in batch])
        try:
            answer = await self._clients.call(self._peers[shard_number], request)
        except TryAgain:  # nobody answers there, so the messages that follow cannot arrive either
            await asyncio.sleep(self._shard_pauses.lengthen(shard_number, now_s()))
        except SegueError as error:
            await self._batch_failed(shard_number, batch, error)
        else:
            self._shard_pauses.end(shard_number)
            self._one_by_one[shard_number] = max(0, self._one_by_one.get(shard_number, 0) - 1)  # back to full batches
            self._settle(batch, set(answer.arrived), now_s())
        del self._under_way[shard_number]
        self._arrived()

    def _settle(self, batch: list[tuple[Message, bytes]], arrived: set[tuple[str, int]], now_s: float) -> None:
        for message, _ in batch:
            if (message.sender, message.seq) in arrived:
                self._shard.message_done(keys.message_key(message.sender, message.seq))
                self._receiver_pauses.end(message.to)
        for to in {message.to for message, _ in batch if (message.sender, message.seq) not in arrived}:
            pause_s = self._receiver_pauses.lengthen(to, now_s)
            asyncio.get_running_loop().call_later(pause_s, self._arrived)

    async def _batch_failed(self, shard_number: int, batch: list[tuple[Message, bytes]], error: SegueError) -> None:
        """The other end could not read a batch. One of its messages is at fault, so they go one by one to find it."""
        if len(batch) == 1:
            self._give_up(batch[0][0], error)
        else:
            self._one_by_one[shard_number] = len(batch)
        await asyncio.sleep(_AGAIN.first_s)

    def _give_up(self, message: Message, error: SegueError) -> None:
        give_up(self._shard, message.sender, message.seq, f"cannot be delivered: {type(error).__name__}: {error}")
        self._arrived()
