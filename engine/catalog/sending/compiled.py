"""What a `send` step sends, and what guards a journey, as they are compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.vocabulary import HOUR_MS

# The words of a fallback that a gate's no can mean.
OF_GATES: Final = frozenset(("no_address", "no_consent", "held"))


@dataclass(frozen=True, slots=True)
class Sending:
    """One of `actions` goes out on one of `channels`, which are tried by the `rule`: in the order in which they stand,
    the one on which the customer reacted last first, the cheapest first, or (`score`) as the decision ranks them.

    The next one is tried for the words in `falls_on`. Times are 0 where nothing is awaited: the message is down where
    it was not handed over `down_ms` after its decision; silent, where it has led to nothing `silent_ms` after it left;
    a bounce is awaited for `bounced_ms`. `deadline_ms` counts from when the run came to the step; 0: none.
    """

    actions: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    rule: str = "order"
    falls_on: frozenset[str] = frozenset()
    down_ms: int = 0
    silent_ms: int = 0
    bounced_ms: int = 0
    deadline_ms: int = 0

    @property
    def awaits(self) -> bool:
        """Whether a run waits at the step for what becomes of its message."""
        return not self.falls_on <= OF_GATES


@dataclass(frozen=True, slots=True)
class Guards:
    """What bounds the messages of a run, and (`pace`) those of all runs: so many in so many milliseconds. None, 0:
    nothing does."""

    touches: int | None = None
    deadline_ms: int = 0
    pace: tuple[int, int] | None = None


NOTHING: Final = Sending()
UNGUARDED: Final = Guards()
BOUNCE_MS: Final = HOUR_MS  # how long a bounce is awaited where nothing else is said
