"""Proves a catalog in a process of its own, with bounds of time and memory. ruamel's reader is slow (some 100 KB a
second), and a template may loop for ever. In the ingress both would hold up every decision.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from actors.catalog_files import config_files
from actors.catalog_proof import proof
from actors.catalog_proof.letters import TakesTooLong
from actors.catalog_proof.proof import Proved
from engine.catalog.compile import compile_bytes
from engine.clashes.findings import Finding
from engine.errors import CatalogError

CPU_S_MAX: Final = 20  # of processor time, for the smallest catalog
FILE_S: Final = 0.1  # that each file adds to it
WRITTEN_S: Final = 0.02  # that each message to one customer adds
CPU_S_MOST: Final = 600
REHEARSED_S_MAX: Final = 30  # for all stories together
LETTER_S_MAX: Final = 1.0  # for one message to one customer
_GRACE_S: Final = 3  # beyond the second of a message, before the kernel ends a process that never returns to Python
MEMORY_BYTES_MAX: Final = 2 << 30
_WALL_S_MAX: Final = 1800.0
_SAID: Final = re.compile(r"actions/|- \d+$")
_NICE: Final = 5
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")  # nothing else: the engine's secrets are there too


class _Asked(msgspec.Struct):
    """Files, or else the directory that has them, and the environment that channels may name."""

    files: dict[str, str] | None = None
    models: dict[str, bytes] = {}  # files that are no text
    directory: str = ""
    environ: dict[str, str] = {}
    nice: int = 0
    clashes: bool = False


class _Found(msgspec.Struct):
    """The result: a document, its warnings and the clashes in it, or problems."""

    document: bytes = b""
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def prove_directory(directory: Path, environ: Mapping[str, str], *, clashes: bool = False) -> Proved:
    """`proof.of_directory`, bounded, and perhaps the proof of clashes. CatalogError also where it takes too long."""
    return _prove(_Asked(directory=str(directory), environ=dict(environ), clashes=clashes))


def prove_texts(files: Mapping[str, str | bytes]) -> Proved:
    """The same for files that were posted to a running engine, bytes where they are no text. It runs at a lower
    priority than the engine's answers, and channels see nothing of the engine's environment."""
    plain = {name: text for name, text in files.items() if isinstance(text, str)}
    models = {name: content for name, content in files.items() if isinstance(content, bytes)}
    return _prove(_Asked(files=plain, models=models, nice=_NICE))


def _prove(asked: _Asked) -> Proved:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # -P: modules of the directory in which it is started must not be imported.
    command = [sys.executable, "-P", "-m", "actors.catalog_proof.own_process"]
    try:
        done = subprocess.run(
            command, input=msgspec.msgpack.encode(asked), capture_output=True, timeout=_WALL_S_MAX, env=environment
        )
    except subprocess.TimeoutExpired as late:
        raise _too_much(late.stderr) from None
    if done.returncode != 0:
        raise _too_much(done.stderr)
    found = msgspec.msgpack.decode(done.stdout, type=_Found)
    if found.problems:
        raise CatalogError(found.problems)
    return Proved(compile_bytes(found.document), found.warnings, found.findings)


def _too_much(said: bytes | None) -> CatalogError:
    """The error that names the part that took too much. `said` is the output of the process: the name of each message
    before it is written, and after it the number of seconds that all of them may take."""
    last = ([line for line in (said or b"").decode(errors="replace").splitlines() if _SAID.match(line)] or [""])[-1]
    if last.startswith("actions/"):
        return CatalogError((_slow(last, "takes more time or memory to write than there is"),))
    return CatalogError((_whole(last.removeprefix("- ") or str(CPU_S_MAX)),))


def _slow(name: str, message: str) -> str:
    file, _, rest = name.partition(", ")
    return f"{file}:1: variants: {rest} {message}"


def _whole(seconds: str) -> str:
    return f"catalog:1: size: the whole catalog takes more than {seconds} s to prove: make it smaller"


class _Allowance:
    """The processor time that a catalog may take, which grows with what it holds."""

    def __init__(self, files: int) -> None:
        self._seconds = CPU_S_MAX + FILE_S * files
        self._slow: list[str] = []
        self._set(self.seconds)
        sys.stderr.write(f"- {self.seconds}\n")

    @property
    def seconds(self) -> int:
        """The allowance for all that was begun so far."""
        return min(CPU_S_MOST, int(self._seconds))

    @contextmanager
    def bound(self, name: str) -> Iterator[None]:
        """Bound the writing of one message. Its name goes to stderr first, so that the parent knows which it was where
        Python never comes back. Raises CatalogError where all messages together took too long."""
        self._seconds += WRITTEN_S
        used = time.process_time()
        if used > self.seconds:
            slow = [_slow(name, f"takes more than {LETTER_S_MAX:g} s to write") for name in dict.fromkeys(self._slow)]
            raise CatalogError((*slow, _whole(str(self.seconds))))
        sys.stderr.write(f"{name}\n")
        self._set(int(used) + 1 + _GRACE_S)
        signal.setitimer(signal.ITIMER_VIRTUAL, LETTER_S_MAX)
        try:
            yield
        except TakesTooLong:
            self._slow.append(name)
            raise
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._set(self.seconds + 1)
            sys.stderr.write(f"- {self.seconds}\n")

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Bound the rehearsals of all stories."""
        self._set(int(time.process_time()) + REHEARSED_S_MAX + _GRACE_S)
        signal.setitimer(signal.ITIMER_VIRTUAL, REHEARSED_S_MAX)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            self._set(self.seconds + REHEARSED_S_MAX)

    def _set(self, seconds: int) -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, CPU_S_MOST + 2 * _GRACE_S))


def _give_up(*_: object) -> None:
    raise TakesTooLong


def _set_limits() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGVTALRM, _give_up)


def _files_in(directory: Path) -> int:
    return sum(1 for _ in islice(directory.rglob("*.*"), config_files.FILES_MAX))


def main() -> None:
    """Prove the files that come in by stdin, and write the result to stdout."""
    _set_limits()
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Asked)
    os.nice(asked.nice)
    directory = Path(asked.directory)
    allowance = _Allowance(len(asked.files) if asked.files is not None else _files_in(directory))
    try:
        read = config_files.read
        documents = read(directory) if asked.files is None else config_files.read_texts({**asked.files, **asked.models})
        rehearsing = allowance.rehearsing() if asked.clashes else None
        proved = proof.prove(documents, asked.environ, allowance.bound, rehearsing)
        found = _Found(proved.catalog.document, proved.warnings, findings=proved.findings)
    except CatalogError as error:
        found = _Found(problems=error.problems)
    sys.stdout.buffer.write(msgspec.msgpack.encode(found))


if __name__ == "__main__":
    main()
