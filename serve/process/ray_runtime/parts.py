"""The processes of our own Ray that Ray itself does not replace. Segue cannot do without two of them; it starts the
others again.

Without its GCS or its raylet Ray starts nothing any more, and after a while it ends all that runs. The dashboard and
the monitors are no part of Segue's promises: one that has ended is started again with the command line that it had.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from actors.platform.clock import stopwatch

VITAL = {"gcs_server": "Ray's GCS", "raylet": "Ray's raylet"}
_HUNG_S = 15.0
_AGAIN_S = 5.0  # between two starts of one helper
_AWAY_S = 30.0  # a cluster that was joined may replace its GCS


@dataclass(slots=True)
class _Helper:
    """How a process was started, and when."""

    process: psutil.Process
    command: list[str]
    environment: dict[str, str]
    output: str
    started_s: float


class RayParts:
    """The processes of the Ray that this process has started. For a Ray that it has joined at `address`, this only
    knows whether that answers."""

    def __init__(self, address: str = "") -> None:
        self._address, self._answered_s = address, stopwatch()
        self._vital: dict[str, psutil.Process] = {}
        self._stopped_s: dict[str, float] = {}
        self._helpers: list[_Helper] = []
        for child in [] if address else psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                if (name := child.name()) in VITAL:
                    self._vital[VITAL[name]] = child
                else:
                    self._helpers.append(_helper(child))

    def lost(self) -> str:
        """The part that Ray has lost for good, in words; empty where it has all."""
        now_s = stopwatch()
        if self._address:
            if _answers(self._address):
                self._answered_s = now_s
            is_lost = now_s - self._answered_s > _AWAY_S
            return f"Ray at {self._address} has not answered for {_AWAY_S:g} s" if is_lost else ""
        for name, process in self._vital.items():
            status = _status(process)
            if not status:
                return f"{name} has ended"
            if status != psutil.STATUS_STOPPED:
                self._stopped_s[name] = now_s
            elif now_s - self._stopped_s.setdefault(name, now_s) > _HUNG_S:
                return f"{name} has stood still for {_HUNG_S:g} s"
        return ""

    def is_whole(self) -> bool:
        """Whether Ray can be asked for anything. While this is false, a call to Ray may wait for ever."""
        return not self.lost() and all(_status(part) != psutil.STATUS_STOPPED for part in self._vital.values())

    def is_without_workers(self) -> bool:
        """Whether the raylet has ended: then the processes that it had started end by themselves."""
        raylet = self._vital.get(VITAL["raylet"])
        return raylet is not None and _status(raylet) in ("", psutil.STATUS_STOPPED)

    def revive(self) -> None:
        """Start those helpers again that have ended."""
        for number, helper in enumerate(self._helpers):
            if not _status(helper.process) and stopwatch() - helper.started_s > _AGAIN_S:
                with contextlib.suppress(OSError, psutil.Error):
                    helper.process.wait(0)  # else it stays as a zombie: nobody else waits for it
                    self._helpers[number] = _started(helper)

    def end(self) -> None:
        """End the helpers that were started here."""
        for helper in self._helpers:
            with contextlib.suppress(psutil.Error):
                helper.process.kill()
        self._helpers = []


def _helper(process: psutil.Process) -> _Helper:
    output = Path(f"/proc/{process.pid}/fd/1")
    kept = str(output.readlink()) if output.is_file() else os.devnull  # its log, if that is what it writes to
    return _Helper(process, process.cmdline(), process.environ(), kept, stopwatch())


def _started(helper: _Helper) -> _Helper:
    with Path(helper.output).open("ab") as output:
        started = psutil.Popen(
            helper.command,
            env=helper.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return replace(helper, process=started, started_s=stopwatch())


def _status(process: psutil.Process) -> str:
    """The status of a process as psutil has it; empty where it has ended."""
    try:
        status = process.status()
    except psutil.Error:
        return ""
    return "" if status == psutil.STATUS_ZOMBIE or not process.is_running() else status


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=2):
            return True
    except (OSError, ValueError):
        return False
