"""The only reader of the wall clock. Everything else is given a clock.

The rule by which an engine on the wall clock knows the time (docs/operations.md#the-clock):

    what the machine's clock says, is …                 the engine's clock …
    up to a minute before or behind                     gains or loses a tenth until it agrees, and never goes back
    further off: a jump                                 goes on as before, by the time since the machine was switched on
    … and that has stood for a minute                   goes there in one step, forward or back
    … and is over before that                           has not noticed

So what a clock says wrongly for less than a minute reaches no customer. Customers who were touched in a wrong future
that was believed are set back one by one, once the clock is (`actors.shard.setting_back`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from actors.platform import durable, logs

stopwatch = time.perf_counter  # seconds, for how long something took: no rule ever sees it

SLEW_MS: Final = 60_000  # a difference that is made up; what is larger is a jump
STANDS_MS: Final = 60_000  # how long a jump must last to be believed
_PART: Final = 10  # a difference is made up in ten times its length

_MS: Final = 1_000_000
_ABOUT_MS: Final = 10_000
_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

log = logging.getLogger(__name__)


class Clock(Protocol):
    """Where a shell gets `now_ms` (UTC epoch) from, and what it must know of how that came about."""

    jumps: int = 0  # how often the machine's clock has jumped
    times_set_back: int = 0  # how often there was reason to look for customers who live in a wrong future

    @property
    def behind_ms(self) -> int:
        """By how much the machine's clock is ahead now; below 0 where it is behind."""
        return 0

    @property
    def is_settled(self) -> bool:
        """Whether a customer whose last turn lies ahead was touched in a wrong future for sure."""
        return True

    def now_ms(self) -> int:
        """The time that turns go by."""
        ...

    def of_turn_ms(self, last_ms: int) -> int:
        """The time of a turn of somebody whose last one was at `last_ms`: nobody is set back by a clock in doubt."""
        return self.now_ms() if self.is_settled else max(self.now_ms(), last_ms)

    def about_now_ms(self) -> int:
        """The same to ten seconds: as exactly as a store knows the time of its newest turn."""
        return self.now_ms() // _ABOUT_MS * _ABOUT_MS

    def doubt(self, newest_ms: int) -> None:
        """The data's newest turn was at this time."""
        return  # only a clock that follows the machine's can be behind its data


def clock_file(sockets: Path) -> Path:
    """Where the processes of an engine agree on the time, in the folder of its sockets."""
    return sockets / "clock"


def _since_boot_ns() -> int:
    """Time that nobody sets, and that goes on while the machine sleeps; the same in all processes of the machine."""
    return time.clock_gettime_ns(_SINCE_BOOT)


class WallClock(Clock):
    """The machine's time, without its jumps. Processes that share a file agree on it, whenever they start."""

    def __init__(
        self,
        shared: Path | None = None,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        since_boot_ns: Callable[[], int] = _since_boot_ns,
    ) -> None:
        self._wall_ns, self._since_boot_ns, self._shared = wall_ns, since_boot_ns, shared
        self._looked_ns = since_boot_ns()
        self._offset_ns = self._agreed_ns()  # of this clock from the time since boot
        self._jump_ns = 0  # where the machine's clock has jumped to, as an offset
        self._jumped_ns: int | None = None  # when, by the time since boot
        self._doubt_ns = 0  # until when the machine's clock is not believed to be behind
        self.jumps = 0
        self.times_set_back = 0  # or doubted: then there may be nobody to set back

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        now_ns = self._since_boot_ns()
        ahead_ns = self._wall_ns() - now_ns - self._offset_ns
        if abs(ahead_ns) <= SLEW_MS * _MS:
            if self._jumped_ns is not None:
                logs.tell(log, logging.WARNING, "clock_jump_over", after_ms=(now_ns - self._jumped_ns) // _MS)
                self._jumped_ns = None
            most_ns = max(0, now_ns - self._looked_ns) // _PART
            self._offset_ns += max(-most_ns, min(most_ns, ahead_ns))
        else:
            self._stand(now_ns, ahead_ns)
        self._looked_ns = now_ns
        return (now_ns + self._offset_ns) // _MS

    @property
    def behind_ms(self) -> int:
        """By how much the machine's clock is ahead of this one now; below 0 where it is behind."""
        return (self._wall_ns() - self._since_boot_ns() - self._offset_ns) // _MS

    @property
    def is_settled(self) -> bool:
        """Whether a customer whose last turn lies ahead of this clock was touched in a wrong future for sure."""
        return self._since_boot_ns() >= self._doubt_ns

    def doubt(self, newest_ms: int) -> None:
        """Data says that it was later once: either it was wrong then, or the machine's clock has not been set yet."""
        ahead_ms = newest_ms - self.now_ms()
        if ahead_ms > SLEW_MS:
            logs.tell(log, logging.WARNING, "clock_behind_its_data", by_ms=ahead_ms)
            self._doubt_ns = self._since_boot_ns() + STANDS_MS * _MS
            self.jumps += 1
            self.times_set_back += 1

    def _stand(self, now_ns: int, ahead_ns: int) -> None:
        """A jump: it is followed when it has lasted."""
        offset_ns = self._offset_ns + ahead_ns
        if self._jumped_ns is None or abs(offset_ns - self._jump_ns) > SLEW_MS * _MS:
            logs.tell(log, logging.WARNING, "clock_jumped", by_ms=ahead_ns // _MS)
            self._jumped_ns, self._jump_ns = now_ns, offset_ns
            self.jumps += 1
        elif now_ns - self._jumped_ns >= STANDS_MS * _MS or (ahead_ns > 0 and now_ns < self._doubt_ns):
            logs.tell(log, logging.WARNING, "clock_set", by_ms=ahead_ns // _MS)
            self._offset_ns, self._jumped_ns = offset_ns, None
            self.times_set_back += ahead_ns < 0
            self._share()

    def _agreed_ns(self) -> int:
        """What the first process that started saw, so that one which starts during a jump knows better."""
        own_ns = self._wall_ns() - self._looked_ns
        try:
            return own_ns if self._shared is None else int(self._shared.read_text())
        except (OSError, ValueError):
            self._offset_ns = own_ns
            self._share()
            return own_ns

    def _share(self) -> None:
        if self._shared is not None:
            try:
                durable.write(self._shared, str(self._offset_ns))
            except OSError as error:  # each process then goes by what it sees
                logs.fault(log, "clock_not_shared", error)


class ReplayClock(Clock):
    """A clock that stands still until the replay endpoint moves it, and never goes back."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Where the clock was put last."""
        return self._now_ms

    def move_to(self, now_ms: int) -> None:
        """Move forward; an earlier time changes nothing."""
        self._now_ms = max(self._now_ms, now_ms)
