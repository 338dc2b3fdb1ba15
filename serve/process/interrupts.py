"""Ctrl-C and SIGTERM: one way to end for every command that keeps something running. SIGHUP: do something meanwhile.

A signal handler runs between two instructions of whatever the main thread does, so it may not take a lock: here it only
raises, or notes what came. While things are being stopped, further signals are ignored, so that nothing is left
half-stopped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import NoReturn

_ENDING = (signal.SIGINT, signal.SIGTERM)
_is_waiting = _was_hung_up = False


class _Hangup(BaseException):
    """SIGHUP came while there was nothing else to do."""


def listen() -> None:
    """From now on both signals raise KeyboardInterrupt in the main thread, and SIGHUP is noted for `wait`. Ray sets
    handlers of its own: call it after."""
    for number in _ENDING:
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGHUP, _hang_up)


def ignore() -> None:
    """From now on all of them do nothing."""
    for number in (*_ENDING, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def wait(on_hangup: Callable[[], None] = lambda: None) -> NoReturn:
    """Wait until KeyboardInterrupt. A SIGHUP calls `on_hangup`; those that come while it runs call it once more."""
    global _is_waiting, _was_hung_up
    while True:
        try:
            _is_waiting = True  # before the look at `_was_hung_up`: a SIGHUP in between raises, and is not missed
            if not _was_hung_up:
                threading.Event().wait()
        except _Hangup:
            pass
        _is_waiting = _was_hung_up = False
        on_hangup()


def _hang_up(number: int, frame: object) -> None:
    global _is_waiting, _was_hung_up
    _was_hung_up = True
    if _is_waiting:
        _is_waiting = False  # a second SIGHUP must not raise into the handling of this one
        raise _Hangup


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt
