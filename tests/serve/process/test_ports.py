"""Ports that are given away now and listened on later."""

import socket
from pathlib import Path

import pytest

from actors.platform.ports import check_free, free_port
from engine.errors import UsageError


def test_a_free_port_can_be_listened_on_and_no_outgoing_connection_gets_it():
    outgoing = [int(bound) for bound in Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()]
    for _ in range(20):
        port = free_port()
        assert port not in range(outgoing[0], outgoing[1] + 1)
        check_free(["127.0.0.1"], port, "--port")


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--port: port {port} on 127.0.0.1 cannot be used"):
            check_free(["127.0.0.1"], port, "--port")
