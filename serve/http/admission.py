"""The door of a replica: how many requests, and how many bytes of their bodies, are inside at once.

A body arrives on the porch (`Porch`): there only what has arrived counts, and where it gets short of room, whoever has
been arriving for longest goes. Requests whose bodies are whole stand in the house (`House`), where each kind may fill
it up to a line of its own. So what may be shed is turned away first, before its body is read; batches above that line
are looked into, because one may hold what is never shed (`engine/events/shedding.py`); and opt-outs, exposures and
readings still find room when both are at their lines. Whoever shows no key has a porch and a house apart, both small,
so that nobody without one takes room from those who have one. Whoever asks only whether the process lives is never
counted.
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
class Line:
    """Up to where a kind of request may fill a room."""

    requests_max: int
    bytes_max: int


# 3 MB are some hundred batches of a hundred events, about a second of work for two cores. More would wait longer and be
# done no sooner.
SHEDDABLE = Line(512, 3 << 20)
LOOKED_INTO = Line(768, 4 << 20)
NEVER_SHED = Line(1_024, 32 << 20)
WITHOUT_KEY = Line(128, 1 << 20)

PORCH = Line(1_024, 32 << 20)
PORCH_WITHOUT_KEY = Line(256, 4 << 20)

_REFUSE_AFTER_S: Final = 2.5  # the shortest timeout of a client that we know is 10 s
_REFUSED_HELD_MAX: Final = 4_096
_FAULTY_PER_S: Final = 50.0
_LOOK_S: Final = 1.0


class Admission:
    """One per replica."""

    def __init__(self) -> None:
        self.keyed, self.keyless = House(), House()
        self.keyed_porch, self.keyless_porch = Porch(PORCH), Porch(PORCH_WITHOUT_KEY)
        self._refused = 0
        self._faulty_left, self._faulty_at_s = _FAULTY_PER_S, 0.0

    @property
    def requests(self) -> int:
        """How many are inside or arrive."""
        rooms = (self.keyed, self.keyless, self.keyed_porch, self.keyless_porch)
        return sum(room.requests for room in rooms)

    async def give_up_slow(self, most_s: float) -> None:
        """Wait for no body longer than that, or a second more, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for porch in (self.keyed_porch, self.keyless_porch):
                porch.give_up_before(asyncio.get_running_loop().time() - most_s)

    async def hold_faulty(self) -> None:
        """Let whoever sends what is of no use wait for its answer, where such requests come faster than
        `_FAULTY_PER_S`: one alone is answered at once."""
        now_s = asyncio.get_running_loop().time()
        earned = (now_s - self._faulty_at_s) * _FAULTY_PER_S
        self._faulty_left, self._faulty_at_s = min(_FAULTY_PER_S, self._faulty_left + earned), now_s
        if self._faulty_left >= 1:
            self._faulty_left -= 1
        else:
            await self.hold_refused()

    async def hold_refused(self) -> None:
        """Let a refused batch wait for its answer, unless many do: a client that comes back at once, over and over,
        would cost as much as one that is let in."""
        if self._refused < _REFUSED_HELD_MAX:
            self._refused += 1
            try:
                await asyncio.sleep(_REFUSE_AFTER_S)
            finally:
                self._refused -= 1


class House:
    """Requests that are worked on; their bodies are whole."""

    def __init__(self) -> None:
        self.requests = self.bytes = 0

    def is_over(self, line: Line) -> bool:
        """Whether those inside are more than a line allows."""
        return self.requests > line.requests_max or (self.requests > 1 and self.bytes > line.bytes_max)

    def has_room(self, line: Line) -> bool:
        """Whether one more may come in. While there is any room the next one gets in, whatever its size, or large
        ones would never find enough."""
        return self.requests < line.requests_max and (self.requests == 0 or self.bytes < line.bytes_max)

    def check(self, line: Line) -> None:
        """Overloaded where there is no room for one more."""
        if not self.has_room(line):
            raise Overloaded(_RETRY_MS)

    def enter(self, line: Line, size: int) -> Slot:
        """A place for a request that takes `size` bytes; Overloaded where there is none."""
        self.check(line)
        return Slot(self, size)


class Slot:
    """Held until the answer is on its way."""

    __slots__ = ("_house", "_size")

    def __init__(self, house: House, size: int) -> None:
        self._house, self._size = house, size
        house.requests += 1
        house.bytes += size

    def __enter__(self) -> Slot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._house.requests -= 1
        self._house.bytes -= self._size


class Porch:
    """Bodies that are still arriving. Nobody is turned away: where it gets full, the one that came first is given up,
    because an honest body is there at once, and one that is not has waited for longest."""

    def __init__(self, line: Line) -> None:
        self.bytes = 0
        self._line = line
        self._arriving: dict[Arrival, None] = {}  # the first to come first

    @property
    def requests(self) -> int:
        """How many bodies arrive."""
        return len(self._arriving)

    def enter(self, give_up: Callable[[], object], at_s: float = 0.0) -> Arrival:
        """Room for a body of which nothing has come yet; `give_up` is called where it must make room for others, or
        is waited for too long. `at_s` is now, on any clock."""
        arrival = Arrival(self, give_up, at_s)
        self._arriving[arrival] = None
        self._make_room()
        return arrival

    def give_up_before(self, at_s: float) -> None:
        """Wait no more for bodies that began to arrive before `at_s`."""
        while self._arriving and (first := next(iter(self._arriving))).at_s < at_s:
            self._give_up(first)

    def _make_room(self) -> None:
        while len(self._arriving) > 1 and (
            len(self._arriving) > self._line.requests_max or self.bytes > self._line.bytes_max
        ):
            self._give_up(next(iter(self._arriving)))

    def _give_up(self, arrival: Arrival) -> None:
        self._leave(arrival)
        arrival.is_given_up = True
        arrival.give_up()

    def _leave(self, arrival: Arrival) -> None:
        if arrival in self._arriving:
            del self._arriving[arrival]
            self.bytes -= arrival.size


class Arrival:
    """A body on its way; leave by the end of `with`, whole or not."""

    __slots__ = ("_porch", "at_s", "give_up", "is_given_up", "size")

    def __init__(self, porch: Porch, give_up: Callable[[], object], at_s: float) -> None:
        self._porch, self.give_up, self.at_s = porch, give_up, at_s
        self.size, self.is_given_up = 0, False

    def grow(self, size: int) -> None:
        """So many bytes have arrived now."""
        if self in self._porch._arriving:
            self._porch.bytes += size - self.size
            self.size = size
            self._porch._make_room()

    def __enter__(self) -> Arrival:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._porch._leave(self)


def may_name(body: bytes, names: frozenset[str]) -> bool:
    """Whether a JSON body may name one of these events; says yes where only parsing could tell."""
    if b"\\" in body:
        return True
    return any(_encode(name)[1:-1] in body for name in names)
