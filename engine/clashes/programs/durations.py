"""How long something takes, as the files of `configs/` write it."""

from __future__ import annotations

from typing import Final

from engine.vocabulary import DAY_MS, HOUR_MS, MINUTE_MS

_UNITS: Final = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (1_000, "s"))


def spelled(duration_ms: int) -> str:
    """In the largest unit that it is a whole number of: `36h`, `3d`. Less than a second is left out."""
    unit_ms, letter = next((unit for unit in _UNITS if duration_ms % unit[0] == 0), _UNITS[-1])
    return f"{duration_ms // unit_ms}{letter}"
