"""The replicas of the ingress, which Ray Serve keeps alive: their configuration, their number, their replacement."""

from __future__ import annotations

import logging
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from actors.platform.clock import stopwatch
from engine.errors import SegueError
from serve.http.gateway import GatewayConfig
from serve.process.settings import LOOPBACK, Settings

_READY_S = 60.0
_LOOK_S = 0.1


class IngressReplicas:
    """The replicas of one engine. `plan` is the one that its shards and its dispatcher were started with."""

    def __init__(self, settings: Settings, plan: Any, keys: Path, direct_sockets: tuple[str, int] | None) -> None:
        from actors.cluster import cluster  # imports Ray, which must have its flags by now

        self._settings, self._generation = settings, 0
        self._config = GatewayConfig(
            active_catalog=plan.active_catalog(),
            shards=tuple(plan.shard_sockets()),
            dispatcher=plan.dispatcher_socket(),
            keys=str(keys),
            is_replay=plan.is_replay,
            origins=settings.origins,
            version=version("segue"),
            direct_sockets=direct_sockets,
            metrics=cluster.metrics_urls(),
            deadline_s=0.0 if plan.is_replay else settings.deadline_s,
            public_url=settings.public_url,
            directory=str(settings.config),
        )

    def start(self) -> None:
        """Start Ray Serve and the first replicas; returns when they serve."""
        from ray import serve as ray_serve
        from ray.serve.config import HTTPOptions

        logging.getLogger("ray.serve").setLevel(logging.ERROR)
        # Our HAProxy listens where it was told (`serve/process/ray_runtime/haproxy.py`). What Serve has beside it
        # listens on loopback alone.
        host = self._settings.host if self._settings.address else LOOPBACK
        ray_serve.start(http_options=HTTPOptions(host=host, port=self._settings.port))
        self._deploy(self._settings.replicas)

    def replace(self) -> None:
        """Replace every replica by a new one, with the code that is installed now. Serve stops one while it starts the
        next, so there are twice as many meanwhile: somebody always answers."""
        self._generation += 1
        for times in (2, 1):
            self._deploy(times * self._settings.replicas)

    def wait_until_ready(self) -> None:
        """Return once every shard answers by way of them; SegueError where that takes too long."""
        began_s = stopwatch()
        while stopwatch() - began_s < _READY_S:
            try:
                if httpx.get(f"{self._settings.url}/readyz", timeout=2.0, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(_LOOK_S)
        raise SegueError("the engine did not become ready in time")

    def _deploy(self, replicas: int) -> None:
        """Have so many replicas of this generation; returns when they serve."""
        from ray import serve as ray_serve

        from serve.application.ingress import application

        app = application(self._config, replicas, str(self._generation), self._settings.ray_host)
        ray_serve.run(app, name="segue", route_prefix="/", logging_config={"log_level": "ERROR"})
