"""The processes that run on after the front process of an engine was killed: Ray's, and an HAProxy that holds the port.

A running engine is known by its runtime folder, a name that is never used twice. It stands in `run.json` of the data
directory and in the environment or the command line of every process that the engine started. So the next start on that
directory finds its own orphans, and no other engine's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

import psutil

from actors.platform import durable
from engine.errors import Corrupt, UsageError

MARK = "SEGUE_RUN"  # in the environment of all that the engine starts
_ROUNDS = 20  # a process that is being started while its parent is ended shows in the next round

RUN_FILE = "run.json"
_INGRESS = ("haproxy", "ray::HAProxy", "ray::Serve", "ray::Proxy")


def mark(data: Path, folder: str, port: int) -> dict[str, str]:
    """Write down that an engine runs here; returns the environment that its processes must have.

    A process that sets its own title would overwrite its environment, unless it is told not to.
    """
    durable.write(data / RUN_FILE, json.dumps({"folder": folder, "front": os.getpid(), "port": port}))
    return {MARK: folder, "SPT_NOENV": "1"}


def forget(data: Path, folder: str) -> None:
    """All of it has ended."""
    (data / RUN_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def end_ingress(data: Path) -> None:
    """SIGKILL for the processes that answer HTTP, and for those that would start them again: nobody is let in now."""
    folder = _folder(data)
    for process in psutil.process_iter() if folder else ():
        if _is_of(process, folder) and _is_of_ingress(process):
            _kill(process)


def end(data: Path) -> int:
    """SIGKILL for all processes that are left of an engine; returns how many ended. The caller holds the lock of its
    data directory, so none of them belongs to an engine that lives."""
    folder = _folder(data)
    if not folder:
        return 0
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = [process for process in psutil.process_iter() if _is_of(process, folder)]
        if not found:
            forget(data, folder)
            return len(ended)
        for process in found:
            ended.add(process.pid)
            _kill(process)
        with contextlib.suppress(OSError):  # psutil does not expect that one ends while it begins to wait
            psutil.wait_procs(found, timeout=2)
    raise UsageError(f"process {found[0].pid} of an engine that was killed does not end", "--data")


def _folder(data: Path) -> str:
    """The runtime folder of the engine that runs here, or did; empty where none does."""
    try:
        return str(json.loads((data / RUN_FILE).read_text())["folder"])
    except FileNotFoundError:
        return ""
    except (ValueError, KeyError, TypeError):
        reason = "cannot be read; end what may still run of this engine, and delete this file"
        raise Corrupt(reason, str(data / RUN_FILE)) from None


def _is_of_ingress(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        words = " ".join(process.cmdline())
        return any(name in words for name in _INGRESS)
    return False


def _is_of(process: psutil.Process, folder: str) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get(MARK) == folder or any(folder in part for part in process.cmdline())
    except (psutil.Error, OSError):  # it has just ended, or it is somebody else's
        return False


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.Error):
        process.kill()
