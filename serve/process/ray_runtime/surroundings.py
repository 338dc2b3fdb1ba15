"""The surroundings in which the processes of an engine run: a folder, an environment, a token and limits.

Their current folder holds nothing to import. Their environment has what any program needs, and no secret. Their files
are for their own user alone, and they may open enough of them. Ray hands all of that down to whatever it starts.
"""

from __future__ import annotations

import contextlib
import os
import resource
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from engine.errors import UsageError
from serve.process.ray_runtime import orphans

VARIABLE = "SEGUE_RUNTIME_DIR"
FILES_MIN = 9_000  # HAProxy alone takes two for each of its 4,096 connections, and does not start with fewer
_FILES_WANTED = 65_536
ROOM_MIN = 16 << 20  # bytes; below, Ray's processes cannot be relied upon to start
_NODES_MIN = 64
_PATH_MAX = 14  # HAProxy takes a socket's path of 97 bytes, and Serve puts 83 behind this

# fmt: off
_PLAIN = frozenset((
    "HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "LANGUAGE", "TZ", "TZDIR", "TERM", "VIRTUAL_ENV",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "SSL_CERT_FILE", "SSL_CERT_DIR", orphans.MARK, "SPT_NOENV",
))
# fmt: on
_PLAIN_BEGINNINGS = ("LC_", "RAY_", "PYTHON", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "KUBERNETES_SERVICE_")


def check_open_files() -> None:
    """Raise the limit of open files as far as this process may; UsageError where that is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES_MIN:
        raise UsageError(f"an engine needs {FILES_MIN} open files, and this process may have {soft}", "ulimit -n")


def make_runtime_folder(base: Path) -> str:
    """A new folder for the sockets of one engine, mode 0700. UsageError where `base` cannot hold one."""
    if len(str(base)) > _PATH_MAX:
        raise UsageError(f"{base} is longer than {_PATH_MAX} characters, too long for a socket", VARIABLE)
    if complaint := no_room(base):
        raise UsageError(complaint, VARIABLE)
    try:
        return tempfile.mkdtemp(prefix="segue-", dir=base)
    except OSError as error:
        raise UsageError(f"{base} cannot be written: {error.strerror}", VARIABLE) from None


def ray_folder(base: Path) -> Path:
    """Where Ray keeps sessions and logs of this user's engines. Ray lets everybody into that folder, so it lies in one
    that nobody else may enter. UsageError where the outer one is another user's."""
    closed = base / f"segue-{os.getuid()}"
    try:
        closed.mkdir(mode=0o700, exist_ok=True)
        made = closed.lstat()
        if not stat.S_ISDIR(made.st_mode) or made.st_uid != os.getuid():
            raise UsageError(f"{closed} is somebody else's", VARIABLE)
        closed.chmod(0o700)
        (closed / "ray").mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{closed} cannot be written: {error.strerror}", VARIABLE) from None
    return closed / "ray"


def no_room(*folders: Path) -> str:
    """A complaint about the first of these that is on a full file system; empty where none is."""
    for folder in folders:
        with contextlib.suppress(OSError):
            found = os.statvfs(folder)
            if found.f_bavail * found.f_frsize < ROOM_MIN or (found.f_files and found.f_favail < _NODES_MIN):
                return f"there is no room in {folder}"
    return ""


def token_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Where Ray keeps the token that its processes show one another, if there is one."""
    named = environment.get("RAY_AUTH_TOKEN_PATH")
    return Path(named) if named else Path.home() / ".ray" / "auth_token"


def close_token_file(environment: Mapping[str, str] = os.environ) -> None:
    """Let only our own user read Ray's token. It opens all of Ray, and Ray gives its file no special permissions."""
    file = token_file(environment)
    with contextlib.suppress(OSError):  # there is none, or it is somebody else's
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)


@contextlib.contextmanager
def of_children(folder: str) -> Iterator[None]:
    """Processes that the body starts, and their children, have `folder` as their current and temporary folder, and only
    the plain part of this process's environment. Afterwards this process has its own folder and environment again."""
    mine, current = dict(os.environ), _current()
    plain = plain_environment(mine, current, folder)
    os.chdir(folder)  # Ray's workers import from the folder in which Ray was started
    try:
        _become(plain)
        yield
    finally:
        os.chdir(current)
        _become({name: value for name, value in os.environ.items() if name.startswith("RAY_")} | mine)


def plain_environment(mine: Mapping[str, str], current: Path, folder: str) -> dict[str, str]:
    """The part of an environment that any program may know. It is a list of names that are let through, so no secret is
    in it, whatever its name."""
    plain = {name: value for name, value in mine.items() if _is_plain(name)}
    paths = [path for path in plain.pop("PYTHONPATH", "").split(os.pathsep) if path]
    kept = [str(current / path) for path in paths if Path(path).is_absolute() or (current / path).resolve() != current]
    plain |= {"PYTHONPATH": os.pathsep.join(kept)} if kept else {}
    return plain | {"PYTHONSAFEPATH": "1", "TMPDIR": folder}


def withheld(mine: Mapping[str, str]) -> dict[str, str]:
    """The rest of an environment, secrets included. Only the dispatcher gets it, because it sends the messages."""
    return {name: value for name, value in mine.items() if not _is_plain(name) and name != "TMPDIR"}


def _is_plain(name: str) -> bool:
    return name in _PLAIN or name.startswith(_PLAIN_BEGINNINGS)


def _current() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:  # somebody has removed it
        return Path("/")


def _become(environment: Mapping[str, str]) -> None:
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
