"""Asks shard 0 for blocks of tokens, beside the turns: at most one question at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from actors.shard.budget_leases import Wanted
from actors.shard.shard import Shard
from actors.transport.wire import FrameClient
from engine.errors import SegueError

_ASK_S = 5.0
_encode = msgspec.msgpack.Encoder().encode
_granted = msgspec.msgpack.Decoder(list[int])
wanted = msgspec.msgpack.Decoder(list[Wanted])


class LeaseRequests:
    """One per shard server."""

    def __init__(self, shard: Shard, authority: str, wake: Callable[[], None]) -> None:
        self._shard, self._wake = shard, wake
        self._client = FrameClient(authority)
        self._asking: asyncio.Task[None] | None = None
        self._arrived: list[tuple[Wanted, int]] = []

    async def first(self) -> None:
        """Before the first turn: a block of each budget, where shard 0 answers soon."""
        self.work()
        if self._asking is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._asking), _ASK_S)
            self.work()

    def work(self) -> None:
        """Take what has come, and ask for what is needed. Called between groups."""
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
            answer = await self._client.call("lease", _encode(missing))
            self._arrived += zip(missing, _granted.decode(answer), strict=True)
        except (SegueError, OSError):  # shard 0 is away; the next group asks again
            await asyncio.sleep(0.1)
        finally:
            self._asking = None
            self._wake()
