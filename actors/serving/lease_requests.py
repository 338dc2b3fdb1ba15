"""Asks shard 0 for blocks of budget tokens while turns go on, with one request at a time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Final

from actors.platform.retry import Backoff
from actors.shard.budget_leases import Wanted
from actors.shard.shard import Shard
from actors.transport.clients import Clients
from actors.transport.messages.of_shards import Lease
from engine.errors import SegueError

_ASK_S: Final = 5.0  # how long a start waits for shard 0, which may be starting too
_AWAY: Final = Backoff(first_s=0.1, most_s=1.0)  # while shard 0 does not answer


class LeaseRequests:
    """One per shard server. `authority` is the socket of shard 0."""

    def __init__(self, shard: Shard, authority: str, clients: Clients, wake: Callable[[], None]) -> None:
        self._shard, self._wake = shard, wake
        self._authority, self._clients = authority, clients
        self._failures = 0
        self._asking: asyncio.Task[None] | None = None
        self._arrived: list[tuple[Wanted, int]] = []

    async def first(self) -> None:
        """Before the first turn: take a block of each budget, if shard 0 answers soon."""
        self.work()
        if self._asking is not None:
            # Shielded: after the time-out the request goes on, and a later group takes its answer.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._asking), _ASK_S)
            self.work()

    def work(self) -> None:
        """Take the leases that have arrived, and ask for those that are needed. Called between groups."""
        while self._arrived:
            self._shard.leases.take(*self._arrived.pop())
        if self._shard.catalog.budgets and self._shard.leases.authority is None and self._asking is None:
            missing = self._shard.leases.wanted()
            if missing:
                self._asking = asyncio.create_task(self._ask(missing))

    def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, missing: list[Wanted]) -> None:
        try:
            answer = await self._clients.call(self._authority, Lease(missing))
            self._arrived += zip(missing, answer.tokens, strict=True)
            self._failures = 0
        except (SegueError, OSError):  # the next group asks again
            self._failures += 1
            await asyncio.sleep(_AWAY.pause_s(self._failures, random.random()))
        finally:
            self._asking = None
            self._wake()
