"""The catalog that an engine runs by: one file of its data directory, replaced whole.

Every part of the engine follows that file, so a part that starts late, or again, comes to the same catalog as those
that were there when it changed. Only a document that compiles is ever put there. Each part changes between two groups
of turns, so every turn is of one catalog. Beside the files of a directory it has what commands said of journeys, which
the next directory does not know: so a new document is made of the one that stands, by one writer at a time. Its first
line is a digest of the rest: a byte that changes by itself must not become a rule.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import msgspec

from actors.platform import durable, logs
from engine.catalog import statuses
from engine.catalog.compile import canonical, compile_bytes
from engine.catalog.compiled import Catalog
from engine.catalog.document import Document
from engine.errors import Corrupt, NotReady, Overloaded
from engine.vocabulary import Status

LOOK_S = 0.25
_TURN_S, _TURN_LOOK_S = 60.0, 0.02
_RETRY_MS = 5_000
_OF_A_MAP = b"\x80"  # and above: how a document itself begins

log = logging.getLogger(__name__)


class ActiveCatalog:
    """The file, and the workspace's key that its catalogs are used with."""

    def __init__(self, path: str | Path, id_key: bytes) -> None:
        self._path = Path(path)
        self._id_key = id_key

    def take(self, files: bytes) -> Catalog:
        """Let the engine run by the files of a document, with what was said by command as it stands; returns what
        stands then, durably. NotReady where the disk takes no more, or what stands cannot be read."""
        document: dict[str, Any] = msgspec.msgpack.decode(files)
        return self._change(lambda was: statuses.carried(was, document))

    def say(self, journey: str, status: Status) -> Catalog:
        """Let the operator's word on a journey stand. Raises as `statuses.said` and `take` do."""
        return self._change(lambda was: statuses.said(was or {}, journey, status))

    def _change(self, make: Callable[[Document | None], dict[str, Any]]) -> Catalog:
        with self._alone():
            was = self._document()
            document = canonical(make(None if was is None else msgspec.msgpack.decode(was)))
            catalog = replace(compile_bytes(document), id_key=self._id_key)
            if document != was:
                self.put(document)
        return catalog

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Held by the one who changes what stands. A disk that knows no locks is one that a single node writes to."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _document(self) -> bytes | None:
        """What stands, None where nothing does yet."""
        if not self._path.exists():
            return None
        with contextlib.suppress(Corrupt, OSError, msgspec.MsgspecError):
            document = document_in(self._path)
            if isinstance(msgspec.msgpack.decode(document), dict):
                return document
        raise NotReady("is damaged; remove it, and a start takes what the shards went by last", str(self._path))

    def put(self, document: bytes) -> None:
        """Let the engine run by this document as it is; durable when this returns. NotReady where the disk takes no
        more."""
        try:
            durable.write(self._path, _digest(document) + b"\n" + document)
        except OSError as error:
            raise NotReady(f"the catalog cannot be written: {error.strerror}") from None

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Held while one catalog is put and taken everywhere, so that each has an outcome of its own: whoever comes
        meanwhile waits, in whatever process. Overloaded where that takes too long."""
        with self._path.with_name(f"{self._path.name}.lock").open("a") as file:
            try:
                async with asyncio.timeout(_TURN_S):
                    while not _is_locked(file):
                        await asyncio.sleep(_TURN_LOOK_S)
            except TimeoutError:
                raise Overloaded(_RETRY_MS) from None
            yield

    def read(self) -> Catalog:
        """The catalog as it stands; Corrupt where the file is missing or not as it was written."""
        return replace(compile_bytes(document_in(self._path)), id_key=self._id_key)

    async def follow(self, version: str, adopt: Callable[[Catalog], None]) -> None:
        """Call `adopt` with each catalog that takes the place of `version`, and so on, until cancelled."""
        mark: tuple[int, int] | None = None
        while True:
            try:
                now = self.mark()
                if now != mark:
                    catalog = await asyncio.get_running_loop().run_in_executor(None, self.read)
                    if catalog.version != version:
                        adopt(catalog)
                    mark, version = now, catalog.version
            except Exception as error:  # the outermost loop of this shell: what stands goes on standing
                logs.fault(log, "catalog_not_read", error, path=str(self._path))
            await asyncio.sleep(LOOK_S)

    def mark(self) -> tuple[int, int]:
        """Another one for each document that is put."""
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns


def _is_locked(file: IO[str]) -> bool:
    """Whether the lock is ours now; it is given back when the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def document_in(path: Path) -> bytes:
    """What was put into the file. One without a digest is of an earlier version, and begins as a document does."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise Corrupt("is missing", str(path)) from None
    except OSError as error:
        raise Corrupt(f"cannot be read: {error.strerror}", str(path)) from None
    if content[:1] >= _OF_A_MAP and content[32:33] != b"\n":
        return content
    digest, _, document = content.partition(b"\n")
    if digest != _digest(document):
        raise Corrupt("is not as it was written", str(path))
    return document


def _digest(document: bytes) -> bytes:
    return blake2b(document, digest_size=16).hexdigest().encode()


class Follower:
    """What has come of the file, kept until somebody has a moment to adopt it. Without a file nothing ever comes."""

    def __init__(self, active_catalog: ActiveCatalog | None, wake: Callable[[], None]) -> None:
        self._active_catalog, self._wake = active_catalog, wake
        self._task: asyncio.Task[None] | None = None
        self._next: Catalog | None = None

    def start(self, version: str) -> None:
        """Look for what takes the place of `version`."""
        if self._active_catalog is not None:
            self._task = asyncio.create_task(self._active_catalog.follow(version, self._arrived))

    def take(self) -> Catalog | None:
        """The newest catalog that nobody has taken yet."""
        found, self._next = self._next, None
        return found

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    def _arrived(self, catalog: Catalog) -> None:
        self._next = catalog
        self._wake()
