"""Measures the peer over HTTP: FastAPI, uvicorn and a Redis that syncs every write. It runs alone, with the same
customers, catalog, load generator and requests as the engine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from loadtest.bench import over_http
from loadtest.bench.over_http import Wrk
from loadtest.processes.engine import EngineError
from loadtest.processes.running import running

MISSING = "Redis is not installed (Debian: redis-server) or its client is not (pip install 'segue[load]')"
_WORKERS = 2
_READY_S, _STOP_S = 10.0, 10.0


def is_there() -> bool:
    """Whether this machine has a Redis, and this Python its client."""
    return shutil.which("redis-server") is not None and find_spec("redis") is not None


@contextlib.contextmanager
def peer(folder: Path, keys: Mapping[str, str], known: int = over_http.KNOWN) -> Iterator[Wrk]:
    """The peer with the customers of `over_http.populate`, and a load generator against it."""
    with _redis(folder) as socket:
        extra = {**keys, "PEER_REDIS_SOCKET": str(socket)}
        words = ["loadtest.peers.redis_app:app", "--port", "{port}", "--no-access-log", "--log-level", "error"]
        with running([*words, "--workers", str(_WORKERS)], folder, extra, module="uvicorn") as web:
            over_http.populate(web.url, keys["SEGUE_WRITE_KEY"], folder, known=known, path="/v1/batch")
            yield Wrk(web.url, keys, folder)


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[Path]:
    socket = folder / "redis.sock"
    # Durable as Segue is: every write is synced before its answer, and no snapshot runs beside. No port, only a socket.
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "daemonize": "no",
    }
    command = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", value))]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            deadline_s = time.monotonic() + _READY_S
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise EngineError("redis-server did not start")
                time.sleep(0.05)
            yield socket
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
