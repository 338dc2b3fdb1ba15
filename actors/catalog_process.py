"""A catalog is proved in a process of its own: nobody else waits for it, and it has bounds of time and memory. ruamel's
reader is slow (some 100 KB a second), and a template may turn for ever; both would share their interpreter with every
decision.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from actors import catalog_files, proof
from actors.proof import Proved
from actors.proof_letters import TakesTooLong
from engine.catalog.compile import compile_bytes
from engine.errors import CatalogError

CPU_S_MAX: Final = 20
LETTER_S_MAX: Final = 1.0  # of processor time, for one message to one customer
MEMORY_BYTES_MAX: Final = 2 << 30
_WALL_S_MAX: Final = 60.0
_NICE: Final = 5
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")  # no secret of the engine's


class _Asked(msgspec.Struct):
    """Files, or else the directory that has them, and the environment that channels may name."""

    files: dict[str, str] | None = None
    directory: str = ""
    environ: dict[str, str] = {}
    nice: int = 0


class _Found(msgspec.Struct):
    """What came of it: a document and what is doubtful in it, or problems."""

    document: bytes = b""
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def prove_directory(directory: Path, environ: Mapping[str, str]) -> Proved:
    """`proof.of_directory`, bounded. CatalogError also where it takes too long."""
    return _prove(_Asked(directory=str(directory), environ=dict(environ)))


def prove_texts(files: Mapping[str, str]) -> Proved:
    """The same for files that somebody has sent to a process that answers others meanwhile: they come first. Channels
    are told nothing of its environment."""
    return _prove(_Asked(files=dict(files), nice=_NICE))


def _prove(asked: _Asked) -> Proved:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    command = [sys.executable, "-P", "-m", "actors.catalog_process"]
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
    return Proved(compile_bytes(found.document), found.warnings)


def _too_much(said: bytes | None) -> CatalogError:
    """`said`: the name of each message before it is written."""
    names = [line for line in (said or b"").decode(errors="replace").splitlines() if line.startswith("actions/")]
    if names:
        file, _, rest = names[-1].partition(", ")
        return CatalogError((f"{file}:1: variants: {rest} takes more time or memory to write than there is",))
    return CatalogError((f"catalog:1: size: takes more than {CPU_S_MAX} s to read: make it smaller",))


@contextmanager
def _bound(name: str) -> Iterator[None]:
    """One message. Where Python itself does not come back, the last name on stderr tells which it was."""
    sys.stderr.write(f"{name}\n")
    signal.setitimer(signal.ITIMER_VIRTUAL, LETTER_S_MAX)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _give_up(*_: object) -> None:
    raise TakesTooLong


def _set_limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGVTALRM, _give_up)


def main() -> None:
    """Prove the files that come in, and say what came of them."""
    _set_limits()
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Asked)
    os.nice(asked.nice)
    try:
        read = catalog_files.read
        documents = read(Path(asked.directory)) if asked.files is None else catalog_files.read_texts(asked.files)
        proved = proof.prove(documents, asked.environ, _bound)
        found = _Found(proved.catalog.document, proved.warnings)
    except CatalogError as error:
        found = _Found(problems=error.problems)
    sys.stdout.buffer.write(msgspec.msgpack.encode(found))


if __name__ == "__main__":
    main()
