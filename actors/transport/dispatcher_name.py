"""The names of dispatchers, which order them.

A dispatcher's name is its epoch and a random part, `7.c0ffee00`. The name of one of its pulls adds a number,
`7.c0ffee00.12`. Of two names the one with the higher epoch is the newer dispatcher's. The random part tells apart two
dispatchers that took the same epoch.
"""

from __future__ import annotations


def epoch_of(dispatcher: str) -> int:
    """The epoch in a dispatcher's name; 0 where there is none yet."""
    return int(dispatcher.partition(".")[0] or 0)


def name_of(dispatcher: str) -> str:
    """A dispatcher's name, without the number of a pull."""
    return ".".join(dispatcher.split(".")[:2])


def newest(*dispatchers: str) -> str:
    """The one with the highest epoch; the first of several."""
    return max(dispatchers, key=epoch_of)
