"""Tells facts about things to pinned profiles, whose processes keep no facts: their home does it, on the wall clock.

A fact stays with its home until it has had its turn there, durably. Told twice, it counts once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from actors.platform.retry import Backoff, Pauses
from actors.shard.shard import Shard
from actors.shard.things.pump import Pump
from actors.transport.clients import Clients
from actors.transport.messages.of_doors import Tell
from actors.transport.placement import pinned, socket_of
from engine.errors import SegueError
from engine.inputs import Fact

_AT_ONCE: Final = 16
_AGAIN: Final = Backoff(first_s=0.1, most_s=5.0)


class FactsElsewhere:
    """One per shard server. `arrived` is called after each, so that the shard commits the change."""

    def __init__(
        self, shard: Shard, pump: Pump, peers: Sequence[str], clients: Clients, arrived: Callable[[], None]
    ) -> None:
        self._shard, self._waiting = shard, pump.elsewhere
        self._peers, self._clients, self._arrived = list(peers), clients, arrived
        self._under_way: dict[bytes, asyncio.Task[None]] = {}
        self._pauses = Pauses(_AGAIN)

    def send(self) -> None:
        """Tell some of those who wait."""
        now_s = asyncio.get_running_loop().time()
        for key, (profile, fact) in list(self._waiting.items()):
            if len(self._under_way) >= _AT_ONCE:
                return
            if key not in self._under_way and not self._pauses.has(profile, now_s):
                self._under_way[key] = asyncio.create_task(self._tell(key, profile, fact))

    def close(self) -> None:
        """Tell no more; what is under way is told again after the next start."""
        for task in self._under_way.values():
            task.cancel()

    async def _tell(self, key: bytes, profile: str, fact: Fact) -> None:
        try:
            await self._clients.call(socket_of(pinned(profile), self._peers), Tell(profile, fact))
        except SegueError:  # its process is started, or it has come home meanwhile: the next look finds it
            self._pauses.lengthen(profile, asyncio.get_running_loop().time())
        else:
            self._pauses.end(profile)
            self._shard.facts.count_late(fact)
            self._shard.facts.drop_late(key)
        del self._waiting[key], self._under_way[key]
        self._arrived()
