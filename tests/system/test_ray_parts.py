"""What a running engine shows to its machine, and what becomes of it when parts of Ray die."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from support.running import SERVER_KEY, WRITE_KEY, Engine, eventually

from loadtest.processes.running import kind_of

PASSWORD = "of-the-mail-server"
# Names that Segue, Ray and Python's own library import; each tells who has imported it.
# fmt: off
SHADOWS = (
    "engine", "serve", "actors", "loadtest", "json", "ray", "secrets", "socket", "typing", "random", "uvloop",
    "psutil", "httpx", "multiprocessing",
)
# fmt: on
TRACE = "import os\nos.write(os.open({trace!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY), (__name__ + ' ').encode())\n"
GAVE_UP = 3


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was imported from the folder that the engine is started in."""
    return tmp_path_factory.mktemp("trace") / "imported"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, trace: Path) -> Iterator[Engine]:
    """An engine that is started in a hostile folder, with a secret in its environment, by a user who hides nothing."""
    folder, current = tmp_path_factory.mktemp("parts"), tmp_path_factory.mktemp("current")
    for name in SHADOWS:
        (current / f"{name}.py").write_text(TRACE.format(trace=str(trace)) + "raise ImportError('not mine')\n")
    one = Engine(folder, cwd=current, environment={"SHOP_PASSWORD": PASSWORD})
    one.data.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        yield one.start()
    finally:
        os.umask(before)
        one.close()


def _runtime(engine: Engine) -> Path:
    return Path(json.loads((engine.data / "run.json").read_text())["folder"])


def _living(engine: Engine, kind: str) -> list[psutil.Process]:
    found = []
    for process in engine.processes():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and kind in (
                process.name(),
                kind_of(process.name(), process.cmdline()),
                *process.cmdline()[:2],
            ):
                found.append(process)
    return found


def _each(engine: Engine, read: Callable[[psutil.Process], object]) -> Iterator[tuple[psutil.Process, object]]:
    """All processes of the engine but its front, and what is read of each that lives long enough."""
    for process in engine.processes()[1:]:
        try:
            found = read(process)
        except psutil.Error:
            continue
        yield process, found


def _kill(engine: Engine, kind: str) -> psutil.Process:
    victim = _living(engine, kind)[0]
    victim.kill()
    return victim


def _is_ready(engine: Engine) -> bool:
    return httpx.get(f"{engine.url}/readyz", trust_env=False, timeout=10).status_code == 200


def test_nothing_is_imported_from_the_current_folder(engine: Engine, trace: Path):
    assert not trace.exists() or trace.read_text() == ""


