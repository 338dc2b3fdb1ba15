"""Admission control of a replica: how many requests, and how many bytes of their bodies, it holds at once.

- While a body arrives, it counts among `ArrivingBodies`, by what has come of it. When room runs short there, the body
  that has been arriving for longest is given up.
- Once its body is whole, a request is `InFlight` until it is answered. Each kind of request has a limit of its own, so
  what may be shed is refused first, before its body is read. Above that limit a batch is still looked into, because it
  may hold an event that is never shed (`engine/events/shedding.py`). Opt-outs, exposures and queries find room even
  when both of those are at their limits.
- Requests without a key have limits of their own, and small ones: nobody without a key takes room from those who have
  one.

A question whether the process lives is never counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import msgspec

from engine.errors import Overloaded

_RETRY_MS = 1_000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Limit:
    """The most requests and bytes that may be there for one more request of a kind to be let in."""

    requests_max: int
    bytes_max: int


# 3 MB are some hundred batches of a hundred events, about a second of work for two cores. More would wait longer and be
# done no sooner.
SHEDDABLE = Limit(512, 3 << 20)
LOOKED_INTO = Limit(768, 4 << 20)
NEVER_SHED = Limit(1_024, 32 << 20)
WITHOUT_KEY = Limit(128, 1 << 20)

ARRIVING = Limit(1_024, 32 << 20)
ARRIVING_WITHOUT_KEY = Limit(256, 4 << 20)

_REFUSE_AFTER_S: Final = 2.5  # well within the shortest timeout of a client that we know, 10 s
_REFUSED_HELD_MAX: Final = 4_096
_FAULTY_PER_S: Final = 50.0
_LOOK_S: Final = 1.0


class Admission:
    """All that a replica holds, with a key and without. One per replica."""

    def __init__(self) -> None:
        self.keyed, self.keyless = InFlight(), InFlight()
        self.keyed_arriving, self.keyless_arriving = ArrivingBodies(ARRIVING), ArrivingBodies(ARRIVING_WITHOUT_KEY)
        self._refused = 0
        self._faulty_left, self._faulty_at_s = _FAULTY_PER_S, 0.0

    @property
    def requests(self) -> int:
        """How many are in flight, or arrive."""
        counted = (self.keyed, self.keyless, self.keyed_arriving, self.keyless_arriving)
        return sum(each.requests for each in counted)

    async def give_up_slow(self, most_s: float) -> None:
        """Give up each body that takes longer than that, or a second more, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for arriving in (self.keyed_arriving, self.keyless_arriving):
                arriving.give_up_before(asyncio.get_running_loop().time() - most_s)

    async def hold_faulty(self) -> None:
        """Delay the answer to a faulty request, where such requests come faster than `_FAULTY_PER_S`; one alone is
        answered at once."""
        now_s = asyncio.get_running_loop().time()
        earned = (now_s - self._faulty_at_s) * _FAULTY_PER_S
        self._faulty_left, self._faulty_at_s = min(_FAULTY_PER_S, self._faulty_left + earned), now_s
        if self._faulty_left >= 1:
            self._faulty_left -= 1
        else:
            await self.hold_refused()

    async def hold_refused(self) -> None:
        """Delay the answer to a refused batch, unless many wait already. Without the delay, a client that comes back at
        once, over and over, would cost as much as one that is let in."""
        if self._refused < _REFUSED_HELD_MAX:
            self._refused += 1
            try:
                await asyncio.sleep(_REFUSE_AFTER_S)
            finally:
                self._refused -= 1


class InFlight:
    """Requests that are being answered; their bodies are whole."""

    def __init__(self) -> None:
        self.requests = self.bytes = 0

    def is_over(self, limit: Limit) -> bool:
        """Whether there are more than a limit allows. One request alone may be of any size, as in `has_room`."""
        return self.requests > limit.requests_max or (self.requests > 1 and self.bytes > limit.bytes_max)

    def has_room(self, limit: Limit) -> bool:
        """Whether one more may come in. While there is any room, the next one comes in whatever its size: large ones
        would never find room enough otherwise."""
        return self.requests < limit.requests_max and (self.requests == 0 or self.bytes < limit.bytes_max)

    def check(self, limit: Limit) -> None:
        """Overloaded where there is no room for one more."""
        if not self.has_room(limit):
            raise Overloaded(_RETRY_MS)

    def enter(self, limit: Limit, size: int) -> Slot:
        """Count a request that takes `size` bytes; Overloaded where there is no room for it."""
        self.check(limit)
        return Slot(self, size)


class Slot:
    """A request that counts as in flight until its `with` ends."""

    __slots__ = ("_in_flight", "_size")

    def __init__(self, in_flight: InFlight, size: int) -> None:
        self._in_flight, self._size = in_flight, size
        in_flight.requests += 1
        in_flight.bytes += size

    def __enter__(self) -> Slot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.requests -= 1
        self._in_flight.bytes -= self._size


class ArrivingBodies:
    """Bodies that are still arriving. None is turned away. When they are too many, the one that began first is given
    up: an honest body is there within moments, so the oldest is the likeliest to be held back on purpose."""

    def __init__(self, limit: Limit) -> None:
        self.bytes = 0
        self._line = limit
        self._arriving: dict[ArrivingBody, None] = {}  # the first to come first

    @property
    def requests(self) -> int:
        """How many there are."""
        return len(self._arriving)

    def enter(self, give_up: Callable[[], object], at_s: float = 0.0) -> ArrivingBody:
        """Room for a body of which nothing has come yet. `give_up` is called if it must make room for others, or takes
        too long. `at_s` is now, on any clock."""
        arrival = ArrivingBody(self, give_up, at_s)
        self._arriving[arrival] = None
        self._make_room()
        return arrival

    def give_up_before(self, at_s: float) -> None:
        """Give up the bodies that began to arrive before `at_s`."""
        while self._arriving and (first := next(iter(self._arriving))).at_s < at_s:
            self._give_up(first)

    def _make_room(self) -> None:
        while len(self._arriving) > 1 and (
            len(self._arriving) > self._line.requests_max or self.bytes > self._line.bytes_max
        ):
            self._give_up(next(iter(self._arriving)))

    def _give_up(self, arrival: ArrivingBody) -> None:
        self._leave(arrival)
        arrival.is_given_up = True
        arrival.give_up()

    def _leave(self, arrival: ArrivingBody) -> None:
        if arrival in self._arriving:
            del self._arriving[arrival]
            self.bytes -= arrival.size


class ArrivingBody:
    """A body on its way. It counts until the end of its `with`, whole or not."""

    __slots__ = ("_bodies", "at_s", "give_up", "is_given_up", "size")

    def __init__(self, arriving: ArrivingBodies, give_up: Callable[[], object], at_s: float) -> None:
        self._bodies, self.give_up, self.at_s = arriving, give_up, at_s
        self.size, self.is_given_up = 0, False

    def grow(self, size: int) -> None:
        """So many bytes have arrived now."""
        if self in self._bodies._arriving:
            self._bodies.bytes += size - self.size
            self.size = size
            self._bodies._make_room()

    def __enter__(self) -> ArrivingBody:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bodies._leave(self)


def may_name(body: bytes, names: frozenset[str]) -> bool:
    """Whether a JSON body may name one of these events; true where only parsing could tell."""
    if b"\\" in body:  # JSON may escape any letter of a name (RFC 8259, 7)
        return True
    return any(_encode(name)[1:-1] in body for name in names)
