"""The only reader of the wall clock. Everything else is given a clock."""

from __future__ import annotations

import time
from typing import Protocol

stopwatch = time.perf_counter  # seconds, for how long something took: no rule ever sees it


class Clock(Protocol):
    """Where a shell gets `now_ms` (UTC epoch) from."""

    def now_ms(self) -> int:
        """The time that turns go by."""
        ...


class WallClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


class ReplayClock:
    """A clock that stands still until the replay endpoint moves it, and never goes back."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Where the clock was put last."""
        return self._now_ms

    def move_to(self, now_ms: int) -> None:
        """Move forward; an earlier time changes nothing."""
        self._now_ms = max(self._now_ms, now_ms)
