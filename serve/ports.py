"""Ports: free ones to give away, and a clear word about one that is taken, before Ray starts anything."""

from __future__ import annotations

import socket

from engine.errors import UsageError


def free_port() -> int:
    """A TCP port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_free(host: str, port: int, flag: str) -> None:
    """UsageError where this port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"port {port} on {host} cannot be used: {error.strerror}", flag) from None
