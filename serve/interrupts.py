"""Ctrl-C and SIGTERM: one way to end for every command that keeps something running.

A signal handler runs between two instructions of whatever the main thread does, so it may not take a lock: here it only
raises. While things are being stopped, further signals are ignored, so that nothing is left half-stopped.
"""

from __future__ import annotations

import signal
import threading
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM)


def listen() -> None:
    """From now on both signals raise KeyboardInterrupt in the main thread. Ray sets handlers of its own: call it
    after."""
    for number in _ENDING:
        signal.signal(number, _interrupt)


def ignore() -> None:
    """From now on both signals do nothing."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


def wait() -> NoReturn:
    """Until KeyboardInterrupt."""
    while True:
        threading.Event().wait()


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
