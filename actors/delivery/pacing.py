"""Decides how many messages of a channel are fetched ahead, and which of them its provider gets next.

A message that a dispatcher has fetched is neither waiting nor sent: an opt-out cannot call it back, and a crash makes
it `unknown`. So no more is fetched than can be sent soon, judged by how long the provider took lately. A message that
still waits for its turn after a while goes back to its shard, as if it had never been fetched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from actors.platform.clock import stopwatch

PATIENCE_S: Final = 10.0  # how long a fetched message waits for its turn before it goes back
_SOON_S: Final = 5.0  # as many messages as the provider takes within this time may be fetched ahead
_IN_HAND_MAX: Final = 256  # fetched and not settled, however fast the provider is
_FETCH_MAX: Final = 64
_EXPECTED_S: Final = 1.0  # the time of a hand-over to a provider of which nothing is known yet
_WEIGHT: Final = 0.2  # of the newest hand-over in the expected time
_FASTEST_S: Final = 0.001  # guards the division by the expected time


class NotBegun(Exception):
    """A message waited for its turn too long, or its pacer was closed. Its provider was told nothing."""


class Pacer:
    """One per channel: at most `places` hand-overs at a time, in order of arrival."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = places
        self._line: deque[asyncio.Future[None]] = deque()
        self._in_hand = 0
        self._expected_s = _EXPECTED_S
        self.is_closed = False
        self._left = asyncio.Event()  # a message was settled or went back, or the pacer was closed

    @property
    def room(self) -> int:
        """How many more may be fetched now."""
        soon = int(self.places * _SOON_S / max(self._expected_s, _FASTEST_S))
        return min(max(soon, self.places + 1), _IN_HAND_MAX) - self._in_hand

    async def share_of_room(self, sharers: int) -> int:
        """How many messages one of several pulls may fetch, at least 1. Waits for room; 0 once the pacer is closed."""
        while self.room <= 0 and not self.is_closed:
            self._left.clear()
            await self._left.wait()
        return 0 if self.is_closed else min(max(1, self.room // sharers), _FETCH_MAX)

    def fetched(self, count: int) -> None:
        """So many messages were fetched and will ask for a `turn`."""
        self._in_hand += count

    def done(self) -> None:
        """One message that was fetched was settled, or went back."""
        self._in_hand -= 1
        self._left.set()

    @asynccontextmanager
    async def turn(self, patience_s: float | None = None) -> AsyncIterator[None]:
        """A place at the provider, held while the block runs. Raises NotBegun where none is free within `patience_s`
        (None waits without end), or the pacer is closed."""
        await self._enter(patience_s)
        began_s = stopwatch()
        try:
            yield
        finally:
            self._expected_s += _WEIGHT * (stopwatch() - began_s - self._expected_s)
            self._leave()

    def close(self) -> None:
        """Messages that have not begun go back; those that have begun come to their end."""
        self.is_closed = True
        self._left.set()
        while self._line:
            _fail(self._line.popleft())

    async def _enter(self, patience_s: float | None) -> None:
        if self.is_closed:
            raise NotBegun
        if self._free:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            async with asyncio.timeout(patience_s):
                await place
        except BaseException as error:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._leave()  # the place came free at the same instant; without this it would be lost for ever
            raise NotBegun from None if isinstance(error, TimeoutError) else error

    def _leave(self) -> None:
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


def _fail(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_exception(NotBegun())
