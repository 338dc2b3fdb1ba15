"""A whole engine, started and stopped from one front process: Ray, shards, dispatcher, ingress, dashboard."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from actors.catalog_files.active_catalog import ActiveCatalog
from actors.catalog_proof import own_process
from actors.cluster.watchdog import Watchdog
from actors.platform import diary
from actors.platform.clock import WallClock, clock_file
from actors.platform.ports import check_free
from engine.errors import Forbidden, PartLost, SegueError
from serve.http.auth import KeyRing
from serve.process.data_directory import DataDirectory
from serve.process.ending import GAVE_UP, bounded, exit_now, tell
from serve.process.guard import Guard
from serve.process.ingress_replicas import IngressReplicas
from serve.process.part_starts import PartStarts
from serve.process.ray_runtime import head, orphans, sessions, surroundings
from serve.process.ray_runtime.parts import RayParts
from serve.process.settings import Settings
from serve.process.starting import end_orphans, note_if_ours, note_start, noting
from serve.process.upgrading import bring_back_catalog, upgrade

_STOP_S = 75.0  # of an engine that is well: draining, then 20 s each for dispatcher and shards, at the most
_GIVE_UP_S = 8.0  # of one that is not, so that all of it has ended a minute after the fault


class EngineProcess:
    """Everything that `segue up` runs. `start` returns when the engine is ready; `stop` within seconds."""

    def __init__(self, settings: Settings) -> None:
        """Check all that can be checked before anything is started; raises UsageError or CatalogError."""
        self.settings = settings
        with noting(partial(note_if_ours, settings.data)):
            surroundings.check_open_files()
            self.catalog, self.warnings, _ = own_process.prove_directory(settings.config, os.environ)
            # Orphans first: an HAProxy of a killed engine may hold the port that is looked at next.
            self.orphans = end_orphans(settings.data)
            check_free(settings.addresses, settings.port, "--port")
            self.data = DataDirectory(settings)
            self._sockets = ""
            self.note: Callable[..., None] = partial(diary.write, self.data.path)
            try:
                self._ray_folder = surroundings.ray_folder(settings.runtime)
                sessions.forget_former(self._ray_folder, self.data.path)
                self._sockets = surroundings.make_runtime_folder(settings.runtime)
                self.keys, self.made_keys = KeyRing.load_or_create(
                    self.data.path / "keys.json", settings.write_key, settings.server_key
                )
                self.data.rely_on("keys.json")
            except BaseException:  # Ctrl-C too: neither the folder nor the lock may outlive a start that fails
                shutil.rmtree(self._sockets, ignore_errors=True)
                self.data.release()
                raise
        self.notices: list[str] = []  # damage found at the start, which harms nobody else
        self.is_proposal = False  # the directory holds something that nobody has approved yet
        self._actors: list[Any] = []
        self._direct_sockets = 3 * settings.replicas  # twice the replicas while they are replaced, and those that drain
        self._guard: Guard | None = None
        self._parts: RayParts | None = None
        self._matching: Any = None  # its module imports Ray
        self._ray: Any = None
        self._ending = threading.RLock()  # held by the thread that stops the engine: the main one, or the guard's
        self._is_over = self._is_stuck = False

    @property
    def dashboard_url(self) -> str:
        """The URL of Ray's dashboard; empty until it has started."""
        return f"http://{self._ray.dashboard_url}" if self._ray is not None and self._ray.dashboard_url else ""

    def start(self) -> None:
        """Start Ray (or join a cluster), the shards, the dispatcher and the ingress; wait until the engine is ready.

        PartLost where Ray dies meanwhile, SegueError where anything of it does not start.
        """
        with noting(self.note):
            if self.data.is_old:
                upgrade(self.data, self.settings.shards, self.catalog)
            self.data.settle()
            self.active_catalog = ActiveCatalog(self.data.catalog_path, self.data.id_key)
            if not self.data.catalog_path.exists():
                self.notices += self.data.missing_catalog()
                bring_back_catalog(self.data, self.active_catalog)
        try:
            self._start_parts()
        except Exception as error:
            fault = error if isinstance(error, SegueError) else self._fault(error)
            self.note("start_failed", "error", reason=str(fault))
            raise fault from error
        note_start(
            self.note,
            self.settings,
            self.catalog.version,
            keys_made=self.made_keys,
            orphans_ended=self.orphans,
            damage=self.notices,
        )

    def _fault(self, error: Exception) -> SegueError:
        """The error of a start that failed. Ray and Serve raise errors of many kinds and lengths: their first line is
        told here, and the rest stands in their logs."""
        if reason := self._parts.lost() if self._parts else "":
            return PartLost(reason)
        return SegueError(f"the engine does not start: {_first_line(error)}")

    def _start_parts(self) -> None:
        self._ray = head.join(self.settings.address) if self.settings.address else self._own_ray()
        sessions.mark(self._ray.address_info["session_dir"], self.data.path)
        self._guard_ray()
        from actors.cluster import cluster  # imports Ray, which must see the flags first
        from actors.cluster.matching import MatchingRounds

        try:
            self.catalog = self.active_catalog.take(self.catalog.document)
        except Forbidden:  # what is active was approved, and what the directory holds was not
            self.catalog, self.is_proposal = self.active_catalog.read(), True
        self.data.rely_on("catalog")
        plan = cluster.EnginePlan(
            catalog=str(self.data.catalog_path),
            id_key=self.data.id_key,
            stores=tuple(str(self.data.shard_path(number)) for number in range(self.settings.shards)),
            vault=str(self.data.vault_path),
            vault_base=self.data.vault_base,
            engine_key=self.data.engine_key,
            sockets=self._sockets,
            is_replay=self.settings.clock == "replay",
            public_url=self.settings.public_url,
        )
        with ThreadPoolExecutor(1) as beside:  # both mostly wait for processes to come up
            starting = beside.submit(cluster.start, plan, surroundings.withheld(os.environ), self.notices.append)
            try:
                self._start_ingress(plan)
            finally:  # also where the ingress fails, because `stop` has to end the actors that were started
                self._actors = starting.result()
        self._watch([*plan.shard_sockets(), plan.dispatcher_socket()])
        if not plan.is_replay:
            self._matching = MatchingRounds(plan, self.note)
            self._matching.begin()
        self._ingress.wait_until_ready()

    def _own_ray(self) -> Any:
        return head.start(
            self.data.path,
            self._sockets,
            self._ray_folder,
            direct_sockets=self._direct_sockets,
            ray_host=self.settings.ray_host,
            addresses=self.settings.addresses,
            port=self.settings.port,
        )

    def take_catalog(self) -> str:
        """Let the engine run by what the configuration directory holds now, and by what commands said; returns the
        version of both. Raises CatalogError where it has a fault, Forbidden where it has to be approved first: then
        nothing changes."""
        catalog, self.warnings, _ = own_process.prove_directory(self.settings.config, os.environ)
        self.catalog = self.active_catalog.take(catalog.document)
        return self.catalog.version

    def redeploy(self) -> None:
        """Replace every replica of the ingress by a new one, with the code that is installed now; somebody always
        answers."""
        self._ingress.replace()
        self.note("ingress_replaced", replicas=self.settings.replicas)

    def stop(self) -> None:
        """Drain and stop: first the ingress, then the dispatcher, then the shards. It returns even where Ray hangs, and
        kills the processes that have not ended by then."""
        with self._ending:
            if self._is_over:
                return
            self._is_over = True
            if self._matching is not None:
                self._matching.end()
            if self._guard is not None:
                self._guard.end()
            self._is_stuck = not bounded(self._stop_by_ray, _STOP_S, self._is_ray_gone) or self._is_ray_gone()
            self.note("engine_stopped")
            self._end()

    def leave(self, code: int) -> None:
        """End this process at once where Ray would keep it from ending by itself, else do nothing."""
        if self._is_stuck:
            exit_now(code)

    def _give_up(self, reason: str) -> None:
        """Stop an engine that cannot go on, say why, and end this process so that it is started again."""
        with self._ending:
            if self._is_over:
                return
            self._is_over = True
            tell(f"the engine stops: {reason}")
            self.note("engine_gave_up", "error", reason=reason)
            try:
                with contextlib.redirect_stdout(io.StringIO()):  # Ray tells of each process that is ended now
                    orphans.end_ingress(self.data.path)
                    if self.settings.address:  # the actors run under a Ray that is not ours, and which has to end them
                        bounded(self._stop_by_ray, _STOP_S, self._is_ray_gone)
                    elif self._actors and self._parts is not None and not self._parts.is_without_workers():
                        bounded(self._stop_actors, _GIVE_UP_S)
                    self._end()
            finally:
                os._exit(GAVE_UP)

    def _is_ray_gone(self) -> bool:
        return self._parts is not None and not self._parts.is_whole()

    def _stop_by_ray(self) -> None:
        import ray
        from ray import serve as ray_serve

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        if ray.is_initialized() and not self._is_ray_gone():
            # Serve ends its controller here, and Ray would print that as a fault.
            with contextlib.redirect_stdout(io.StringIO()):
                ray_serve.shutdown()
                if self._actors:
                    self._stop_actors()
                    for actor in self._actors:
                        ray.kill(actor)
                self._parts = None  # from here on the end of Ray is wanted, so nobody may take it for a loss
                ray.shutdown()

    def _stop_actors(self) -> None:
        from actors.cluster import cluster

        cluster.stop(self._actors)

    def _end(self) -> None:
        """End the processes of this engine that still run, such as an HAProxy that waits for its last connections."""
        orphans.end(self.data.path)
        orphans.forget(self.data.path, self._sockets)
        self.data.release()

    def _guard_ray(self) -> None:
        """From now on this process ends when Ray does."""
        self._parts = RayParts(self._ray.address_info["gcs_address"] if self.settings.address else "")
        folders = [Path(self._sockets), self._ray_folder, self.data.path]
        self._guard = Guard(self._parts, folders, self._give_up, tell, _remake)
        self._guard.begin()

    def _watch(self, sockets: list[str]) -> None:
        """Have shards, dispatcher, ingress and clock watched for as long as this process lives."""
        for name in ("actors.platform.clock", "actors.cluster.watchdog"):
            logging.getLogger(name).addHandler(diary.Warnings(self.data.path))
        watchdog = Watchdog(sockets)
        threading.Thread(target=lambda: asyncio.run(watchdog.watch()), name="watchdog", daemon=True).start()
        if self._guard is not None:
            folder = Path(self._sockets)
            looks = (PartStarts(folder, self.note).look, WallClock(clock_file(folder)).now_ms)
            self._guard.also(watchdog, self.settings.url, folder, looks)

    def _start_ingress(self, plan: Any) -> None:
        sockets = None if self.settings.address else (self._sockets, self._direct_sockets)
        self._ingress = IngressReplicas(self.settings, plan, self.data.path / "keys.json", sockets)
        self._ingress.start()


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().split("\n")[0]


def _remake(name: str) -> None:
    """Have Ray start a part anew, even one that Ray believes to be well."""
    from actors.cluster import cluster

    with contextlib.suppress(Exception):  # any error of Ray's; a part that stays away soon ends the engine anyway
        cluster.remake(name)
