"""Ray and Serve without Segue: one route that does nothing, started with the flags that `segue up` uses.

`python -m loadtest.peers.no_op PORT` runs until SIGINT; the flags are in its environment. The benchmarks start it
before the engine, so that start-up and memory stand beside figures of the same machine and minute.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import Any

import ray
from ray import serve as ray_serve
from ray.serve.config import HTTPOptions

_OBJECT_STORE_BYTES = 80 << 20  # as the engine has it, so that memory can be compared


class Nothing:
    """An ASGI application that says yes."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request, or the lifespan of the replica."""
        if scope["type"] == "lifespan":
            while (message := await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": message["type"] + ".complete"})
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


def main(port: int) -> None:
    """Start, wait for SIGINT, stop."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    try:
        ray.init(
            address="local",
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            object_store_memory=_OBJECT_STORE_BYTES,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        nothing = ray_serve.deployment(ray_actor_options={"num_cpus": 0})(
            ray_serve.ingress(Nothing())(type("No", (), {}))
        )
        ray_serve.start(http_options=HTTPOptions(host="127.0.0.1", port=port))
        ray_serve.run(nothing.bind(), name="nothing", route_prefix="/", logging_config={"log_level": "ERROR"})
        stopping.wait()
    finally:
        ray_serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
