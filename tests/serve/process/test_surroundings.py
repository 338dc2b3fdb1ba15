"""The surroundings in which the processes of an engine run, tested without an engine."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import UsageError
from serve.process import settings as process_settings
from serve.process.data_directory import lock
from serve.process.ending import bounded
from serve.process.ray_runtime import surroundings

SEGUE = Path(sys.executable).with_name("segue")


def _limited(soft: int, hard: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _checked(soft: int, hard: int) -> str:
    """What a process with this limit says of it, and the limit that it has then."""
    code = """
import resource
from engine.errors import UsageError
from serve.process.ray_runtime.surroundings import check_open_files
try:
    check_open_files()
except UsageError as error:
    print(error)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, preexec_fn=_limited(soft, hard), capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_too_few_open_files_are_one_line_with_the_number_before_ray_starts(tmp_path: Path):
    command = [SEGUE, "up", "--data", tmp_path / "data"]
    done = subprocess.run(
        list(map(str, command)), preexec_fn=_limited(256, 256), capture_output=True, text=True, timeout=60, check=False
    )
    told = f"segue: ulimit -n: an engine needs {surroundings.FILES_MIN} open files, and this process may have 256\n"
    assert (done.returncode, done.stderr, done.stdout) == (2, told, "")
    assert not (tmp_path / "data").exists()


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_be():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard if hard != resource.RLIM_INFINITY else 20_000
    assert _checked(256, enough) == str(min(enough, 65_536))


def test_an_environment_goes_on_without_whatever_could_be_a_secret(tmp_path: Path):
    mine = {
        "PATH": "/bin", "HOME": "/home/ada", "LC_ALL": "C.UTF-8", "RAY_AUTH_MODE": "token", "SEGUE_RUN": "/tmp/segue-x",
        "SEGUE_SERVER_KEY": "sk", "SHOP_PASSWORD": "p", "http_proxy": "http://ada:p@proxy", "TMPDIR": "/var/tmp",
    }  # fmt: skip
    plain = surroundings.plain_environment(mine, tmp_path, "/tmp/segue-x")
    kept = {"PATH", "HOME", "LC_ALL", "RAY_AUTH_MODE", "SEGUE_RUN"}
    assert {name: plain[name] for name in kept} == {name: mine[name] for name in kept}
    assert plain.keys() - kept == {"TMPDIR", "PYTHONSAFEPATH"} and plain["TMPDIR"] == "/tmp/segue-x"
    assert surroundings.withheld(mine).keys() == {"SEGUE_SERVER_KEY", "SHOP_PASSWORD", "http_proxy"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (".", None),
        ("", None),
        (":/opt/shop:", "/opt/shop"),
        ("lib:.:/opt/shop", "{current}/lib:/opt/shop"),
        ("{current}", "{current}"),
    ],
)
def test_the_current_folder_is_on_the_path_only_by_its_full_name(tmp_path: Path, given: str, kept: str | None):
    current = tmp_path.resolve()
    plain = surroundings.plain_environment({"PYTHONPATH": given.format(current=current)}, current, "/tmp")
    assert plain.get("PYTHONPATH") == (kept and kept.format(current=current))


def test_children_have_their_own_folder_and_environment_and_we_keep_ours(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", "p")
    before = dict(os.environ), Path.cwd()
    with surroundings.of_children(str(tmp_path)):
        assert Path.cwd() == tmp_path and "SHOP_PASSWORD" not in os.environ
        told = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
        assert f"TMPDIR={tmp_path}" in told and "SHOP_PASSWORD" not in told
        os.environ["RAY_OF_ITS_OWN"] = "1"
    monkeypatch.delenv("RAY_OF_ITS_OWN")
    assert (dict(os.environ), Path.cwd()) == before


def test_rays_folder_lies_where_nobody_else_may_enter(tmp_path: Path):
    tmp_path.chmod(0o777)
    folder = surroundings.ray_folder(tmp_path)
    folder.parent.chmod(0o755)
    assert surroundings.ray_folder(tmp_path) == folder
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


def test_a_folder_that_somebody_else_has_made_is_refused(tmp_path: Path):
    (tmp_path / f"segue-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="somebody else's"):
        surroundings.ray_folder(tmp_path)


def test_a_runtime_folder_that_cannot_hold_sockets_is_named(tmp_path: Path):
    long = Path("/tmp/" + "x" * 40)
    for base, reason in ((long, "too long"), (Path("/nowhere"), "cannot be written")):
        with pytest.raises(UsageError, match=reason) as refused:
            surroundings.make_runtime_folder(base)
        assert refused.value.field == "SEGUE_RUNTIME_DIR"


def test_rays_token_is_closed_to_others(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("t")
    token.chmod(0o644)
    surroundings.close_token_file({"RAY_AUTH_TOKEN_PATH": str(token)})
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    surroundings.close_token_file({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")})


def test_rays_host_is_an_address():
    assert process_settings.read(environment={}).ray_host == "127.0.0.1"
    assert process_settings.read(environment={"SEGUE_RAY_HOST": "192.0.2.7"}).ray_host == "192.0.2.7"
    with pytest.raises(UsageError, match="SEGUE_RAY_HOST"):
        process_settings.read(environment={"SEGUE_RAY_HOST": "everywhere"})


@pytest.mark.parametrize("command", [[str(SEGUE)], [sys.executable, "-m", "serve"]])
def test_a_command_imports_nothing_of_the_current_folder(tmp_path: Path, command: list[str]):
    for name in ("engine", "actors", "loadtest", "typer", "httpx", "secrets", "msgspec"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the current folder')")
    done = subprocess.run([*command, "up", "--help"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and "--data" in done.stdout


def test_a_data_directory_that_was_open_to_others_is_closed(tmp_path: Path):
    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    try:
        with lock(tmp_path / "data"):
            (tmp_path / "data" / "new").write_text("")
        (tmp_path / "data").chmod(0o755)
        with lock(tmp_path / "data"):
            assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "data" / "new").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "data" / "LOCK").stat().st_mode) == 0o600


def test_what_hangs_while_it_is_stopped_is_left_behind():
    never = threading.Event()
    assert bounded(lambda: None, 5)
    assert not bounded(lambda: never.wait(60) and None, 0.1)
    assert not bounded(lambda: never.wait(60) and None, 60, is_vain=lambda: True)
