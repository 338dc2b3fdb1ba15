"""The logging of a process: one event with its facts a line. The message of an error is never logged, because it may
hold anything that a customer is or did. Ray's logging makes a JSON object of each line, with the actor's name.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import PurePath

from engine.errors import Corrupt

_FRAMES = 12


def fault(log: logging.Logger, event: str, error: BaseException, **about: object) -> None:
    """Log an error that nobody expected: its type, and the last calls that led to it."""
    if isinstance(error, Corrupt):  # its message names a file, and quotes nothing of its content
        about = {"file": error.field, "reason": error.message} | about
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    where = [f"{PurePath(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    log.error(event, extra={"error": type(error).__name__, "where": where, **about}, stacklevel=2)


def tell(log: logging.Logger, level: int, event: str, **about: object) -> None:
    """Log an event with its facts."""
    log.log(level, event, extra=about, stacklevel=2)
