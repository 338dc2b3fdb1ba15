"""The parts of a profile that decisions leave: places under caps, fatigue, promises, draws.

They are written as arrays: a new field stands at the end and has a default.
"""

from __future__ import annotations

from engine.recent_events import Part


class Place(Part):
    """One place under the caps: a send or a shown action. Counted at `at_ms` when deciding, at `left_ms` when
    authorising.

    `expires_ms` is 0 for a send (its place lasts until it is settled or withdrawn), `left_ms` is 0 until committed.
    `address` is the place of the address that a send has left for; empty: it has not left, or that is not known.
    """

    ref: str
    action: str
    channel: str
    tier: str
    purpose: str
    category: str
    group: str
    placement: str
    at_ms: int
    expires_ms: int = 0
    left_ms: int = 0
    address: str = ""


class FatigueLevel(Part):
    """How tired a customer was of a category at an instant, 0 to 1. `common` says how much of it another profile has
    too, by the merges that were undone: what they were tired of while they were one counts for both."""

    level: float
    at_ms: int
    common: dict[str, float] = {}  # noqa: RUF012 (a struct gives each its own)


class Promise(Part):
    """An offer that this customer may rely on until it expires, wherever they ask; `ref` is the place or the send that
    brought it."""

    subject: str
    action: str
    discount: float
    price_minor: int | None
    ref: str
    shown_ms: int
    expires_ms: int
    categories: list[str] = []  # noqa: RUF012 (in which its product was known to lie when it was shown)


class Drawn(Part):
    """The outcome of a draw, a variant's id or a side of a holdout (`in`, `out`), and when it first counted. `again_ms`
    is when it first counted after this customer was merged with somebody; 0: it has not since."""

    outcome: str
    at_ms: int
    again_ms: int = 0
