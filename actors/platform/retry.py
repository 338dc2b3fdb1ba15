"""Works out when a failed call is repeated: after a pause that grows, cut at random so that many callers that failed
together do not come back together. No clock is read here; the caller waits."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Awaitable, Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_DOUBLINGS_MAX = 30  # beyond them every pause is `most_s` anyway


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses from `first_s`, each twice the one before, up to `most_s`, less up to a half of each. All pauses of one
    effort together take `patience_s` at most."""

    first_s: float
    most_s: float
    patience_s: float = math.inf

    def pause_s(self, failures: int, drawn: float) -> float:
        """The pause after so many failures in a row, 1 or more; `drawn` is a random number from 0 to 1."""
        whole_s = min(self.most_s, math.ldexp(self.first_s, min(failures - 1, _DOUBLINGS_MAX)))
        return whole_s * (1 - drawn / 2)

    def pauses(self, draw: Callable[[], float] = random.random) -> Iterator[float]:
        """The pauses of one effort, until its patience is at an end."""
        left_s = self.patience_s
        for failures in itertools.count(1):
            if left_s <= 0:
                return
            pause_s = min(left_s, self.pause_s(failures, draw()))
            left_s -= pause_s
            yield pause_s


async def repeated(ask: Callable[[], Awaitable[T]], backoff: Backoff, fault: type[Exception]) -> T:
    """Ask until there is an answer. An error that is no `fault` is raised at once; a `fault` is raised when patience is
    at an end. Only for calls that may happen twice."""
    for pause_s in backoff.pauses():
        try:
            return await ask()
        except fault:
            await asyncio.sleep(pause_s)
    return await ask()


class Pauses:
    """Callees that are left alone for a while because they failed, each for as long as `backoff` says. Times are those
    of the caller's clock, in seconds."""

    def __init__(self, backoff: Backoff, draw: Callable[[], float] = random.random) -> None:
        self._backoff, self._draw = backoff, draw
        self._paused: dict[Hashable, tuple[float, int]] = {}  # until when, after how many failures

    def has(self, who: Hashable, now_s: float) -> bool:
        """Whether they are still left alone."""
        return self._paused.get(who, (0.0, 0))[0] > now_s

    def lengthen(self, who: Hashable, now_s: float) -> float:
        """They failed once more; returns for how many seconds they are left alone."""
        failures = self._paused.get(who, (0.0, 0))[1] + 1
        pause_s = self._backoff.pause_s(failures, self._draw())
        self._paused[who] = now_s + pause_s, failures
        return pause_s

    def end(self, who: Hashable) -> None:
        """They work again."""
        self._paused.pop(who, None)
