"""The Ray Serve application: replicas of the ingress, each an actor with a router of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

from ray import serve as ray_serve
from ray.serve._private import replica

from actors.cluster.ray_meter import RayMeter
from actors.platform.listening import LOOPBACK
from serve.application.app import App
from serve.http.gateway import GatewayConfig

_ONGOING_MAX = 16_384  # all that HAProxy lets in: no request waits in Serve, because `serve/http/admission.py` decides
_LOOK_S = 1.0  # how often Serve looks whether a replica lives; by default every 10 s, and it starts no other till then


def application(config: GatewayConfig, replicas: int, generation: str, ray_host: str) -> Any:
    """The application that `serve.run` takes. Replicas of another generation are replaced. Ray's own ports listen at
    `ray_host`."""

    @ray_serve.deployment(
        name="ingress",
        num_replicas=replicas,
        max_ongoing_requests=_ONGOING_MAX,
        ray_actor_options={"num_cpus": 0},
        health_check_period_s=_LOOK_S,
        graceful_shutdown_timeout_s=8,
        graceful_shutdown_wait_loop_s=0.5,
    )
    @ray_serve.ingress(App(config, partial(RayMeter, "ingress")))
    class Ingress:
        """The application answers."""

        def __init__(self) -> None:
            _keep_to(ray_host)

    # Serve draws a version at each `run`, and would replace all replicas even where only their number has changed.
    deployment: Any = Ingress  # `ingress` has no types, and hides that `deployment` makes one of the class
    return deployment.options(version=generation, _internal=True).bind()


def _keep_to(host: str) -> None:
    """A replica also takes requests from other replicas, and Serve lets it listen on all interfaces for them, whatever
    address Ray has. Serve has no setting for it."""
    module: Any = replica  # imports the function below, and does not export it
    if host == LOOPBACK and (bind := getattr(module, "add_port_to_grpc_server", None)) is not None:
        module.add_port_to_grpc_server = lambda server, address: bind(server, address.replace("[::]", LOOPBACK))
