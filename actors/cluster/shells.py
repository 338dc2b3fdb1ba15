"""Assembles the shell of each actor with its store, clock, keys, catalog and sockets.

Only the metrics here know Ray; `cluster` runs these shells as actors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from actors.cluster.engine_plan import EnginePlan
from actors.cluster.ray_meter import RayMeter
from actors.delivery.dispatcher import Dispatcher
from actors.maintenance import backup
from actors.platform.clock import ReplayClock, WallClock
from actors.replay_clock.conductor import Conductor
from actors.replay_clock.windows import Windows
from actors.serving.migration import Pins
from actors.serving.shard_server import ShardServer
from actors.serving.shard_shell import ShardShell
from actors.shard.shard import Shard
from actors.storage.store import open_when_free
from actors.storage.vault import FileVault

PINNED = -1  # the number of a shard that is for one profile


def of_shard(plan: EnginePlan, number: int, pins: Pins, opened: Callable[[Shard], None]) -> ShardShell:
    """One shard behind its socket. `opened` is given the shard each time that its store is opened: a shell opens it
    anew where the disk was full."""
    active_catalog, sockets = plan.active_catalog(), plan.shard_sockets()
    vault = FileVault(Path(plan.vault), plan.engine_key, plan.vault_base + number, create=False)
    meter = RayMeter(f"shard-{number}")

    def open_shard() -> ShardServer:
        clock = ReplayClock() if plan.is_replay else WallClock(plan.clock_file())
        vault.check_there()
        store = open_when_free(Path(plan.stores[number]))
        try:
            shard = Shard(number, store, active_catalog.read_with_edits(), clock, vault=vault)
            windows = Windows(shard, clock) if isinstance(clock, ReplayClock) else None
        except BaseException:
            store.close()
            raise
        opened(shard)
        return ShardServer(
            shard,
            sockets[number],
            sockets,
            windows=windows,
            pins=None if plan.is_replay else pins,
            active_catalog=active_catalog,
            meter=meter,
        )

    return ShardShell(open_shard)


def of_pinned(plan: EnginePlan, profile: str) -> ShardShell:
    """A shard that holds one profile, with a store of its own."""
    active_catalog = plan.active_catalog()
    vault = FileVault(Path(plan.vault), plan.engine_key)  # it makes no keys: a profile brings its own along
    meter = RayMeter("pinned")

    def open_shard() -> ShardServer:
        vault.check_there()
        store = open_when_free(plan.pin_store(profile))
        try:
            clock = WallClock(plan.clock_file())
            shard = Shard(PINNED, store, active_catalog.read_with_edits(), clock, vault=vault, own=profile)
        except BaseException:
            store.close()
            raise
        sockets = plan.pin_socket(profile), plan.shard_sockets()
        return ShardServer(shard, *sockets, active_catalog=active_catalog, meter=meter)

    return ShardShell(open_shard)


def of_dispatcher(plan: EnginePlan) -> Dispatcher:
    """The dispatcher, which finds the credentials of channels in this process's environment."""
    return Dispatcher(
        plan.active_catalog(),
        plan.shard_sockets(),
        plan.dispatcher_socket(),
        public_url=plan.public_url,
        environ=os.environ,
        conductor=Conductor if plan.is_replay else None,
        back_up=partial(backup.of_running, Path(plan.vault).parent),
        meter=RayMeter("dispatcher"),
    )
