"""Ending a process in bounded time, even where a library in it waits for ever."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from actors.platform.clock import stopwatch

_LOOK_S = 0.2
GAVE_UP = 3  # exit code of an engine that lost a part of itself


def bounded(work: Callable[[], None], limit_s: float, is_vain: Callable[[], bool] = lambda: False) -> bool:
    """Do `work` in a thread, and wait until it ends, until `limit_s` has passed, or until `is_vain`. Returns whether it
    has ended. What it raises is dropped, because things are being stopped."""

    def done() -> None:
        with contextlib.suppress(Exception):
            work()

    # A daemon, because Python would wait at its exit for any other thread.
    thread = threading.Thread(target=done, name="stopping", daemon=True)
    thread.start()
    until_s = stopwatch() + limit_s
    while thread.is_alive() and stopwatch() < until_s and not is_vain():
        thread.join(_LOOK_S)
    return not thread.is_alive()


def tell(line: str) -> None:
    """Print one line to stderr. Nobody may read it, or its disk may be full: that is no fault here."""
    with contextlib.suppress(OSError, ValueError):
        print(f"segue: {line}".replace("\n", " "), file=sys.stderr, flush=True)


def exit_now(code: int) -> NoReturn:
    """End this process without the exit handlers of libraries, which may wait for something that has ended."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
