"""When an engine cannot go on: judged over real processes and sockets, without Ray."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from support.running import eventually

from serve.http import direct_socket
from serve.process import guard
from serve.process.guard import Guard
from serve.process.ray_runtime import parts as ray_parts
from serve.process.ray_runtime.parts import RayParts


@pytest.fixture
def children(tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Processes of this one that are called as Ray's are."""
    before = set(psutil.Process().children())
    found = {}
    for name in ("gcs_server", "raylet", "dashboard"):
        shutil.copy("/bin/sleep", tmp_path / name)
        found[name] = subprocess.Popen([tmp_path / name, "600"], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: {psutil.Process(child.pid).name() for child in found.values()} == set(found))
        yield found
    finally:
        for child in set(psutil.Process().children()) - before:
            child.kill()
            child.wait()


@pytest.mark.parametrize(
    ("name", "told"), [("gcs_server", "Ray's GCS has ended"), ("raylet", "Ray's raylet has ended")]
)
def test_a_part_that_ray_cannot_do_without_is_missed_at_once(children, name: str, told: str):
    parts = RayParts()
    assert parts.lost() == "" and parts.is_whole()
    children[name].kill()
    eventually(lambda: parts.lost() == told)
    assert not parts.is_whole()


def test_a_part_that_stands_still_is_missed_after_a_while(children, monkeypatch):
    parts = RayParts()
    children["raylet"].send_signal(signal.SIGSTOP)
    eventually(lambda: not parts.is_whole())
    assert parts.lost() == ""
    monkeypatch.setattr(ray_parts, "_HUNG_S", 0.0)
    eventually(lambda: "stood still" in parts.lost())
    children["raylet"].send_signal(signal.SIGCONT)
    eventually(lambda: parts.lost() == "" and parts.is_whole())


def test_a_helper_that_ends_is_started_again_as_it_was_and_leaves_no_zombie(children, monkeypatch):
    monkeypatch.setattr(ray_parts, "_AGAIN_S", 0.0)
    parts, former = RayParts(), psutil.Process(children["dashboard"].pid)
    command = former.cmdline()
    children["dashboard"].kill()

    def is_there_again() -> bool:
        parts.revive()
        return any(child != former and child.cmdline() == command for child in psutil.Process().children())

    eventually(is_there_again)
    assert not former.is_running() and parts.lost() == ""


def test_a_cluster_that_was_joined_is_missed_when_it_has_not_answered_for_a_while(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        parts = RayParts(f"127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setattr(ray_parts, "_AWAY_S", 0.0)
        assert parts.lost() == ""
    assert "has not answered" in parts.lost()


class _Door(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def door() -> Iterator[str]:
    """What answers HTTP; `_Door.status` says how."""
    _Door.status = 200
    with HTTPServer(("127.0.0.1", 0), _Door) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Watched:
    """A guard over what is said to be absent, and what it has told, given up and had made anew."""

    def __init__(self, absent: set[str], url: str, folder: Path) -> None:
        self.told: list[str] = []
        self.made: list[str] = []
        parts = RayParts("127.0.0.1:0")
        self.guard = Guard(parts, [folder], self.told.append, self.told.append, self.made.append)
        self.guard.also(SimpleNamespace(absent=lambda: set(absent)), url, folder)  # type: ignore[arg-type]

    def after(self, *passed_s: float) -> list[str]:
        """The reasons of looks after so many seconds each."""
        return [self.guard.reason(each) for each in passed_s]


def test_what_stays_away_is_made_anew_once_and_then_a_reason_and_what_comes_back_is_none(tmp_path: Path, door: str):
    absent = {"shard-1"}
    watched = _Watched(absent, door, tmp_path)
    assert watched.after(19, 19) == ["", ""]
    eventually(lambda: watched.made == ["shard-1"])
    absent.clear()
    assert watched.after(19) == [""]
    absent.add("shard-1")
    assert watched.after(19, 19) == ["", ""]
    eventually(lambda: watched.made == ["shard-1", "shard-1"])
    assert watched.after(5, 5) == ["", "shard-1 has been away for 45 s, and does not come back"]
    assert len(watched.made) == 2


def test_a_door_that_says_503_or_nothing_is_away(tmp_path: Path, door: str):
    watched = _Watched(set(), door, tmp_path)
    assert watched.after(46) == [""]
    _Door.status = 503
    assert watched.after(46)[0].startswith("the HTTP door has been away")
    with socket.socket(socket.AF_UNIX) as replica:  # one that lives: there is only too much to do
        replica.bind(str(tmp_path / direct_socket.socket_name(0)))
        replica.listen()
        assert watched.after(46) == [""]
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    watched = _Watched(set(), f"http://127.0.0.1:{port}", tmp_path)
    assert watched.after(46)[0].startswith("the HTTP door has been away")
    assert watched.made == []


def test_while_a_file_system_is_full_nobody_is_given_up_and_it_is_told_once(tmp_path: Path, door: str, monkeypatch):
    watched = _Watched({"shard-0"}, door, tmp_path)
    complaint = f"there is no room in {tmp_path}"
    monkeypatch.setattr(guard, "no_room", lambda *folders: complaint)
    assert watched.after(40, 40) == ["", ""]
    assert watched.told == [f"shard-0: away, and {complaint}"] and watched.made == []
    monkeypatch.setattr(guard, "no_room", lambda *folders: "")
    first, second = watched.after(40, 40)
    assert first == "" and "shard-0 has been away" in second
