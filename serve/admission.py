"""The door of a replica: how many requests, and how many bytes of their bodies, are inside at once.

All count together, and each kind of request may fill the house up to a line of its own. So what may be shed is turned
away first, before its body is read; batches above that line are looked into, because one may hold what is never shed
(`engine/shedding.py`); and opt-outs, exposures and readings still find room when both are at their lines. Whoever asks
only whether the process lives is never counted.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType

import msgspec

from engine.errors import Overloaded

_RETRY_MS = 1_000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Line:
    """Up to where a kind of request may fill the house."""

    requests_max: int
    bytes_max: int


# 3 MB are some hundred batches of a hundred events, about a second of work for two cores. More would wait longer and be
# done no sooner.
SHEDDABLE = Line(512, 3 << 20)
LOOKED_INTO = Line(768, 4 << 20)
NEVER_SHED = Line(1_024, 32 << 20)

_REFUSE_AFTER_S = 2.5  # the shortest timeout of a client that we know is 10 s
_REFUSED_HELD_MAX = 4_096


class Admission:
    """One per replica."""

    def __init__(self) -> None:
        self.requests = self.bytes = 0
        self._refused = 0

    async def hold_refused(self) -> None:
        """Let a refused batch wait for its answer, unless many do: a client that comes back at once, over and over,
        would cost as much as one that is let in."""
        if self._refused < _REFUSED_HELD_MAX:
            self._refused += 1
            try:
                await asyncio.sleep(_REFUSE_AFTER_S)
            finally:
                self._refused -= 1

    def is_over(self, line: Line) -> bool:
        """Whether those inside are more than a line allows."""
        return self.requests > line.requests_max or (self.requests > 1 and self.bytes > line.bytes_max)

    def enter(self, line: Line, size: int) -> Place:
        """A place for a request whose body has `size` bytes, as far as is known; Overloaded where there is none.

        While there is any room the next one gets in, whatever its size, or large ones would never find enough.
        """
        if self.requests >= line.requests_max or (self.requests > 0 and self.bytes >= line.bytes_max):
            raise Overloaded(_RETRY_MS)
        return Place(self, line, size)


class Place:
    """Held from before the body is read until the answer is on its way."""

    __slots__ = ("_admission", "_line", "_size")

    def __init__(self, admission: Admission, line: Line, size: int) -> None:
        self._admission, self._line, self._size = admission, line, size
        admission.requests += 1
        admission.bytes += size

    def grow(self, size: int) -> None:
        """The body turned out to have `size` bytes, packed and unpacked; Overloaded where there is no room for them."""
        more, inside = size - self._size, self._admission
        if more <= 0:
            return
        if inside.requests > 1 and inside.bytes >= self._line.bytes_max:
            raise Overloaded(_RETRY_MS)
        inside.bytes += more
        self._size = size

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission.requests -= 1
        self._admission.bytes -= self._size


def may_name(body: bytes, names: frozenset[str]) -> bool:
    """Whether a JSON body may name one of these events; says yes where only parsing could tell."""
    if b"\\" in body:
        return True
    return any(_encode(name)[1:-1] in body for name in names)
