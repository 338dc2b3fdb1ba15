"""Starts Ray with flags and an environment of the engine's own, or joins a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from actors.platform import listening
from actors.platform.listening import LOOPBACK
from actors.platform.ports import free_port
from engine.errors import UsageError
from serve.http import direct_socket
from serve.process.ray_runtime import haproxy, orphans, surroundings
from serve.process.ray_runtime.flags import ray_flags, serve_flags

_OBJECT_STORE_BYTES = 80 << 20  # the data plane is sockets; Ray's object store carries nothing of ours
_FLAGS = ("RAY_SERVE_ENABLE_HA_PROXY", "RAY_SERVE_THROUGHPUT_OPTIMIZED")


def join(address: str) -> Any:
    """Join the Ray cluster at `address`; returns Ray's context. UsageError where the cluster is not as it must be."""
    # Serve reads its flags in every process, so the cluster and this process must have the same.
    if missing := [name for name in _FLAGS if not os.environ.get(name)]:
        raise UsageError(f"the cluster and this process need {' and '.join(missing)} set to 1", "--address")
    # `ray start` asks for the token of this user where there is one, and `ray.init` shows it only where it is told to.
    if surroundings.token_file().exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    return _connected(nullcontext(), address=address)


def start(
    data: Path,
    sockets: str,
    ray_folder: Path,
    *,
    direct_sockets: int,
    ray_host: str,
    addresses: Sequence[str],
    port: int,
) -> Any:
    """Start a Ray of our own, which listens at `ray_host`; returns its context.

    HTTP is answered at `addresses` and `port` by HAProxy, which hands requests over by `direct_sockets` sockets in the
    folder `sockets`. Ray keeps its session in `ray_folder`.
    """
    marks = orphans.mark(data, sockets, port)
    os.environ.update(ray_flags(ray_host) | serve_flags(sockets) | marks)
    paths = [Path(sockets) / direct_socket.socket_name(number) for number in range(direct_sockets)]
    os.environ[haproxy.BINARY] = str(haproxy.write_binary(Path(sockets), paths, listening.binds(addresses, port)))
    surroundings.close_token_file()
    options: dict[str, Any] = {} if ray_host == LOOPBACK else {"_node_ip_address": ray_host}
    return _connected(
        surroundings.of_children(sockets),
        include_dashboard=True,
        dashboard_host=LOOPBACK,
        dashboard_port=free_port(),
        object_store_memory=_OBJECT_STORE_BYTES,
        _temp_dir=str(ray_folder),
        **options,
    )


def _connected(surrounded: AbstractContextManager[None], **options: Any) -> Any:
    # Ray reads its flags at the import, so they are set by now. It is imported before `surrounded` changes the folder.
    import ray

    logging.getLogger("ray._private.authentication").setLevel(logging.ERROR)  # it tells that it is on, each time
    with surrounded:
        context = ray.init(
            namespace="segue",
            logging_config=ray.LoggingConfig(encoding="JSON", log_level="WARNING"),
            log_to_driver=False,
            **options,
        )
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.ERROR)  # here people read; the parts write to their own logs
    return context
