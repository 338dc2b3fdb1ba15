"""All that a condition may read of a customer. `engine.view` provides it for a profile under a catalog.

Conditions are parts of the catalog, so they cannot know it. They ask it through the methods below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from engine.conditions.event_atoms import EventAtom
from engine.profile import Profile
from engine.recent_events import Recent
from engine.values.subjects import Shelves


class Readable(Protocol):
    """A customer at an instant. `context` is what the caller said of the request; `trigger` are the properties of the
    event that started a run, where a run asks. `memo` keeps answers that are asked for often and found slowly."""

    profile: Profile
    history: Recent
    now_ms: int
    context: Mapping[str, Any]
    trigger: Mapping[str, Any]
    memo: dict[str, Any]

    def lent(self, name: str) -> Any:
        """The value of a trait, or the list `segments`, that a profile has lent which is probably the same person."""
        ...

    def times(self, atom: EventAtom) -> list[int]:
        """When the recent events happened that an atom is about, newest first."""
        ...

    def is_in_segment(self, segment: str) -> bool:
        """Whether the customer belongs to a segment; to one that the catalog does not have, nobody does."""
        ...

    def is_suppressed_by(self, rule: str) -> bool:
        """Whether a suppression rule holds of the customer, no action looked at."""
        ...

    def is_granted(self, purpose: str, channel: str) -> bool:
        """Whether promotional messages may use a channel for a purpose."""
        ...

    def shelves(self) -> Shelves:
        """In which categories products lie, as far as the catalog or the customer's events say."""
        ...


Condition = Callable[[Readable], bool]
