"""An engine that is started for a run, and ended after it with every process that it has started."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from actors.platform.ports import free_port

_ROOT = Path(__file__).resolve().parents[2]
_READY_S = 90
_STOP_S = 45
_NAME_CHARS = 80
_LOG_LINES = 20


class EngineError(Exception):
    """The engine did not do what a load run needs; the message is what to print."""


@contextlib.contextmanager
def running_engine(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """An engine on a fresh data directory for as long as the body runs; the value is its URL."""
    port = free_port()
    command = [Path(sys.executable).with_name("segue"), "up", "--data", folder / "data"]
    log = folder / "engine.log"
    print("Starting an engine", flush=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*map(str, command), "--port", str(port)],
            cwd=_ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C here reaches it once, through `stop`
        )
    url = f"http://127.0.0.1:{port}"
    family: set[psutil.Process] = set()  # every process of it that was ever seen, orphaned ones too
    try:
        wait_until_ready(process, url, log, family)
        yield url
    finally:
        killed = stop(process, family)
    if killed:
        raise EngineError(f"the engine did not stop cleanly within {_STOP_S} s; killed: {killed}")


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path, family: set[psutil.Process]) -> None:
    """Ask /readyz until it says yes; EngineError with the end of the log where it never does."""
    deadline_s = time.monotonic() + _READY_S
    with httpx.Client(trust_env=False, timeout=2) as client:
        while time.monotonic() < deadline_s and process.poll() is None:
            family |= family_of(process.pid)
            with contextlib.suppress(httpx.HTTPError):
                if client.get(f"{url}/readyz").status_code == 200:
                    return
            time.sleep(0.3)
    told = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-_LOG_LINES:])
    what = f"was not ready within {_READY_S} s" if process.poll() is None else f"ended with {process.returncode}"
    raise EngineError(f"the engine {what}; it said:\n{told}")


def stop(process: subprocess.Popen[bytes], family: set[psutil.Process]) -> str:
    """Interrupt the engine as Ctrl-C would, wait, then kill its remaining processes and nothing else. Returns the names
    of those that had to be killed, empty where none had to."""
    family |= family_of(process.pid)  # before it ends: orphans no longer descend from it
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
    _, left = psutil.wait_procs(family, timeout=3)
    names = []
    for survivor in left:
        with contextlib.suppress(psutil.NoSuchProcess):  # psutil compares start times: a number used anew is safe
            names.append(" ".join(survivor.cmdline())[:_NAME_CHARS] or survivor.name())
            survivor.kill()
    process.wait()
    psutil.wait_procs(left, timeout=5)
    return ", ".join(names)


def family_of(pid: int) -> set[psutil.Process]:
    """A process and all that descends from it now; empty where it is gone."""
    try:
        root = psutil.Process(pid)
        return {root, *root.children(recursive=True)}
    except psutil.NoSuchProcess:
        return set()
