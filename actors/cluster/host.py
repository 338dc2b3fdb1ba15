"""Runs a shell inside an actor's process. A thread that dies must not leave a living actor behind, so it ends the
process, and Ray starts another one."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import uvloop

from actors.platform import logs, pids
from engine.errors import SegueError

START_S = 60.0
STOP_S = 20.0
_AGAIN_S = 1.0
_YOUNG = 100_000  # new objects between two collections, some 20 MB

log = logging.getLogger(__name__)


def settle_garbage(young: int = _YOUNG) -> None:
    """Have Python look for garbage cycles only after `young` new objects. Our data has no cycles, and all inputs that
    wait in a full queue would be examined again and again."""
    gc.collect()
    gc.freeze()  # objects of the start live as long as the process, and need not be examined
    gc.set_threshold(young, 50, 100)


class Shell(Protocol):
    """The work of an actor, which `Host` runs."""

    async def serve(self) -> None:
        """Work until closed."""
        ...

    def close(self) -> None:
        """Stop soon; called on the shell's own loop."""
        ...


class Host:
    """Runs a shell on an event loop in a thread. If the shell fails, the process ends."""

    def __init__(self) -> None:
        os.umask(0o077)  # files that this process makes are for its own user alone
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shell: Shell | None = None
        self._started = threading.Event()
        self._stopped = threading.Event()
        self._fault: BaseException | None = None
        self._closing = False

    def take_over(self, start: Callable[[], object], socket: str, *, is_again: bool) -> None:
        """Where this process replaces another one (`is_again`), start at once. The other one may only hang, so it is
        ended first.

        A start that fails ends the process, so that Ray tries again. Ray would give up an actor whose constructor
        raises.
        """
        if not is_again:
            return
        try:
            pids.end(socket)
            start()
        except BaseException as error:
            logs.fault(log, "restart_failed", error, socket=socket)
            time.sleep(_AGAIN_S)
            os._exit(1)

    @property
    def is_started(self) -> bool:
        """Whether `start` has succeeded."""
        return self._started.is_set() and self._fault is None

    def start(self, make: Any) -> None:
        """Make the shell in its thread and begin to serve. Raises the error of a shell that cannot be made."""
        threading.Thread(target=self._run, args=(make,), name="shell", daemon=True).start()
        if not self._started.wait(START_S):
            raise SegueError("the shell did not start in time")
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Let the shell finish its work at hand."""
        self._closing = True
        if self._loop is not None and self._shell is not None:
            self._loop.call_soon_threadsafe(self._shell.close)
        self._stopped.wait(STOP_S)

    def _run(self, make: Any) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(make))
        except BaseException as error:
            if not self._started.is_set():
                self._fault = error
                self._started.set()
                return
            logs.fault(log, "shell_died", error)
            os._exit(1)
        self._stopped.set()
        if not self._closing:
            os._exit(1)

    async def _serve(self, make: Any) -> None:
        self._loop = asyncio.get_running_loop()
        shell = self._shell = make()
        settle_garbage()
        serving: Coroutine[Any, Any, None] = shell.serve()
        self._loop.call_soon(self._started.set)
        await serving
