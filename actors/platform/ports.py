"""Ports: finds free ones, and says clearly which one is taken, before Ray starts anything."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence

from actors.platform import listening
from engine.errors import SegueError, UsageError

# Seconds pass until HAProxy binds the port, so it must be one that nothing else is given meanwhile. Ray's workers have
# theirs up to 19999, Serve's replicas from 30000, outgoing connections on Linux from 32768.
_OURS = range(20_000, 30_000)
_TRIES = 200


def free_port() -> int:
    """A TCP port that is free, and that nothing is given without asking for it by number."""
    for port in random.sample(_OURS, _TRIES):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise SegueError(f"no port from {_OURS[0]} to {_OURS[-1]} is free")


def check_free(addresses: Sequence[str], port: int, flag: str) -> None:
    """UsageError where this port cannot be listened on, at one of these addresses."""
    for address in addresses:
        if why := listening.fault(address, port):
            raise UsageError(f"port {port} on {address} cannot be used: {why}", flag)
