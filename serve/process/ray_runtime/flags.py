"""The settings that Ray and Ray Serve read from the environment."""

from __future__ import annotations

from actors.platform.listening import LOOPBACK
from actors.platform.ports import free_port


def ray_flags(host: str) -> dict[str, str]:
    """The variables that Ray reads when its parts start; the part in the front process is one of them.

    With loopback as its address Ray listens there and nowhere else; a local Ray on a Mac does so, and Linux may too.
    """
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0" if host == LOOPBACK else "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # A worker that could not start (its file system was full, say) is given up after so long, and tried again.
        "RAY_worker_register_timeout_seconds": "25",
        "RAY_worker_niceness": "0",  # Ray would let its workers, that is all of us, give way to everything else
    }


def serve_flags(folder: str = "/tmp/haproxy-serve") -> dict[str, str]:
    """The variables that Ray Serve reads when it is imported, in every process: HAProxy, throughput, a quick drain, and
    quick discovery of a dead HAProxy (that takes three looks, and Serve would look every ten seconds).

    Each engine has ports and an HAProxy configuration (in `folder`) of its own. Serve's fallback proxy takes its port
    with SO_REUSEPORT, so two engines on one port would answer for one another.
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
    }
