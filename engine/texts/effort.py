"""Bounds the work of rendering one message. Templates are the operator's, but the data that they loop over comes from
clients, and a slip must not hold up everybody's mail: a message that needs more work is `Refused`.

The work is counted, never timed, so that a message is refused everywhere or nowhere. Each thread has one count, that of
the message that it renders.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from engine.errors import Refused

STEPS_MAX: Final = 150_000  # rounds of loops, calls, operations: half a second
CHARS_MAX: Final = 8_000_000  # of all texts that are made on the way
_BITS_MAX: Final = 4096  # of a whole number
_WIDTH_MAX: Final = 1000  # that a text is filled up to


class _Count:
    __slots__ = ("chars", "steps")

    def __init__(self) -> None:
        self.steps, self.chars = STEPS_MAX, CHARS_MAX


_under_way: ContextVar[_Count | None] = ContextVar("_under_way", default=None)


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """A context in which everything counts as the work of one message."""
    token = _under_way.set(_Count())
    try:
        yield
    finally:
        _under_way.reset(token)


def spend(steps: int = 1, chars: int = 0) -> None:
    """Count work that is about to be done. Raises Refused where it is too much."""
    count = _under_way.get()
    if count is None:  # outside a message, where a template is compiled: each call has a count of its own
        count = _Count()
    count.steps -= steps
    count.chars -= chars
    if count.steps < 0 or count.chars < 0:
        raise Refused("does more than a message may")


def weigh(value: object, steps: int = 1) -> None:
    """Count the work of going through a whole value, `steps` for each part; a part that is there twice counts twice.
    Raises Refused where it is too much."""
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict | list | tuple):
            spend(steps * len(here))
            waiting += here.values() if isinstance(here, dict) else here


def check_power(base: object, exponent: object) -> None:
    """Raises Refused for a power that is too large a whole number, before it is computed."""
    if (
        isinstance(base, int)
        and isinstance(exponent, int)
        and abs(base) > 1
        and base.bit_length() * exponent > _BITS_MAX
    ):
        raise Refused("makes a number that is too large")


def check_product(left: int, right: int) -> None:
    """The same for a product."""
    if left.bit_length() + right.bit_length() > _BITS_MAX:
        raise Refused("makes a number that is too large")


def check_width(width: object) -> None:
    """Raises Refused for a width or a count that no text of a message has."""
    if isinstance(width, int) and width > _WIDTH_MAX:
        raise Refused(f"asks for more than {_WIDTH_MAX} of something")
