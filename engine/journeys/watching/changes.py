"""What a look finds."""

from __future__ import annotations

from typing import Any, NamedTuple

from engine import seeds
from engine.catalog.compiled import Catalog, Journey
from engine.profile import Profile
from engine.recent_events import Happened
from engine.turn_state import Turn


class Change(NamedTuple):
    """An inner event. `journey` is the only one that it may start; None: any that listens to it. `is_of_time`: it had
    come before the event in whose turn it was found, so it is not late with that one."""

    event: Happened
    journey: Journey | None = None
    is_of_time: bool = False


class Look(NamedTuple):
    """What changed, in the order in which it is heard, and the next instant at which more may change by the mere
    passing of time (None: never)."""

    changes: list[Change]
    next_ms: int | None


def inner(turn: Turn, name: str, properties: dict[str, Any], at_ms: int | None = None) -> Happened:
    """An inner event, now or at an earlier instant. It takes a number of its own, so that no two of one turn are
    alike."""
    turn.profile.seq += 1
    return Happened(turn.now_ms if at_ms is None else min(at_ms, turn.now_ms), turn.profile.seq, name, properties)


def moment_ms(catalog: Catalog, profile: Profile, spread_ms: int, journey: str) -> int:
    """How much later than others this customer enters a journey whose entries are spread: drawn from their id, so that
    it is the same every time."""
    return int(seeds.draw(catalog.id_key, "spread", journey, profile.id) * spread_ms) if spread_ms else 0


def earliest(*instants: int | None) -> int | None:
    """The earliest of some instants; None where there is none."""
    return min((at_ms for at_ms in instants if at_ms is not None), default=None)
