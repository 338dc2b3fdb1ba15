"""A whole engine, started and stopped from one front process: Ray, shards, dispatcher, ingress, dashboard."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from actors import catalog_files
from actors.standing import Standing
from actors.watchdog import Watchdog
from engine.errors import SegueError, UsageError
from serve import front_door, lane, orphans
from serve.auth import KeyRing
from serve.data_directory import DataDirectory, lock
from serve.gateway import GatewayConfig
from serve.ports import check_free, free_port
from serve.settings import Settings

_READY_S = 60.0
_OBJECT_STORE_BYTES = 80 << 20  # the data plane is sockets; Ray's object store carries nothing of ours


def serve_flags(folder: str = "/tmp/haproxy-serve") -> dict[str, str]:
    """What Ray Serve reads from the environment when it is imported, in every process (HAProxy, throughput, quick
    drain, quick discovery of a dead HAProxy: it takes three looks, and Serve would look every ten seconds).

    Serve's fallback proxy takes its port with SO_REUSEPORT: two engines on one would answer for one another. So they
    would with one HAProxy configuration between them, which lies in `folder`.
    """
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",  # a line of log for each request, parsed in Python: a tenth of a core
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",  # on a busy machine five seconds are too few to start in
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(free_port()),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(free_port()),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # Ray would let its workers, that is all of us, give way to everything else
    }


class EngineProcess:
    """Everything that `segue up` runs. `start` returns when the engine is ready; `stop` within seconds."""

    def __init__(self, settings: Settings) -> None:
        """Check all that can be checked before anything is started; raises UsageError or CatalogError."""
        self.settings = settings
        self.catalog = catalog_files.load(settings.config)
        self.orphans = _end_orphans(settings.data)
        check_free(settings.host, settings.port, "--port")
        self.data = DataDirectory(settings)
        try:
            self.keys, self.made_keys = KeyRing.load_or_create(
                self.data.path / "keys.json", settings.write_key, settings.server_key
            )
            self.data.rely_on("keys.json")
        except BaseException:
            self.data.release()
            raise
        self.notices: list[str] = []  # what was found to be damaged, and takes down nobody who is whole
        self.dashboard_url = ""
        self._sockets = tempfile.mkdtemp(prefix="segue-", dir="/tmp" if Path("/tmp").is_dir() else None)
        self._actors: list[Any] = []
        self._own_ray = False
        self._lanes = 3 * settings.replicas  # twice the replicas while they are replaced, and those that drain
        self._generation = 0

    def start(self) -> None:
        """Start Ray (or join a cluster), the shards, the dispatcher and the ingress; wait until the engine is ready."""
        if self.data.is_old:
            self._upgrade()
        self.data.settle()
        self.standing = Standing(self.data.catalog_path, self.data.id_key)
        if not self.data.catalog_path.exists():
            self.notices += self.data.missing_catalog()
            self._bring_back_catalog()
        self._start_ray()
        from actors import cluster  # imports Ray, which must see the flags first

        self.catalog = self.standing.take(self.catalog.document)
        self.data.rely_on("catalog")
        plan = cluster.Plan(
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
            starting = beside.submit(cluster.start, plan, self.notices.append)
            try:
                self._start_ingress(plan)
            finally:
                self._actors = starting.result()
        self._watch([*plan.shard_sockets(), plan.dispatcher_socket()])
        self._wait_until_ready()

    def take_catalog(self) -> str:
        """Let the engine run by what the configuration directory holds now, and by what commands said; returns the
        version of both.

        Raises CatalogError where it has a fault: then nothing changes.
        """
        self.catalog = self.standing.take(catalog_files.load(self.settings.config).document)
        return self.catalog.version

    def redeploy(self) -> None:
        """Replace every replica of the ingress by a new one, with the code that is installed now. Serve stops one while
        it starts the next, so there are twice as many meanwhile: somebody always answers."""
        self._generation += 1
        for times in (2, 1):
            self._deploy(times * self.settings.replicas, self._generation)

    def stop(self) -> None:
        """Drain and stop: first the door, then the dispatcher, then the shards."""
        import ray
        from ray import serve as ray_serve

        from actors import cluster

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        if ray.is_initialized():
            # while Serve ends its controller, Ray prints that as a fault
            with contextlib.redirect_stdout(io.StringIO()):
                ray_serve.shutdown()
                if self._actors:
                    cluster.stop(self._actors)
                    for actor in self._actors:
                        ray.kill(actor)
                ray.shutdown()
        orphans.end(self.data.path)  # an HAProxy that still waits for its last connections, say
        orphans.forget(self.data.path, self._sockets)
        self.data.release()

    def _upgrade(self) -> None:
        """Rewrite stores of an older format, one after the other."""
        from actors.store import RocksStore, inspect  # opens RocksDB, which only an old directory needs here
        from actors.upgrade import upgrade
        from actors.vault import FileVault

        catalog = replace(self.catalog, id_key=self.data.id_key)
        for number in range(self.settings.shards):
            inspect(self.data.shard_path(number))
        for number in range(self.settings.shards):
            store = RocksStore(self.data.shard_path(number))
            vault = FileVault(self.data.vault_path, self.data.engine_key, self.data.vault_base + number)
            try:
                upgrade(store, vault, catalog)
            finally:
                store.close()
                vault.close()
        self.data.upgraded()

    def _bring_back_catalog(self) -> None:
        """The file is gone, and with it what commands said of journeys: but the first shard knows what it went by."""
        from actors.store import RocksStore, inspect  # as above
        from actors.waking import last_document

        path = self.data.shard_path(0)
        if path.is_dir() and any(path.iterdir()):
            inspect(path)
            store = RocksStore(path)
            try:
                document = last_document(store)
            finally:
                store.close()
            if document is not None:
                self.standing.put(document)

    def _watch(self, sockets: list[str]) -> None:
        """Have shards and dispatcher watched for as long as this process lives."""
        watchdog = Watchdog(sockets)
        threading.Thread(target=lambda: asyncio.run(watchdog.watch()), name="watchdog", daemon=True).start()

    def _start_ray(self) -> None:
        if not self.settings.address:
            marks = orphans.mark(self.data.path, self._sockets, self.settings.port)
            os.environ.update(serve_flags(self._sockets) | marks)
            lanes = [Path(self._sockets, lane.socket_name(number)) for number in range(self._lanes)]
            os.environ[front_door.BINARY] = str(front_door.write_binary(Path(self._sockets), lanes))
        import ray

        logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it tells that it is on, each time
        options: dict[str, Any] = {
            "namespace": "segue",
            "logging_config": ray.LoggingConfig(encoding="JSON", log_level="WARNING"),
            "log_to_driver": False,
        }
        if self.settings.address:
            missing = [
                name
                for name in ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED")
                if not os.environ.get(name)
            ]
            if missing:
                raise UsageError(f"the cluster and this process need {' and '.join(missing)} set to 1", "--address")
            context = ray.init(address=self.settings.address, **options)
        else:
            self._own_ray = True
            context = ray.init(
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                dashboard_port=free_port(),
                object_store_memory=_OBJECT_STORE_BYTES,
                **options,
            )
        for handler in logging.getLogger().handlers:
            handler.setLevel(logging.ERROR)  # here people read; the parts write to their own logs
        self.dashboard_url = f"http://{context.dashboard_url}" if context.dashboard_url else ""

    def _start_ingress(self, plan: Any) -> None:
        from ray import serve as ray_serve
        from ray.serve.config import HTTPOptions

        from actors import cluster

        self._config = GatewayConfig(
            standing=plan.standing(),
            shards=tuple(plan.shard_sockets()),
            dispatcher=plan.dispatcher_socket(),
            keys=str(self.data.path / "keys.json"),
            is_replay=plan.is_replay,
            origins=self.settings.origins,
            version=version("segue"),
            lanes=(self._sockets, self._lanes) if self._own_ray else None,
            metrics=cluster.metrics_urls(),
            deadline_s=0.0 if plan.is_replay else self.settings.deadline_s,
        )
        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        ray_serve.start(http_options=HTTPOptions(host=self.settings.host, port=self.settings.port))
        self._deploy(self.settings.replicas, self._generation)

    def _deploy(self, replicas: int, generation: int) -> None:
        """Have so many replicas of a generation; returns when they serve."""
        from ray import serve as ray_serve

        from serve.ingress import application

        app = application(self._config, replicas, str(generation))
        ray_serve.run(app, name="segue", route_prefix="/", logging_config={"log_level": "ERROR"})

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.settings.url}/readyz", timeout=2.0, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise SegueError("the engine did not become ready in time")


def _end_orphans(data: Path) -> int:
    """End what an engine whose front process was killed has left here, an HAProxy on the port among it."""
    if not (data / orphans.RUN_FILE).exists():
        return 0
    with lock(data):  # held by the front process of an engine that lives
        return orphans.end(data)
