"""How much of a channel's mail may be in hand, and whose turn it is at its provider.

A message that a dispatcher has is neither waiting nor sent: an opt-out cannot call it back, and a crash makes it
`unknown`. So only what can be sent soon is fetched, by how long the provider took lately; and what still waits in line
after a while goes back, as if it had never been fetched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from actors.platform.clock import stopwatch

PATIENCE_S: Final = 10.0
_SOON_S: Final = 5.0
_IN_HAND_MAX: Final = 256
_FETCH_MAX: Final = 64
_EXPECTED_S: Final = 1.0  # of a provider of which nothing is known yet
_WEIGHT: Final = 0.2  # of the newest hand-over in what is expected
_FASTEST_S: Final = 0.001


class NotBegun(Exception):
    """It waited in line for too long, or the gate was closed; its provider was asked nothing."""


class Gate:
    """One per channel: at most `places` hand-overs at a time, in order of arrival."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = places
        self._line: deque[asyncio.Future[None]] = deque()
        self._in_hand = 0
        self._expected_s = _EXPECTED_S
        self.is_closed = False
        self._left = asyncio.Event()  # somebody left, or it was closed

    @property
    def room(self) -> int:
        """How many more may be fetched now."""
        soon = int(self.places * _SOON_S / max(self._expected_s, _FASTEST_S))
        return min(max(soon, self.places + 1), _IN_HAND_MAX) - self._in_hand

    async def share_of_room(self, sharers: int) -> int:
        """How many one of several may fetch, at least 1, as soon as there is room; 0 once the gate is closed."""
        while self.room <= 0 and not self.is_closed:
            self._left.clear()
            await self._left.wait()
        return 0 if self.is_closed else min(max(1, self.room // sharers), _FETCH_MAX)

    def fetched(self, count: int) -> None:
        """So many are on their way to `turn`."""
        self._in_hand += count

    def done(self) -> None:
        """One of those that were fetched is nobody's here any more."""
        self._in_hand -= 1
        self._left.set()

    @asynccontextmanager
    async def turn(self, patience_s: float | None = None) -> AsyncIterator[None]:
        """A place at the provider. Raises NotBegun where none is free within `patience_s` (None: however long it
        takes), or the gate is closed."""
        await self._enter(patience_s)
        began_s = stopwatch()
        try:
            yield
        finally:
            self._expected_s += _WEIGHT * (stopwatch() - began_s - self._expected_s)
            self._leave()

    def close(self) -> None:
        """Whoever has not begun goes back; what has begun comes to its end."""
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
                self._leave()  # it came in the same moment
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
