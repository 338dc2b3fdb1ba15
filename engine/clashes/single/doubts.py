"""A doubt about one journey, and what a story must do to show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.catalog.problems import Loc
from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

_UNITS: Final = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (1_000, "s"))


@dataclass(frozen=True, slots=True)
class Doubt:
    """`kind` names the rule. `journey` is the one that it is about, and `step` the step that a story has to come to so
    that it can be seen; both empty where no journey shows it."""

    kind: str
    file: str
    loc: Loc
    message: str
    journey: str = ""
    step: str = ""
    others: frozenset[str] = frozenset()  # all journeys that act in the story, where there are several
    event: str = ""  # the event that a story has to tell, where the doubt is about one


def spelled(duration_ms: int) -> str:
    """A duration as files write it: `36h`, `3d`."""
    unit_ms, letter = next((unit for unit in _UNITS if duration_ms % unit[0] == 0), _UNITS[-1])
    return f"{duration_ms // unit_ms}{letter}"
