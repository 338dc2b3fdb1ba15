"""How far stated times are believed: clocks run ahead or behind, and anybody may state anything.

The history believes a time up to five minutes ahead, because clocks differ. The time that decides which of two
statements is newer (traits, locale, zone, address, consent) is never ahead of the turn that hears it, so that no
statement lasts for ever because of a wrong clock. A live no counts from its arrival, an imported one from when it was
said.
"""

from __future__ import annotations

from typing import Final

FUTURE_MS_MAX: Final = 5 * 60_000


def of_event(at_ms: int, now_ms: int) -> int:
    """The time of an event, for the history, windows, stops and waits."""
    return max(0, min(at_ms, now_ms + FUTURE_MS_MAX))


def of_fact(at_ms: int, now_ms: int) -> int:
    """The time of a stated value, by which the newer one wins: never ahead of `now_ms`, the clock of the turn."""
    return min(at_ms, now_ms)


def of_consent(at_ms: int, now_ms: int, *, granted: bool, imported: bool) -> int:
    """The time from which a yes or a no counts: the earlier of stated and received; for a live no its arrival.

    So a yes lifts a no only where it is later both by what was stated and by arrival.
    """
    return of_fact(at_ms, now_ms) if granted or imported else now_ms
