"""The engine's diary for its operators: one event a line, as JSON, in `logs/segue.jsonl` of its data directory.

Every process of an engine may write there, and so may commands on a stopped one. Events are rare. Customers are named
by their ids, and no key or trait is ever written. No rule depends on the diary: an engine neither waits nor ends
because the folder or the disk is full.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from actors.platform.clock import WallClock
from engine.readings import instants

FOLDER: Final = "logs"
FILE: Final = "segue.jsonl"
BYTES_MAX: Final = 4 << 20
FILES_KEPT: Final = 5  # older ones beside it, `segue.jsonl.1` the newest
_CHARS_MAX, _LIST_MAX = 500, 20
_PLAIN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def write(data: Path, event: str, level: str = "info", **facts: Any) -> None:
    """Write an event down; does nothing where the data directory is missing or full."""
    with contextlib.suppress(OSError, ValueError):
        if not data.is_dir():
            return
        line = {"time": instants.iso(WallClock().now_ms()), "level": level, "event": event}
        text = json.dumps(line | {name: _bounded(fact) for name, fact in facts.items()}, ensure_ascii=False)
        folder = data / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        with _one_writer(folder):
            file = _File(folder / FILE, maxBytes=BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8")
            try:
                file.emit(logging.makeLogRecord({"msg": text}))
            finally:
                file.close()


class Warnings(logging.Handler):
    """Copies the warnings of a process (of the clock, of the watchdog) to the diary, with the facts in `extra`."""

    def __init__(self, data: Path) -> None:
        super().__init__(logging.WARNING)
        self._data = data

    def emit(self, record: logging.LogRecord) -> None:
        facts = {name: value for name, value in record.__dict__.items() if name not in _PLAIN}
        write(self._data, record.getMessage(), record.levelname.lower(), **facts)


class _File(RotatingFileHandler):
    """The standard library's, but readable by its own user alone, and silent where it cannot write."""

    def _open(self) -> TextIOWrapper:
        opened = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(opened, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: a report would go to the diary itself."""


@contextlib.contextmanager
def _one_writer(folder: Path) -> Iterator[None]:
    """One writer at a time: otherwise one process could write into a file that another has just rotated away."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a disk that knows no locks
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _bounded(fact: Any) -> Any:
    if isinstance(fact, str):
        return fact if len(fact) <= _CHARS_MAX else fact[: _CHARS_MAX - 1] + "…"
    if isinstance(fact, list | tuple):
        return [_bounded(each) for each in fact[:_LIST_MAX]]
    return fact if isinstance(fact, int | float | bool | None) else str(fact)[:_CHARS_MAX]
