"""Where something stands in a file, as people say it: `all[2].trait.tier` is in the second part of `all`."""

from __future__ import annotations

from collections.abc import Iterable


def spelled(loc: Iterable[str | int]) -> str:
    """The keys with dots between, the places in lists in brackets and counted from one."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")
