"""Ends shards and dispatchers that hang, so that Ray starts them again. Ray itself sees only those that died.

Each is pinged, and answers from its own loop between two groups of work. A process that is silent for `HUNG_S` and uses
no processor time (it was stopped, or is deadlocked) is killed by its process id. A process that is silent and busy is
left alone for `BUSY_S`, because a long move of the replay clock is no fault. `absent` names the parts that have no
process at all.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import psutil

from actors.platform import logs, pids
from actors.transport.frame_client import FrameClient
from actors.transport.messages.base import Ping
from engine.errors import SegueError

HUNG_S = 15.0
BUSY_S = 600.0
_PAUSE_S = 1.0
_BUSY_SHARE = 0.05  # of one core; Ray's own threads take less

log = logging.getLogger(__name__)


class Watchdog:
    """One per engine, in its front process."""

    def __init__(self, sockets: Sequence[str], *, hung_s: float = HUNG_S, busy_s: float = BUSY_S) -> None:
        self._sockets, self._hung_s, self._busy_s = sockets, hung_s, busy_s
        self._unheard: set[str] = set()

    def absent(self) -> set[str]:
        """The parts whose process has ended and whose socket nobody serves. A part that is opening its store is not
        among them."""
        return {Path(socket).name for socket in tuple(self._unheard) if pids.serving(socket) is None}

    async def watch(self) -> None:
        """Watch for as long as the engine runs."""
        folders = {str(Path(socket).parent) for socket in self._sockets}
        await asyncio.gather(*map(self._watch, self._sockets), *map(self._watch_pins, folders))

    async def _watch_pins(self, sockets: str) -> None:
        """Watch the processes of pinned profiles, which come and go."""
        watched: dict[str, asyncio.Task[None]] = {}
        while True:
            serving = {str(file.with_suffix("")) for file in Path(sockets).glob("pin-*.pid")}
            for socket in serving - set(watched):
                watched[socket] = asyncio.create_task(self._watch(socket))
            for socket in set(watched) - serving:
                watched.pop(socket).cancel()
                self._unheard.discard(socket)
            await asyncio.sleep(_PAUSE_S)

    async def _watch(self, socket: str) -> None:
        client, silent_s = FrameClient(socket), 0.0
        while True:
            used_s = _processor_s(socket)
            try:
                await asyncio.wait_for(client.call(Ping()), self._hung_s)
                silent_s = 0.0
                self._unheard.discard(socket)
            except TimeoutError:
                silent_s += self._hung_s
                self._unheard.discard(socket)
                is_busy = _processor_s(socket) - used_s > _BUSY_SHARE * self._hung_s
                if (not is_busy or silent_s >= self._busy_s) and pids.end(socket):
                    logs.tell(log, logging.ERROR, "hung_process_killed", socket=socket, silent_s=round(silent_s))
            except SegueError:
                silent_s = 0.0  # nobody listens: it has died, and Ray starts it again
                self._unheard.add(socket)
            await asyncio.sleep(_PAUSE_S)


def _processor_s(socket: str) -> float:
    process = pids.serving(socket)
    try:
        return 0.0 if process is None else sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0
