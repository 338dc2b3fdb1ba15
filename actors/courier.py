"""Carries messages between profiles from the shard that sent them to those that they are for, on the wall clock.

A message stays with its sender until its receiver has it durably. One batch at a time is on its way to each shard, so
what one profile tells another arrives in order; what cannot be taken yet is brought again. A batch is bounded by number
and bytes, because a hand-over carries a whole past; one message alone may be as large as a frame.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec

from actors import keys
from actors.placement import shard_of
from actors.shard import Shard
from actors.windows import Message
from actors.wire import FrameClient
from engine.errors import SegueError
from engine.inputs import AnyInput, HandOver

_BATCH_MAX = 500
_BATCH_BYTES_MAX = 2 << 20
_RETRY_S = 0.05
_RETRY_S_MAX = 2.0

_encode = msgspec.msgpack.Encoder().encode
_arrived = msgspec.msgpack.Decoder(list[tuple[str, int]])


class Courier:
    """One per shard. `arrived` is called when something was brought, so that the shard commits what that changes."""

    def __init__(self, shard: Shard, peers: Sequence[str], arrived: Callable[[], None]) -> None:
        self._shard = shard
        self._peers = [FrameClient(peer) for peer in peers]
        self._arrived = arrived
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._pause_s: dict[int, float] = {}

    def carry(self) -> None:
        """Set out with what waits, to every shard that nobody is on the way to."""
        waiting: defaultdict[int, list[Message]] = defaultdict(list)
        room: defaultdict[int, int] = defaultdict(lambda: _BATCH_BYTES_MAX)
        for key, (to, told) in sorted(self._shard.messages.items()):
            lane = shard_of(to, len(self._peers))
            if lane not in self._under_way and len(waiting[lane]) < _BATCH_MAX and room[lane] > 0:
                room[lane] -= _about_bytes(told)
                sequence = int.from_bytes(key[keys.PROFILE_BYTES :])
                waiting[lane].append(Message(keys.profile_of(key), sequence, to, told))
        for lane, messages in waiting.items():
            if messages:
                self._under_way[lane] = asyncio.create_task(self._bring(lane, messages))

    def close(self) -> None:
        """Bring nothing more; what is under way is brought again after the next start."""
        for task in self._under_way.values():
            task.cancel()

    async def _bring(self, lane: int, messages: list[Message]) -> None:
        try:
            arrived = _arrived.decode(await self._peers[lane].call("deliver", _encode(messages)))
        except SegueError:
            arrived = []
        for sender, sequence in arrived:
            self._shard.message_done(keys.message_key(sender, sequence))
        if arrived:  # the others wait for a turn over there, and not for a shard to come back
            self._pause_s.pop(lane, None)
        if len(arrived) < len(messages):
            pause_s = self._pause_s.get(lane, _RETRY_S)
            self._pause_s[lane] = min(2 * pause_s, _RETRY_S_MAX)
            await asyncio.sleep(pause_s)
        del self._under_way[lane]
        self._arrived()


def _about_bytes(told: AnyInput) -> int:
    if not isinstance(told, HandOver):
        return 0
    rows = (*told.history, *told.audit, *told.seen)
    return len(told.state) + sum(len(key) + len(record) for key, record in rows)
