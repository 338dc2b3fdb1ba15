"""The only caller of `ray.remote` and `get_actor`: makes the actors of an engine, names them, and ends them.

Each actor runs its shell's event loop in a thread of its own. A thread that dies must not leave a living actor behind,
so it ends the process, and Ray starts another one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import ray

from actors.cluster import shells
from actors.cluster.engine_plan import EnginePlan as EnginePlan
from actors.cluster.host import START_S, STOP_S, Host
from actors.delivery.dispatcher import Dispatcher
from actors.maintenance.start_check import inspect_shard
from actors.platform import durable, logs, pids
from actors.serving.shard_shell import ShardShell
from actors.shard.shard import Shard
from actors.storage.store import RocksStore
from actors.storage.vault import FileVault
from engine.errors import Corrupt

NAMESPACE = "segue"
_POLL_S = 0.05
_AGAIN_S = 1.0
_TRIES = 30  # to reach an actor that Ray is starting again
_OPTIONS = {"num_cpus": 0, "max_restarts": -1, "namespace": NAMESPACE}

log = logging.getLogger(__name__)


class ProfileShard:
    """A shard as a Ray actor: any number of virtual profile actors live here."""

    def __init__(self, plan: EnginePlan, number: int) -> None:
        self._plan, self._number, self._host = plan, number, Host()
        self._pins = RayPins(plan)
        self._shard: Shard | None = None
        self._host.take_over(self.start, plan.shard_sockets()[number], is_again=_is_again())

    def inspect(self) -> list[str]:
        """Look for damage in the store and in the keys. Corrupt names a file that the shard cannot work without. The
        answer has a line for each key that cannot be read."""
        plan, number = self._plan, self._number
        vault = FileVault(Path(plan.vault), plan.engine_key)
        own = range(number, plan.vault_base + len(plan.stores), len(plan.stores))  # each file is looked at by one shard
        try:
            return inspect_shard(Path(plan.stores[number]), vault, [file for file in own if vault.path(file).exists()])
        finally:
            vault.close()

    def start(self) -> int:
        """Open the store and listen; returns the process id."""
        pids.record(self._plan.shard_sockets()[self._number])
        self._host.start(self._make)
        assert self._shard is not None
        for profile in self._shard.ownership.pinned():
            self._start_pin(profile, is_new=not self._shard.ownership.has_left(profile))
        return os.getpid()

    def _start_pin(self, profile: str, *, is_new: bool) -> None:
        try:
            self._pins.start_now(profile, is_new=is_new)
        except Corrupt as error:  # one customer's store is damaged; the others are served all the same
            logs.fault(log, "pinned_profile_damaged", error)

    def stop(self) -> None:
        """End the processes of its pinned profiles, finish the group at hand, and close the store."""
        assert self._shard is not None
        for profile in self._shard.ownership.pinned():
            self._pins.end_now(profile)
        self._host.stop()

    def _make(self) -> ShardShell:
        return shells.of_shard(self._plan, self._number, self._pins, self._opened)

    def _opened(self, shard: Shard) -> None:
        self._shard = shard


class PinnedProfile:
    """One profile as a Ray actor, with a store of its own. It outlives the process of its home shard, which ends it."""

    def __init__(self, plan: EnginePlan, profile: str) -> None:
        self._plan, self._profile, self._host = plan, profile, Host()
        self._host.take_over(self.start, plan.pin_socket(profile), is_again=_is_again())

    def start(self) -> str:
        """Open the store and listen, unless it does so already; returns the folder of its engine's sockets."""
        if not self._host.is_started:
            pids.record(self._plan.pin_socket(self._profile))
            self._host.start(self._make)
        return self._plan.sockets

    def stop(self) -> None:
        """Finish the group at hand and close the store."""
        self._host.stop()

    def _make(self) -> ShardShell:
        return shells.of_pinned(self._plan, self._profile)


