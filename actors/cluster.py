"""The only caller of `ray.remote` and `get_actor`: gives the shells their place, their life and their names.

Each actor runs its shell's event loop in a thread of its own. A thread that dies must not leave a living actor behind,
so it ends the process, and Ray starts another one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import ray
import uvloop

from actors import pids
from actors.clock import ReplayClock, WallClock
from actors.dispatcher import Dispatcher
from actors.shard import Shard
from actors.shard_server import ShardServer
from actors.shard_shell import ShardShell
from actors.store import inspect, open_when_free
from actors.vault import FileVault
from actors.windows import Windows
from engine.catalog.compile import compile_bytes
from engine.errors import SegueError

NAMESPACE = "segue"
_START_S = 60.0
_STOP_S = 20.0
_AGAIN_S = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What every actor of one engine must know."""

    catalog: bytes  # the document; compiled where it is needed
    id_key: bytes
    stores: tuple[str, ...]
    vault: str  # the folder of the key files
    vault_base: int  # shard n makes its keys in file `vault_base` + n
    engine_key: bytes = field(repr=False)
    sockets: str  # a short runtime directory of mode 0700
    is_replay: bool
    public_url: str

    def shard_sockets(self) -> list[str]:
        """Where each shard listens."""
        return [f"{self.sockets}/shard-{number}" for number in range(len(self.stores))]

    def dispatcher_socket(self) -> str:
        """Where the dispatcher listens (for moves of the replay clock)."""
        return f"{self.sockets}/dispatcher"


class Shell(Protocol):
    """What an actor runs."""

    async def serve(self) -> None:
        """Work until closed."""
        ...

    def close(self) -> None:
        """Stop soon; called on the shell's own loop."""
        ...


class Host:
    """Runs a shell on an event loop in a thread, and the process dies with it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._shell: Shell | None = None
        self._started = threading.Event()
        self._stopped = threading.Event()
        self._fault: BaseException | None = None
        self._closing = False

    def take_over(self, start: Callable[[], int], socket: str) -> None:
        """Start at once where Ray made this process in the place of another one, which is ended first if it hangs.

        A start that fails ends the process, so that Ray tries again: an actor that fails to be made is given up.
        """
        if not ray.get_runtime_context().was_current_actor_reconstructed:
            return
        try:
            pids.end(socket)
            start()
        except BaseException:
            log.exception("restart_failed socket=%s", socket)
            time.sleep(_AGAIN_S)
            os._exit(1)

    def start(self, make: Any) -> None:
        """Make the shell in its thread and begin to serve; raises what making it raised."""
        threading.Thread(target=self._run, args=(make,), name="shell", daemon=True).start()
        if not self._started.wait(_START_S):
            raise SegueError("the shell did not start in time")
        if self._fault is not None:
            raise self._fault

    def stop(self) -> None:
        """Let the shell finish what it has in hand."""
        self._closing = True
        if self._loop is not None and self._shell is not None:
            self._loop.call_soon_threadsafe(self._shell.close)
        self._stopped.wait(_STOP_S)

    def _run(self, make: Any) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(make))
        except BaseException as error:
            if not self._started.is_set():
                self._fault = error
                self._started.set()
                return
            log.exception("shell_died")
            os._exit(1)
        self._stopped.set()
        if not self._closing:
            os._exit(1)

    async def _serve(self, make: Any) -> None:
        self._loop = asyncio.get_running_loop()
        shell = self._shell = make()
        serving: Coroutine[Any, Any, None] = shell.serve()
        self._loop.call_soon(self._started.set)
        await serving


class ProfileShard:
    """A shard as a Ray actor: any number of virtual profile actors live here."""

    def __init__(self, plan: Plan, number: int) -> None:
        self._plan, self._number, self._host = plan, number, Host()
        self._host.take_over(self.start, plan.shard_sockets()[number])

    def inspect(self) -> None:
        """Look for damage in the store; Corrupt names the file."""
        inspect(Path(self._plan.stores[self._number]))

    def start(self) -> int:
        """Open the store and listen; returns the process id."""
        pids.record(self._plan.shard_sockets()[self._number])
        self._host.start(self._make)
        return os.getpid()

    def stop(self) -> None:
        """Finish the group at hand and close the store."""
        self._host.stop()

    def _make(self) -> ShardShell:
        plan, number = self._plan, self._number
        catalog = replace(compile_bytes(plan.catalog), id_key=plan.id_key)
        vault = FileVault(Path(plan.vault), plan.engine_key, plan.vault_base + number)
        sockets = plan.shard_sockets()

        def open_shard() -> ShardServer:
            clock = ReplayClock() if plan.is_replay else WallClock()
            store = open_when_free(Path(plan.stores[number]))
            try:
                shard = Shard(number, store, catalog, clock, vault=vault)
                windows = Windows(shard, clock) if isinstance(clock, ReplayClock) else None
            except BaseException:
                store.close()
                raise
            return ShardServer(shard, sockets[number], sockets, windows=windows)

        return ShardShell(open_shard)


class DispatcherActor:
    """The dispatcher as a Ray actor: hands messages to providers, and moves the replay clock where there is one."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._host = plan, Host()
        self._host.take_over(self.start, plan.dispatcher_socket())

    def start(self) -> int:
        """Begin to pull; returns the process id."""
        pids.record(self._plan.dispatcher_socket())
        self._host.start(self._make)
        return os.getpid()

    def stop(self) -> None:
        """Settle what is being handed over, then stop."""
        self._host.stop()

    def _make(self) -> Dispatcher:
        plan = self._plan
        catalog = replace(compile_bytes(plan.catalog), id_key=plan.id_key)
        return Dispatcher(
            catalog,
            plan.shard_sockets(),
            plan.dispatcher_socket(),
            public_url=plan.public_url,
            is_replay=plan.is_replay,
            environ=os.environ,
            data=Path(plan.vault).parent,
        )


def start(plan: Plan) -> list[Any]:
    """Start all actors of an engine, shards first; returns their handles. Raises what the first that failed raised."""
    options = {"num_cpus": 0, "max_restarts": -1, "namespace": NAMESPACE}
    shard = ray.remote(ProfileShard)
    shards = [
        shard.options(name=f"shard-{number}", **options).remote(plan, number) for number in range(len(plan.stores))
    ]
    _await([actor.inspect.remote() for actor in shards])  # all, before any of them changes anything
    _await([actor.start.remote() for actor in shards])
    dispatcher = ray.remote(DispatcherActor).options(name="dispatcher", **options).remote(plan)
    _await([dispatcher.start.remote()])
    return [*shards, dispatcher]


def stop(actors: list[Any]) -> None:
    """Stop the dispatcher first, then the shards, each at the end of what it has in hand."""
    for group in ([actors[-1]], actors[:-1]):
        ready = [actor.stop.remote() for actor in group]
        ray.wait(ready, num_returns=len(ready), timeout=_STOP_S)


def _await(calls: list[Any]) -> None:
    try:
        ray.get(calls, timeout=_START_S)
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from None
