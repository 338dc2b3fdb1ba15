"""Ray under an engine: one of its own, shut off from everybody else, or a cluster that it joins."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from actors.platform import listening
from actors.platform.ports import free_port
from engine.errors import UsageError
from serve.http import direct_socket
from serve.process import orphans, surroundings
from serve.process.ray_runtime import front_door
from serve.process.ray_runtime.flags import ray_flags, serve_flags
from serve.process.settings import LOOPBACK, Settings

_OBJECT_STORE_BYTES = 80 << 20  # the data plane is sockets; Ray's object store carries nothing of ours
_FLAGS = ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED")


def start(settings: Settings, data: Path, sockets: str, ray_folder: Path, direct_sockets: int) -> Any:
    """Start Ray, or join the cluster of `settings`; returns Ray's context. UsageError where the cluster is not as it
    must be."""
    if not settings.address:
        _prepare(settings, data, Path(sockets), direct_sockets)
    import ray  # reads the flags

    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it tells that it is on, each time
    options: dict[str, Any] = {
        "namespace": "segue",
        "logging_config": ray.LoggingConfig(encoding="JSON", log_level="WARNING"),
        "log_to_driver": False,
    }
    if settings.address:
        if missing := [name for name in _FLAGS if not os.environ.get(name)]:
            raise UsageError(f"the cluster and this process need {' and '.join(missing)} set to 1", "--address")
        context = ray.init(address=settings.address, **options)
    else:
        if settings.ray_host != LOOPBACK:
            options["_node_ip_address"] = settings.ray_host
        context = _own(sockets, ray_folder, options)
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.ERROR)  # here people read; the parts write to their own logs
    return context


def _prepare(settings: Settings, data: Path, sockets: Path, direct_sockets: int) -> None:
    marks = orphans.mark(data, str(sockets), settings.port)
    os.environ.update(ray_flags(settings.ray_host) | serve_flags(str(sockets)) | marks)
    paths = [sockets / direct_socket.socket_name(number) for number in range(direct_sockets)]
    os.environ[front_door.BINARY] = str(
        front_door.write_binary(sockets, paths, listening.binds(settings.addresses, settings.port))
    )


def _own(sockets: str, ray_folder: Path, options: dict[str, Any]) -> Any:
    import ray

    surroundings.close_token_file()
    with surroundings.of_children(sockets):
        return ray.init(
            include_dashboard=True,
            dashboard_host=LOOPBACK,
            dashboard_port=free_port(),
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=str(ray_folder),
            **options,
        )
