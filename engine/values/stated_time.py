"""What a time that somebody states may do: their clock may run ahead or behind, and anybody may state anything.

The history believes a time up to five minutes ahead, for clocks do differ. What decides which of two words is the newer
one (traits, locale, zone, address, consent) is never ahead of the turn that hears it, so nothing lasts for ever because
of a clock. A no that arrives through the live door counts from its arrival; what is imported counts from when it was
said.
"""

from __future__ import annotations

from typing import Final

FUTURE_MS_MAX: Final = 5 * 60_000


def of_event(at_ms: int, now_ms: int) -> int:
    """When an event happened, for the history, windows, stops and waits."""
    return max(0, min(at_ms, now_ms + FUTURE_MS_MAX))


def of_fact(at_ms: int, now_ms: int) -> int:
    """From when on a stated value counts against another: never ahead of `now_ms`, the clock of the turn."""
    return min(at_ms, now_ms)


def of_consent(at_ms: int, now_ms: int, *, granted: bool, imported: bool) -> int:
    """From when on a yes or a no counts: the earlier of stated and received, and for a live no its arrival.

    A yes lifts a no only where it is later than this, which is later both by what was stated and by arrival.
    """
    return of_fact(at_ms, now_ms) if granted or imported else now_ms