def test_an_engine_listens_on_loopback_alone(engine: Engine):
    listening = [
        (" ".join(_words(process))[:60], connection.laddr)
        for process, connections in _each(engine, lambda process: process.net_connections("inet"))
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 10
    assert [(who, at) for who, at in listening if at.ip.removeprefix("::ffff:") not in ("127.0.0.1", "::1")] == []


def test_only_the_front_process_has_secrets_in_its_environment(engine: Engine):
    secrets = {PASSWORD, WRITE_KEY, SERVER_KEY}
    seen = dict(_each(engine, psutil.Process.environ))
    assert len(seen) > 10
    assert [_words(process) for process, environ in seen.items() if secrets & set(environ.values())] == []
    assert all(not name.startswith("SEGUE_S") for environ in seen.values() for name in environ)


def test_what_an_engine_writes_is_for_its_own_user_alone(engine: Engine):
    places = [engine.data, *engine.data.rglob("*"), _runtime(engine), *_runtime(engine).rglob("*")]
    token = Path.home() / ".ray" / "auth_token"
    open_to_others = [
        str(place)
        for place in [*places, *([token] if token.exists() else [])]
        if not place.is_symlink() and stat.S_IMODE(place.lstat().st_mode) & 0o077
    ]
    assert open_to_others == []
    session = Path(_living(engine, "raylet")[0].cmdline()[1].partition("=")[2])
    assert any(stat.S_IMODE(folder.stat().st_mode) == 0o700 for folder in session.parents)


def test_a_killed_dashboard_is_started_again(engine: Engine):
    killed = _dashboard(engine)
    assert killed is not None
    port = next(word.partition("=")[2] for word in killed.cmdline() if word.startswith("--port="))
    killed.kill()
    eventually(lambda: _is_another(killed, _dashboard(engine)), 60)
    eventually(lambda: httpx.get(f"http://127.0.0.1:{port}", trust_env=False).status_code < 500, 60)
    assert _is_ready(engine)


def _dashboard(engine: Engine) -> psutil.Process | None:
    living = _living(engine, "dashboard")
    found = (process for process in living if any("dashboard.py" in word for word in _words(process)))
    return next(found, None)


def _is_another(killed: psutil.Process, process: psutil.Process | None) -> bool:
    return process is not None and process != killed


@pytest.mark.parametrize("part", ["ray::ServeController", "ray::HAProxyManager", "haproxy"])
def test_a_part_of_the_door_and_then_a_shard_come_back(engine: Engine, part: str):
    first = next(process for process in engine.processes() if any(part in word for word in _words(process)))
    first.kill()
    second = _kill(engine, "shards")
    eventually(lambda: second not in _living(engine, "shards") and len(_living(engine, "shards")) == engine.shards, 60)
    eventually(lambda: _is_ready(engine), 60)
    engine.track("Product Viewed", messageId=f"after-{part}", userId="parts")


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize("part", ["gcs", "raylet"])
def test_an_engine_whose_ray_dies_stops_with_its_reason_and_can_be_started_again(engine: Engine, part: str):
    if part == "raylet":
        engine.start()
    runtime, family = _runtime(engine), engine.processes()
    told = len(engine.log.read_text())
    engine.track("Product Viewed", messageId=f"before-{part}", userId="parts")
    _kill(engine, part)
    assert engine.ended(60) == GAVE_UP
    lines = engine.log.read_text()[told:].splitlines()
    name = {"gcs": "GCS", "raylet": "raylet"}[part]
    assert [line for line in lines if line.startswith("segue:")] == [f"segue: the engine stops: Ray's {name} has ended"]
    assert not any("Traceback" in line for line in lines)
    assert [process for process in family if _is_alive(process)] == []
    assert not runtime.exists() and not (engine.data / "run.json").exists()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 48 MB at a short path."""
    place = Path(tempfile.mkdtemp(prefix="s", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        place.rmdir()
        pytest.skip("a file system of its own needs the right to mount one")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
        place.rmdir()


def test_a_shard_that_dies_while_tmp_is_full_is_back_soon_after_there_is_room(tmp_path: Path, small_disk: Path):
    engine = Engine(tmp_path, environment={"SEGUE_RUNTIME_DIR": str(small_disk)})
    try:
        engine.start()
        eventually(lambda: "Ray dashboard" in engine.log.read_text(), 30)  # its own wait has ended too
        engine.track("Product Viewed", messageId="before", userId="full")
        filling = small_disk / "all-there-is"
        _fill(filling)
        killed = _kill(engine, "shards")
        eventually(lambda: f"away, and there is no room in {small_disk}" in engine.log.read_text(), 30)
        assert not _is_ready(engine)
        filling.unlink()
        eventually(lambda: _is_ready(engine), 60)
        assert killed not in _living(engine, "shards")
        assert [entry["messageId"] for entry in engine.timeline("user_id", "full") if "messageId" in entry] == [
            "before"
        ]
    finally:
        engine.close()


def _fill(file: Path) -> None:
    """Leave not a byte of room."""
    to = os.open(file, os.O_CREAT | os.O_WRONLY)
    try:
        with contextlib.suppress(OSError):
            while True:
                os.write(to, bytes(4096))
    finally:
        os.close(to)
