"""Matching beside the live engine: Ray tasks over the shards, which the front process starts while profiles wait.

No part of the engine waits for them, and each gives way to every other process. Where matching is off nothing runs. On
a replay clock matching runs only when it is asked for, because a round that began by itself would make two runs of the
same history differ.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import ray

from actors.candidates import weights
from actors.candidates.door import SocketDoor
from actors.candidates.rounds import Report, Round, indexed
from actors.cluster.engine_plan import EnginePlan
from actors.platform import logs
from actors.transport.router import Router
from engine.catalog.compiled import Catalog

PAUSE_S: Final = 5.0  # between two rounds that found nobody
ROUND_S: Final = 600.0
_MOST: Final = 2_000  # profiles of one task; then the catalog is looked at again
_NICE: Final = 10

log = logging.getLogger(__name__)


def match_shard(plan: EnginePlan, number: int, nice: int, most: int = _MOST) -> dict[str, Any]:
    """The task: match some profiles that wait at one shard. The first shard's task looks after pinned profiles too."""
    os.nice(max(0, nice - os.nice(0)))  # Ray may use this process again
    return asdict(asyncio.run(_match(plan, number, most)))


async def _match(plan: EnginePlan, number: int, most: int) -> Report:
    catalog, done = plan.active_catalog().read(), Report()
    if not catalog.identity.matching.enabled:
        return done
    door = SocketDoor(Router(plan.shard_sockets()))
    try:
        places = await door.places()
        ready = weights.ready(catalog, await indexed(door))
        one = Round(door, ready, catalog.identity.matching.review_at, catalog.id_key)
        for place in [places[number], *(places[len(plan.stores) :] if number == 0 else ())]:
            done.add(await one.run(place, most))
    finally:
        door.close()
    return done


class MatchingRounds:
    """Starts the tasks, from a thread of the front process. `note` writes into the engine's own log; `nice` is how far
    a task stands back behind the other processes of its machine."""

    def __init__(self, plan: EnginePlan, note: Callable[..., None], *, nice: int = _NICE) -> None:
        self._plan, self._note, self._nice = plan, note, nice
        self._active = plan.active_catalog()
        self._mark: tuple[int, int] | None = None
        self._catalog: Catalog | None = None
        self._over = threading.Event()

    def begin(self) -> None:
        """Match from now on, until this process ends."""
        threading.Thread(target=self._run, name="matching", daemon=True).start()

    def end(self) -> None:
        """Start no more tasks."""
        self._over.set()

    def _run(self) -> None:
        pause_s = PAUSE_S
        while not self._over.wait(pause_s):
            try:
                pause_s = 0.0 if self._is_wanted() and self.round().profiles else PAUSE_S
            except Exception as error:  # the outermost loop of this shell: whoever waits is matched by the next round
                pause_s = PAUSE_S
                if not self._over.is_set():
                    logs.fault(log, "matching_failed", error)
                    self._note("matching_failed", "error", reason=f"{type(error).__name__}: {error}".split("\n")[0])

    def _is_wanted(self) -> bool:
        mark = self._active.mark()
        if self._catalog is None or mark != self._mark:
            self._catalog, self._mark = self._active.read(), mark
        return self._catalog.identity.matching.enabled

    def round(self) -> Report:
        """One task for each shard; what they did together."""
        task = ray.remote(match_shard).options(num_cpus=1, max_retries=0)
        tasks = [task.remote(self._plan, number, self._nice) for number in range(len(self._plan.stores))]
        done = Report()
        for found in ray.get(tasks, timeout=ROUND_S):
            done.add(Report(**found))
        if done.profiles:
            facts = {"profiles": done.profiles, "pairs": done.pairs, "likely": done.likely}
            self._note("profiles_matched", **facts, frequent=done.frequent)
        return done
