"""What two profiles get back of a collection that they had in common: their own entries as they were, and what has
changed since the merge by whose it is.

An entry that is what the merge made of it returns to what it was before, on each side that had it. An entry that has
gone at the merge itself comes back. An entry that has gone since stays away.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from engine.splitting.sides import Side

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def parted(
    now: Mapping[K, V],
    after: Mapping[K, V],
    mine: Mapping[K, V],
    theirs: Mapping[K, V],
    owner: Callable[[K, V], Side],
) -> tuple[dict[K, V], dict[K, V]]:
    """The entries of the survivor and of the other. `mine` and `theirs` are those before the merge, `after` those after
    it."""
    changed = {key: value for key, value in now.items() if key not in after or after[key] != value}
    gone = after.keys() - now.keys()
    owners = {key: owner(key, value) for key, value in changed.items()}
    return (
        _side(mine, gone, changed, {key for key, side in owners.items() if side.here}),
        _side(theirs, gone, changed, {key for key, side in owners.items() if side.there}),
    )


def _side(own: Mapping[K, V], gone: set[K], changed: Mapping[K, V], gets: set[K]) -> dict[K, V]:
    kept = {key: changed[key] if key in gets else value for key, value in own.items() if key not in gone}
    return kept | {key: value for key, value in changed.items() if key in gets and key not in own}
