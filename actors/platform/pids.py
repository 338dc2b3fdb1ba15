"""Tells which process serves a socket, so that a process that hangs can be ended. A small file beside the socket names
it.

The file holds the process id and the time at which the process started, because the system reuses process ids.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

_SAME_START_S = 2.0  # a tolerance: the clock may be set while the process lives


def record(socket: str) -> None:
    """This process serves `socket` from now on."""
    process = psutil.Process(os.getpid())
    fresh = Path(f"{socket}.pid.{process.pid}")  # renamed when it is whole, so that nobody reads a part of it
    fresh.write_text(f"{process.pid} {process.create_time()}")
    fresh.replace(f"{socket}.pid")


def serving(socket: str) -> psutil.Process | None:
    """The process that serves `socket`, or hangs; None where it has ended."""
    try:
        pid, started_s = Path(f"{socket}.pid").read_text().split()
        process = psutil.Process(int(pid))
        is_same = abs(process.create_time() - float(started_s)) < _SAME_START_S
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


def end(socket: str) -> bool:
    """SIGKILL for the process that serves `socket`, if there is one other than this; returns when it has ended."""
    process = serving(socket)
    if process is None or process.pid == os.getpid():
        return False
    try:
        process.kill()
        process.wait(timeout=10)
    except (psutil.Error, OSError):  # it has just ended
        pass
    return True
