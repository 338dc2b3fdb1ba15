"""Starts an engine, or the no-op beside it, for a benchmark. Measures how long the start takes, and the memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from actors.platform.ports import free_port
from loadtest.processes.engine import EngineError, family_of, stop, wait_until_ready

_ROOT = Path(__file__).resolve().parents[2]

# The first row with a word that occurs in a process's name or command line says what it is.
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("raylet", ("/raylet ",)),  # first: its command line names others
    ("gcs", ("gcs_server",)),
    ("shards", ("ray::ProfileShard",)),
    ("dispatcher", ("ray::DispatcherActor",)),
    ("ingress", ("ray::ServeReplica",)),
    ("haproxy", ("haproxy",)),
    ("controller", ("ray::ServeController",)),
    ("Serve's proxies", ("ray::Serve", "ray::Proxy", "ray::HAProxy")),
    ("dashboard", ("dashboard", "ray::DashboardAgent", "multiprocessing.")),
)
_FRONT = "front"
_OTHER = "Ray's monitors and agents"


@dataclass(frozen=True, slots=True)
class Running:
    """A process tree that answers at `url`, started `ready_s` before its first 200."""

    url: str
    pid: int
    ready_s: float

    def memory_mb(self) -> dict[str, float]:
        """Proportional set size by kind of process, in MB, the largest first; pages that several share are split."""
        sizes: Counter[str] = Counter()
        for process in family_of(self.pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                kind = _FRONT if process.pid == self.pid else kind_of(process.name(), process.cmdline())
                sizes[kind] += process.memory_full_info().pss
        return {kind: size / 1e6 for kind, size in sizes.most_common()}


def kind_of(name: str, command: Sequence[str]) -> str:
    """The kind of a process of the engine's tree."""
    text = f"{name} {' '.join(command)} "
    return next((kind for kind, words in KINDS if any(word in text for word in words)), _OTHER)


@contextlib.contextmanager
def running(
    arguments: Sequence[str], folder: Path, extra: Mapping[str, str], *, module: str, ready: str = "/readyz"
) -> Iterator[Running]:
    """`python -m MODULE ARGUMENTS` for as long as the body runs; `{port}` in an argument is its free port.

    Everything that it started is gone afterwards, however the body ends; EngineError where it does not come up.
    """
    port = free_port()
    command = [sys.executable, "-m", module, *(argument.format(port=port) for argument in arguments)]
    log = folder / f"{module}.log"
    family: set[psutil.Process] = set()
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=_ROOT,
            env=environment(extra),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C here reaches it once, through `stop`
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(process, url, log, family)
        yield Running(url, process.pid, time.monotonic() - started)
    finally:
        killed = stop(process, family)
    if killed:
        raise EngineError(f"{module} did not stop cleanly; killed: {killed}")


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Our environment with `extra`, and without variables that would point an engine to a cluster or another host."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEGUE_", "RAY_"))}
    return kept | dict(extra)
