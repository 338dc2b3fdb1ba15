"""Locust against the smallest server that answers: what it sends, whom it refuses, and how it ends."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loadtest.locust.loopback import is_loopback

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"


class Recorder(ThreadingHTTPServer):
    """Answers every path as the contract says, and remembers what it was sent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for seen_path, _, body in self.seen if seen_path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.seen.append((self.path, dict(self.headers), json.loads(body)))
        decided = {"decisionId": "d1", "actions": [{"actionId": "a", "trackingToken": "token-1"}]}
        answer = json.dumps(decided if self.path == "/v1/decide" else {"success": True}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Recorder]:
    recorder = Recorder()
    threading.Thread(target=recorder.serve_forever, daemon=True).start()
    yield recorder
    recorder.shutdown()
    recorder.server_close()


def run_locust(host: str, *more: str, write_key: str = "key-1", seconds: int = 3) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--host", host]
    return subprocess.run(
        [*command, "-u", "10", "-r", "10", "-t", f"{seconds}s", "--only-summary", *more],
        env=os.environ | {"SEGUE_WRITE_KEY": write_key},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_visitors_and_sources_speak_the_contract_and_end_in_time(server):
    run = run_locust(server.url, seconds=8)
    assert run.returncode == 0, run.stderr
    assert {path for path, _, _ in server.seen} >= {"/v1/page", "/v1/decide", "/v1/exposures", "/v1/track", "/v1/batch"}
    assert all(headers["Authorization"] == _basic("key-1") for _, headers, _ in server.seen)
    assert all(body["placement"] == "home_hero" and body["channel"] == "web" for body in server.bodies("/v1/decide"))
    assert server.bodies("/v1/exposures")[0] == {"trackingToken": "token-1", "event": "viewed"}
    assert all(20 <= len(body["batch"]) <= 100 for body in server.bodies("/v1/batch"))
    assert all(headers.get("Content-Encoding") == "gzip" for path, headers, _ in server.seen if path == "/v1/batch")


@pytest.mark.parametrize("status", [429, 503])
def test_an_answer_that_is_no_success_fails_the_run(server, status):
    server.status = status
    run = run_locust(server.url, seconds=1)
    assert run.returncode == 1
    assert f"{status}: " in run.stderr


def test_an_engine_that_is_not_there_fails_the_run_without_a_traceback(server):
    server.server_close()
    run = run_locust(server.url, seconds=1)
    assert run.returncode == 1
    assert "no answer: ConnectionError" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_host_that_is_not_this_machine_is_refused_in_one_line(server):
    run = run_locust("http://shop.example:8000")
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("refusing to load http://shop.example:8000")
    assert "Traceback" not in run.stderr


def test_without_a_write_key_nothing_is_sent(server):
    run = run_locust(server.url, write_key="")
    assert run.returncode == 2
    assert "SEGUE_WRITE_KEY" in run.stderr.splitlines()[-1]
    assert server.seen == []


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.9.8.7", True),
        ("https://localhost:8000/", True),
        ("http://[::1]:8000", True),
        ("http://0.0.0.0:8000", False),
        ("http://10.0.0.1", False),
        ("http://shop.example", False),
        ("http://localhost.shop.example", False),
        ("http://127.0.0.1@shop.example", False),
        ("http://127.0.0.1.shop.example", False),
        ("127.0.0.1:8000", False),
        ("http://[::1", False),
        ("", False),
    ],
)
def test_only_loopback_hosts_may_be_loaded(host, allowed):
    assert is_loopback(host) is allowed


def _basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def test_a_limit_that_is_passed_fails_the_run_and_is_named(server):
    done = run_locust(server.url, "--decide-p99", "0.001")
    assert done.returncode == 1
    assert "limit: decide_p99 is " in done.stderr and "0.001 ms are allowed" in done.stderr


@pytest.mark.parametrize("shape", ["burst", "soak"])
def test_a_shape_ends_by_itself_and_a_burst_brings_purchases(server, shape, tmp_path):
    report = tmp_path / "load.html"
    done = run_locust(server.url, "--shape", shape, "--html", str(report), seconds=6)
    assert done.returncode == 0, done.stderr
    assert "<html" in report.read_text("utf-8")
    bought = [body for body in server.bodies("/v1/track") if body["event"] == "Order Completed"]
    assert shape == "soak" or {body["context"]["channel"] for body in bought} >= {"pos"}


def test_two_processes_play_together(server):
    done = run_locust(server.url, "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert server.bodies("/v1/page") or server.bodies("/v1/screen")
