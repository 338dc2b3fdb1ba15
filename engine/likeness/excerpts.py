"""What a profile lends to another one that is probably the same person: the traits that identity.yaml names, and the
segments that it belongs to. Nothing that was lent to it is lent on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.profile import Profile
from engine.recent_events import encoder
from engine.turn_state import Turn
from engine.values.paths import values_at

BYTES_MAX: Final = 8 << 10  # of all traits of an excerpt; what comes later in the list is left out
SEGMENTS_MAX: Final = 200


def traits(profile: Profile, paths: Sequence[str]) -> dict[str, Any]:
    """The values at these paths, nested as the traits are. Where a list lies on the way, its first value counts."""
    found: dict[str, Any] = {}
    size = 0
    for path in paths:
        name, *below = path.split(".")
        trait = profile.traits.get(name)
        if trait is None:
            continue
        value = next(iter(values_at(trait.value, tuple(below))), None) if below else trait.value
        size += len(encoder.encode(value))
        if value is not None and size <= BYTES_MAX:
            _put(found, (name, *below), value)
    return found


def segments(turn: Turn) -> tuple[str, ...]:
    """The segments that this profile belongs to by itself."""
    view = turn.view()
    inside = (name for name in turn.catalog.segments if view.is_in_segment(name))
    return tuple(name for name, _ in zip(inside, range(SEGMENTS_MAX), strict=False))


def _put(found: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *above, last = path
    for step in above:
        inner = found.get(step)
        if not isinstance(inner, dict):
            inner = found[step] = {}
        found = inner
    found[last] = value
