"""The only reader of the wall clock. Everything else is given a clock.

How an engine on the wall clock follows the machine's clock (docs/operations.md#the-clock):

    the machine's clock …                               the engine's clock …
    is off by a minute at most                          runs a tenth faster or slower until both agree
    is off by more: it has jumped                       goes on as before, by the time since the machine was started
    … and has stayed there for a minute                 goes there in one step, forward or back
    … and has come back before that                     has not changed

So a clock that is wrong for less than a minute reaches no customer. Where a wrong future was believed, and the clock
was set back later, customers who had turns in that future are set back one by one (`actors.shard.rounds.setting_back`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from actors.platform import durable, logs

stopwatch = time.perf_counter  # seconds; measures how long something took, and no rule depends on it

SLEW_MS: Final = 60_000  # the largest difference that is made up gradually; a larger one is a jump
STANDS_MS: Final = 60_000  # how long a jump must last to be believed
_PART: Final = 10  # making up a difference takes ten times as long as the difference

_MS: Final = 1_000_000
_ABOUT_MS: Final = 10_000  # a store writes the time of its newest turn only when this rounding changes it
_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

log = logging.getLogger(__name__)


class Clock(Protocol):
    """Gives a shell `now_ms` (UTC epoch), and says how far it can be trusted."""

    jumps: int = 0  # how often the machine's clock has jumped
    times_set_back: int = 0  # how often there was reason to look for customers with turns in a wrong future

    @property
    def behind_ms(self) -> int:
        """By how much the machine's clock is ahead of this one; negative where it is behind."""
        return 0

    @property
    def is_settled(self) -> bool:
        """Whether a turn ahead of this clock was surely made in a wrong future. While it is False, this clock itself
        may be behind."""
        return True

    def now_ms(self) -> int:
        """The time that turns go by."""
        ...

    def of_turn_ms(self, last_ms: int) -> int:
        """The time for a turn of a customer whose last turn was at `last_ms`. A clock in doubt sets nobody back."""
        return self.now_ms() if self.is_settled else max(self.now_ms(), last_ms)

    def about_now_ms(self) -> int:
        """The time rounded down to ten seconds: a store keeps the time of its newest turn no more exactly."""
        return self.now_ms() // _ABOUT_MS * _ABOUT_MS

    def doubt(self, newest_ms: int) -> None:
        """Learn that the data's newest turn was at this time."""
        return  # only a clock that follows the machine's can be behind its data


def clock_file(sockets: Path) -> Path:
    """The file in which the processes of an engine agree on the time, in the folder of its sockets."""
    return sockets / "clock"


def _since_boot_ns() -> int:
    """The time since the machine was started. Nobody can set it, it goes on while the machine sleeps, and all processes
    of the machine see the same."""
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
        self._offset_ns = self._agreed_ns()  # this clock is the time since boot plus this
        self._jump_ns = 0  # the offset to which the machine's clock has jumped
        self._jumped_ns: int | None = None  # when it jumped, by the time since boot; None where it has not
        self._doubt_ns = 0  # until when, by the time since boot, the machine's clock may not have been set yet
        self.jumps = 0
        self.times_set_back = 0  # a doubt counts too, though there may be nobody to set back then

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        now_ns = self._since_boot_ns()
        ahead_ns = self._wall_ns() - now_ns - self._offset_ns
        if abs(ahead_ns) <= SLEW_MS * _MS:
            if self._jumped_ns is not None:
                logs.tell(log, logging.WARNING, "clock_jump_over", after_ms=(now_ns - self._jumped_ns) // _MS)
                self._jumped_ns = None
            most_ns = max(0, now_ns - self._looked_ns) // _PART  # so slewing never stops this clock, nor turns it back
            self._offset_ns += max(-most_ns, min(most_ns, ahead_ns))
        else:
            self._follow_if_it_lasts(now_ns, ahead_ns)
        self._looked_ns = now_ns
        return (now_ns + self._offset_ns) // _MS

    @property
    def behind_ms(self) -> int:
        """By how much the machine's clock is ahead of this one; negative where it is behind."""
        return (self._wall_ns() - self._since_boot_ns() - self._offset_ns) // _MS

    @property
    def is_settled(self) -> bool:
        """Whether a turn ahead of this clock was surely made in a wrong future."""
        return self._since_boot_ns() >= self._doubt_ns

    def doubt(self, newest_ms: int) -> None:
        """Learn the time of the data's newest turn. Where it lies ahead, either the clock was wrong then, or the
        machine's clock has not been set yet; for a minute the second is assumed."""
        ahead_ms = newest_ms - self.now_ms()
        if ahead_ms > SLEW_MS:
            logs.tell(log, logging.WARNING, "clock_behind_its_data", by_ms=ahead_ms)
            self._doubt_ns = self._since_boot_ns() + STANDS_MS * _MS
            self.jumps += 1
            self.times_set_back += 1

    def _follow_if_it_lasts(self, now_ns: int, ahead_ns: int) -> None:
        """The machine's clock is more than a minute off: follow it once that has lasted. A clock that may not have been
        set yet is followed forward at once."""
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
        """The offset that the first process of the engine saw. A process that starts while the machine's clock is wrong
        takes it from there."""
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
            except OSError as error:  # then each process goes by the machine's clock as it sees it
                logs.fault(log, "clock_not_shared", error)


class ReplayClock(Clock):
    """A clock that stands still until the replay endpoint moves it, and never goes back."""

    def __init__(self, now_ms: int = 0) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """The time to which the clock was moved last."""
        return self._now_ms

    def move_to(self, now_ms: int) -> None:
        """Move forward; an earlier time changes nothing."""
        self._now_ms = max(self._now_ms, now_ms)