class RayPins:
    """Starts and ends the processes of pinned profiles; each shows as `pinned-…` on the dashboard."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan

    async def start(self, profile: str) -> None:
        """Start the process of a profile; returns when it listens, at once where it does so already."""
        # Beside the loop: Ray's calls block, and the shard goes on with its turns.
        await asyncio.get_running_loop().run_in_executor(None, partial(self.start_now, profile, is_new=True))

    async def end(self, profile: str) -> None:
        """End the process of a profile, and remove its store."""
        await asyncio.get_running_loop().run_in_executor(None, self._remove, profile)

    def start_now(self, profile: str, *, is_new: bool = False) -> None:
        """As `start`, for a caller that may block. A process that a killed engine has left listens elsewhere, and is
        replaced. With `is_new` the profile has not arrived there yet, so its store may have to be made."""
        if is_new and not self._plan.pin_store(profile).exists():
            RocksStore(self._plan.pin_store(profile)).close()
        if self._started(profile) != self._plan.sockets:
            self.end_now(profile)
            self._started(profile)

    def end_now(self, profile: str) -> None:
        """If the process runs, let it finish the work at hand and end it; returns when its name is free."""
        try:
            actor = ray.get_actor(_name(profile), NAMESPACE)
            ray.wait([actor.stop.remote()], timeout=STOP_S)
            ray.kill(actor)
        except ValueError:
            return
        for _ in range(int(STOP_S / _POLL_S)):
            try:
                ray.get_actor(_name(profile), NAMESPACE)
            except ValueError:
                return
            time.sleep(_POLL_S)

    def _remove(self, profile: str) -> None:
        self.end_now(profile)
        durable.drop_folder(self._plan.pin_store(profile))
        for name in (self._plan.pin_socket(profile), f"{self._plan.pin_socket(profile)}.pid"):
            Path(name).unlink(missing_ok=True)

    def _started(self, profile: str) -> str:
        options = {"name": _name(profile), "lifetime": "detached", "get_if_exists": True}
        actor = _made(PinnedProfile, self._plan, profile, **options)
        for attempt in range(_TRIES):
            try:
                sockets: str = ray.get(actor.start.remote(), timeout=START_S)
                return sockets
            except ray.exceptions.RayTaskError as error:
                raise (error.cause or error) from None
            except ray.exceptions.RayActorError:  # it has just died, and Ray is starting it again
                if attempt == _TRIES - 1:
                    raise
                time.sleep(_AGAIN_S)
        raise AssertionError("the last try returns or raises")


class DispatcherActor:
    """The dispatcher as a Ray actor: hands messages to providers, and moves the replay clock where there is one."""

    def __init__(self, plan: EnginePlan, environment: Mapping[str, str]) -> None:
        """`environment` is the front process's. Channels find their credentials there; no other actor is given it."""
        self._plan, self._host = plan, Host()
        os.environ.update(environment)  # libraries look there for proxies and certificates
        self._host.take_over(self.start, plan.dispatcher_socket(), is_again=_is_again())

    def start(self) -> int:
        """Begin to pull; returns the process id."""
        pids.record(self._plan.dispatcher_socket())
        self._host.start(self._make)
        return os.getpid()

    def stop(self) -> None:
        """Settle what is being handed over, then stop."""
        self._host.stop()

    def _make(self) -> Dispatcher:
        return shells.of_dispatcher(self._plan)


def start(
    plan: EnginePlan, environment: Mapping[str, str], tell: Callable[[str], None] = lambda line: None
) -> list[Any]:
    """Start all actors of an engine, shards first; returns their handles. Only the dispatcher gets the environment.

    Raises the error of the first actor that failed; `tell` gets a line for each customer's key that cannot be read.
    """
    shards = [_made(ProfileShard, plan, number, name=f"shard-{number}") for number in range(len(plan.stores))]
    dispatcher = _made(DispatcherActor, plan, environment, name="dispatcher")
    # All stores are looked at before any of them is opened for writing: RocksDB changes files when it opens a store.
    for lines in _await([actor.inspect.remote() for actor in shards]):
        for line in lines:
            tell(line)
    _await([actor.start.remote() for actor in shards])
    _await([dispatcher.start.remote()])
    return [*shards, dispatcher]


def stop(actors: list[Any], patience_s: float = STOP_S) -> None:
    """Stop the dispatcher first, so that the shards are still there to settle its sends, then the shards. Each finishes
    its work at hand. An actor that takes longer than `patience_s` is not waited for."""
    for group in ([actors[-1]], actors[:-1]):
        ready = [actor.stop.remote() for actor in group]
        ray.wait(ready, num_returns=len(ready), timeout=patience_s)


def remake(name: str) -> None:
    """End the process of the actor behind this socket, where it does not serve the socket; Ray starts another one.

    This happens on a full disk: a process cannot even write its name to its log, and Ray takes its actor for made.
    """
    ray.kill(ray.get_actor(name.replace("pin-", _name(""), 1), namespace=NAMESPACE), no_restart=False)


def metrics_urls() -> tuple[str, ...]:
    """The URLs at which nodes show their metrics to Prometheus."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    return tuple(f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics" for node in alive)


def _made(shell: type[object], *arguments: object, **options: object) -> Any:
    """The handle of an actor that Ray makes. Its type is Any, because Ray's types know the methods of a class only
    where a decorator makes it an actor."""
    actor: Any = ray.remote(shell)
    return actor.options(**_OPTIONS, **options).remote(*arguments)


def _is_again() -> bool:
    """Whether this process replaces one of the same actor that has ended."""
    return bool(ray.get_runtime_context().was_current_actor_reconstructed)


def _name(profile: str) -> str:
    """The name of a pinned profile's actor, as operators read it on the dashboard and in `/v1/status`."""
    return f"pinned-{profile}"


def _await(calls: list[Any]) -> list[Any]:
    try:
        return list(ray.get(calls, timeout=START_S))
    except ray.exceptions.RayTaskError as error:
        raise (error.cause or error) from None
