"""The active catalog of an engine: one file of its data directory, replaced whole.

Every process of the engine follows that file. So a process that starts late, or again, comes to the same catalog as the
others. Only a document that compiles is ever put there. A process changes to a new catalog between two groups of turns,
so one catalog decides each turn.

The document holds the files of a configuration directory, and the status that commands gave to journeys. The directory
does not know that status, so a new document is made from the active one, by one writer at a time. The first line of the
file is a digest of the rest, so that a damaged byte cannot become a rule.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import msgspec

from actors.catalog_files.edited_catalogs import EditedCatalogs
from actors.catalog_files.former_catalogs import FormerCatalogs
from actors.platform import durable, logs
from engine.catalog import statuses
from engine.catalog.compile import compile_bytes
from engine.catalog.compiled import Catalog
from engine.catalog.document import Document, canonical, version_of
from engine.catalog.editing.documents import Rule
from engine.catalog.editing.plan import id_of
from engine.errors import Corrupt, Forbidden, NotReady, Outdated, Overloaded
from engine.vocabulary import Status

LOOK_S = 0.25
_TURN_S, _TURN_LOOK_S = 60.0, 0.02
_RETRY_MS = 5_000
_OF_A_MAP = b"\x80"  # a document is a msgpack map, which begins with this byte or a higher one

log = logging.getLogger(__name__)


class ActiveCatalog:
    """The file of the active catalog, and the workspace's id key, which its catalogs are compiled with."""

    def __init__(self, path: str | Path, id_key: bytes) -> None:
        self._path = Path(path)
        self._id_key = id_key
        self.former = FormerCatalogs(self._path)
        self._edited = EditedCatalogs(self._path)
        self._compiled: dict[str, Catalog] = {}  # of those that the last document's edits name

    def take(self, files: bytes) -> Catalog:
        """Make the files of a document the active catalog, and keep the status that commands gave to journeys. Returns
        the new active catalog; durable on return. NotReady where the disk takes no more, or the active catalog cannot
        be read; Forbidden where the workspace takes only what was approved, and these files were not."""
        document: dict[str, Any] = msgspec.msgpack.decode(files)

        def make(was: Document | None) -> dict[str, Any]:
            if was is not None and needs_approval(was) and statuses.files_of(was) != document:
                raise Forbidden("this workspace takes only what was approved: segue plan shows it, segue apply does it")
            return statuses.carried(was, document)

        return self._change(make)

    def apply(self, files: bytes, rules: Mapping[str, Rule], plan: str) -> Catalog:
        """The same for files whose plan was seen and approved. Outdated where `plan` is the id of another plan: files,
        rules or the active catalog have changed since."""
        document: dict[str, Any] = msgspec.msgpack.decode(files)

        def make(was: Document | None) -> dict[str, Any]:
            made = statuses.carried(was, document, rules)
            if plan and plan != id_of(*(version_of(canonical(each)) for each in (was or {}, made))):
                raise Outdated("is of another plan: the catalog or the files have changed since", "plan")
            return made

        return self._change(make)

    def say(self, journey: str, status: Status) -> Catalog:
        """Give a journey the status that an operator commanded. Raises the errors of `statuses.said` and `take`."""
        return self._change(lambda was: statuses.said(was or {}, journey, status))

    def _change(self, make: Callable[[Document | None], dict[str, Any]]) -> Catalog:
        with self._one_writer():
            was = self._document()
            document = canonical(make(None if was is None else msgspec.msgpack.decode(was)))
            catalog = replace(compile_bytes(document), id_key=self._id_key)
            if document != was:
                self._remember(was, document)
                self.put(document)
                if was is not None:
                    self._edited.forget(was, document)
        return catalog

    def _remember(self, was: bytes | None, document: bytes) -> None:
        """Note which version is replaced, where its files are: a word of the operator is taken back otherwise. Keep it
        where an edit is made by it."""
        if was is None or _files(was) == _files(document):
            return
        try:
            self._edited.keep(was, document)
            self.former.add(version_of(was))
        except OSError as error:
            raise NotReady(f"the catalog cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def _one_writer(self) -> Iterator[None]:
        """A lock that is held while the active catalog is changed. On a disk without locks, a single node is assumed to
        write."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _document(self) -> bytes | None:
        """The active document; None where there is none yet."""
        if not self._path.exists():
            return None
        with contextlib.suppress(Corrupt, OSError, msgspec.MsgspecError):
            document = document_in(self._path)
            if isinstance(msgspec.msgpack.decode(document), dict):
                return document
        raise NotReady("is damaged; remove it, and a start takes what the shards went by last", str(self._path))

    def put(self, document: bytes) -> None:
        """Make this document the active catalog as it is; durable on return. NotReady where the disk takes no more."""
        try:
            durable.write(self._path, _digest(document) + b"\n" + document)
        except OSError as error:
            raise NotReady(f"the catalog cannot be written: {error.strerror}") from None

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A lock that is held while one catalog is put and adopted everywhere, so that each change has an outcome of
        its own. Other changes wait meanwhile, in whatever process. Overloaded where that takes too long."""
        # A file of its own: the catalog's file is replaced, and a lock on it would stay with the old one.
        with self._path.with_name(f"{self._path.name}.lock").open("a") as file:
            try:
                async with asyncio.timeout(_TURN_S):
                    while not _is_locked(file):  # polled, because a lock that blocks would hold up the loop
                        await asyncio.sleep(_TURN_LOOK_S)
            except TimeoutError:
                raise Overloaded(_RETRY_MS) from None
            yield

    def read(self) -> Catalog:
        """The active catalog; Corrupt where the file is missing or not as it was written."""
        return replace(compile_bytes(document_in(self._path)), id_key=self._id_key)

    def read_with_edits(self) -> Catalog:
        """The active catalog, with those in its archive that the edits of its journeys are made by."""
        catalog = self.read()
        compiled = {
            version: self._compiled.get(version) or replace(compile_bytes(document), id_key=self._id_key)
            for version, document in self._edited.documents(catalog.document)
        }
        self._compiled = compiled
        catalog.archive.update({version: replace(each, archive=catalog.archive) for version, each in compiled.items()})
        return catalog

    async def follow(
        self, version: str, adopt: Callable[[Catalog], None], read: Callable[[], Catalog] | None = None
    ) -> None:
        """Call `adopt` with each new active catalog, beginning with the first whose version is not `version`. It runs
        until it is cancelled. `read`: `read`, where nothing else is said."""
        mark: tuple[int, int] | None = None
        while True:
            try:
                now = self.mark()
                if now != mark:
                    # Beside the loop: a large catalog takes long to compile.
                    catalog = await asyncio.get_running_loop().run_in_executor(None, read or self.read)
                    if catalog.version != version:
                        adopt(catalog)
                    mark, version = now, catalog.version
            except Exception as error:  # the outermost loop of this shell: the catalog that was adopted last stays
                logs.fault(log, "catalog_not_read", error, path=str(self._path))
            await asyncio.sleep(LOOK_S)

    def mark(self) -> tuple[int, int]:
        """Something that differs for each document that is put: the file is replaced, so its inode or time changes."""
        found = self._path.stat()
        return found.st_ino, found.st_mtime_ns


def needs_approval(document: Document) -> bool:
    """Whether a workspace takes only what somebody has approved."""
    policies = document.get("policies.yaml")
    space = policies.get("workspace") if isinstance(policies, Mapping) else None
    return isinstance(space, Mapping) and space.get("publish") == "approve"


def _files(document: bytes) -> dict[str, Any]:
    return statuses.files_of(msgspec.msgpack.decode(document))


def _is_locked(file: IO[str]) -> bool:
    """Whether the lock is ours now. Closing the file gives it back."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def document_in(path: Path) -> bytes:
    """The document in the file; Corrupt where it is missing or not as it was written. A file of an earlier version has
    no digest, and begins with the document itself."""
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
    """Keeps the newest active catalog until its owner is between two groups of turns and takes it. Without an
    `active_catalog` there is never a new one."""

    def __init__(self, active_catalog: ActiveCatalog | None, wake: Callable[[], None]) -> None:
        self._active_catalog, self._wake = active_catalog, wake
        self._task: asyncio.Task[None] | None = None
        self._next: Catalog | None = None

    def start(self, version: str) -> None:
        """Begin to look for catalogs that replace `version`. `wake` is called for each."""
        if self._active_catalog is not None:
            active = self._active_catalog
            self._task = asyncio.create_task(active.follow(version, self._arrived, active.read_with_edits))

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
