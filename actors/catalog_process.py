"""A large catalog from anybody, read in a process of its own: nobody else waits for it, and it has bounds of time and
memory. ruamel's reader is slow (some 100 KB a second), and would share its interpreter with every decision.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

import msgspec

from actors import catalog_files
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.errors import CatalogError

TEXT_BYTES_MAX: Final = 16 << 10  # of YAML that is read where it is, because starting a process takes longer
CPU_S_MAX: Final = 10
MEMORY_BYTES_MAX: Final = 2 << 30
_WALL_S_MAX: Final = 60.0
_NICE: Final = 5
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "LANG", "TMPDIR")  # no secret of the engine's


class _Read(msgspec.Struct):
    """What came of it: a document, or problems."""

    document: bytes = b""
    problems: tuple[str, ...] = ()


def load_texts(files: Mapping[str, str]) -> Catalog:
    """The catalog of files that are not on disk yet; raises CatalogError as `catalog_files.load` does, also where
    reading takes too long."""
    if sum(len(text) for file, text in files.items() if not file.startswith("templates/")) <= TEXT_BYTES_MAX:
        return catalog_files.load_texts(files)
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    command = [sys.executable, "-P", "-m", "actors.catalog_process"]
    try:
        done = subprocess.run(
            command, input=msgspec.msgpack.encode(files), capture_output=True, timeout=_WALL_S_MAX, env=environment
        )
    except subprocess.TimeoutExpired:
        raise _too_much() from None
    if done.returncode != 0:
        raise _too_much()
    read = msgspec.msgpack.decode(done.stdout, type=_Read)
    if read.problems:
        raise CatalogError(read.problems)
    return compile_bytes(read.document)


def _too_much() -> CatalogError:
    return CatalogError((f"catalog:1: size: takes more than {CPU_S_MAX} s to read: make it smaller",))


def main() -> None:
    """Read the files that come in, and say what came of them."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=dict[str, str])
    try:
        read = _Read(document=catalog_files.load_texts(files).document)
    except CatalogError as error:
        read = _Read(problems=error.problems)
    sys.stdout.buffer.write(msgspec.msgpack.encode(read))


if __name__ == "__main__":
    main()
